"""Readers of files that describe a deployment: Compose, platform files, Procfiles and Kubernetes manifests."""
