"""Explanation of failed builds: one module of patterns for each source of failures."""

from container_kit.stages.build.failures.explain import FAULTS, explain

__all__ = ["FAULTS", "explain"]
