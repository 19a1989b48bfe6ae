"""The local deployment backend: containers on one Docker Engine, replaced without downtime."""
