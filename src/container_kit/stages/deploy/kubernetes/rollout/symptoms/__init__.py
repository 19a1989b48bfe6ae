"""Symptoms of a failing rollout, one module per kind of object."""
