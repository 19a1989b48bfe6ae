"""The analyze room: it reads a source tree and says what is in it, with evidence; it starts and changes nothing."""

from container_kit.stages.analyze.stage import Analyze
from container_kit.stages.analyze.survey import analyze

__all__ = ["Analyze", "analyze"]
