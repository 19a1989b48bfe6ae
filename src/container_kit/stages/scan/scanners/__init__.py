"""Adapters to external scanner programs."""
