"""What tests of Kubernetes share: rollouts told as stories, and an emulated API."""
