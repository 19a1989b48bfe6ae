"""The Kubernetes deployment backend: manifests, rollout, failure diagnosis and rollback.

Modules use the stage context and `cluster`, the one adapter to the API.
"""
