"""Deployment of images behind the backend protocol: one folder per kind of target."""
