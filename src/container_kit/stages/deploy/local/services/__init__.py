"""Backing services of a local application: databases and caches as containers next to it."""
