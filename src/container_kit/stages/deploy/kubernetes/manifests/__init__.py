"""Kubernetes manifests: generated ones, the user's own, and how they are written."""
