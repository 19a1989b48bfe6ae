"""The faults of a Dockerfile that cannot be read, shared by the stages that read one."""

from container_kit.stages.contract.fault import FaultCode

DOCKERFILE_NOT_FOUND = FaultCode(
    "dockerfile.not_found",
    means="The Dockerfile does not exist.",
    hint="Name the Dockerfile (`dockerfile`), or generate one.",
)
DOCKERFILE_UNREADABLE = FaultCode(
    "dockerfile.unreadable",
    means="The Dockerfile cannot be read, or is not text.",
    hint="Make {path} a readable text file in UTF-8.",
)
DOCKERFILE_SYNTAX = FaultCode(
    "dockerfile.syntax",
    means="A line of the Dockerfile is not a valid instruction, or the Dockerfile has no base image.",
    hint="Correct line {line} of {path}: {repair}.",
)
