"""Examining the machine that Container Kit runs on. It changes nothing."""

from container_kit.stages.doctor.stage import CheckHost

__all__ = ["CheckHost"]
