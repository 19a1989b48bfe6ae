"""The one reader of Dockerfiles, on BuildKit's own parser: text, instructions, stages, and the image they configure.

It neither judges a Dockerfile nor builds it.
"""

from container_kit.stages.formats.dockerfile.document import BuildStage, ParsedDockerfile, parse_dockerfile
from container_kit.stages.formats.dockerfile.faults import (
    DOCKERFILE_NOT_FOUND,
    DOCKERFILE_SYNTAX,
    DOCKERFILE_UNREADABLE,
)
from container_kit.stages.formats.dockerfile.image import ExposedPorts, ImageConfiguration, configuration_of
from container_kit.stages.formats.dockerfile.instruction import Heredoc, Instruction
from container_kit.stages.formats.dockerfile.names import is_dockerfile_name
from container_kit.stages.formats.dockerfile.rules import KEYWORDS

__all__ = [
    "DOCKERFILE_NOT_FOUND",
    "DOCKERFILE_SYNTAX",
    "DOCKERFILE_UNREADABLE",
    "KEYWORDS",
    "BuildStage",
    "ExposedPorts",
    "Heredoc",
    "ImageConfiguration",
    "Instruction",
    "ParsedDockerfile",
    "configuration_of",
    "is_dockerfile_name",
    "parse_dockerfile",
]
