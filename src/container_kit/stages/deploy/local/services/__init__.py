"""Backing services of local deployments, such as databases and caches."""
