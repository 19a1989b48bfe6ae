"""Secrets that get into the image or its history."""

from __future__ import annotations

import re
from collections.abc import Iterator

from container_kit.stages.artifacts.dockerfile import DockerfileProblem
from container_kit.stages.contract.redaction import Redactor, looks_secret
from container_kit.stages.dockerfile.checks.reviewed import ReviewContext, problem
from container_kit.stages.formats.dockerfile_stages import Instruction

_FILES = re.compile(
    r"(?:^|/)(?:\.env(?:\.(?!example|sample|template|dist)[\w-]+)*|id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.npmrc|\.pypirc|\.aws|\.ssh"
    r"|.*\.(?:pem|p12|pfx|key|jks|keystore)|credentials(?:\.json)?|\.git-credentials|\.dockerconfigjson)$"
)
_INSTEAD = "give it when the container starts, or as `RUN --mount=type=secret` while it is built"


def _in_variables(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        for instruction in stage.of("ENV", "ARG"):
            for name, value in _variables(instruction):
                literal = value.strip("\"'") and "$" not in value
                if looks_secret(name) and (literal or (instruction.word == "ARG" and not value)):
                    message = f"{instruction.word} {name} puts a secret into the image's history"
                    yield problem("secret", instruction, "error", message, _INSTEAD)


def _variables(instruction: Instruction) -> list[tuple[str, str]]:
    if instruction.word == "ENV":
        return list(zip(instruction.value[::2], instruction.value[1::2], strict=False))
    return [(name, value) for name, _, value in (word.partition("=") for word in instruction.value)]


def _in_commands(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        for run in stage.of("RUN"):
            if Redactor()(run.text) != run.text:
                message = "RUN holds what looks like a secret, which stays in the image's history"
                yield problem("secret", run, "error", message, _INSTEAD)


def _in_files(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        for copy in stage.of("COPY", "ADD"):
            if any(flag.startswith("--from") for flag in copy.flags):
                continue
            for path in copy.value[:-1]:
                if _FILES.search(path.rstrip("/")):
                    message = f"{path} looks like a secret and becomes a layer of the image"
                    yield problem("secret-copied", copy, "error", message, _INSTEAD)


CHECKS = (_in_variables, _in_commands, _in_files)
