"""The analyze room: it reads a source tree and says what is in it, with evidence; it starts and changes nothing."""

from container_kit.stages.analyze.analysis import analyze
from container_kit.stages.analyze.stage import Analyze

__all__ = ["Analyze", "analyze"]
