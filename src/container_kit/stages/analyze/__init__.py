"""Analysis of a source tree: its modules, with evidence. It runs no program and changes nothing."""

from container_kit.stages.analyze.analysis import analyze
from container_kit.stages.analyze.stage import Analyze

__all__ = ["Analyze", "analyze"]
