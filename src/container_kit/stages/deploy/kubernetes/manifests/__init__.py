"""Kubernetes manifests: generated, read from the user's files, and written as files."""
