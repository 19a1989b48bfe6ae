"""Explanation of containers that ended or do not answer: tables of texts by cause, which every deploy target may use."""

from container_kit.stages.deploy.failures.explain import FAULTS, explain_crash

__all__ = ["FAULTS", "explain_crash"]
