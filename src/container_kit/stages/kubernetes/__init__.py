"""Kubernetes: manifests that pass, a rollout that explains itself, and a way back.

A line here may touch its parameters, the stage's context and `cluster.py`, the one adapter to the API.
"""
