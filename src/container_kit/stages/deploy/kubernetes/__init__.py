"""The Kubernetes deployment backend: manifests, rollout, failure diagnosis and rollback.

`cluster` is the only adapter to the API.
"""
