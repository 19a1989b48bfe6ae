"""Secrets in the image or its history."""

from __future__ import annotations

from collections.abc import Iterator

from container_kit.stages.artifacts.dockerfile import DockerfileProblem
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.redaction import Redactor, looks_secret
from container_kit.stages.dockerfile.checks.reviewed import ReviewContext, problem

_FILES = re.compile(
    r"(?:^|/)(?:\.env(?:\.(?!example|sample|template|dist)[\w-]+)*|id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.npmrc|\.pypirc|\.aws|\.ssh"
    r"|.*\.(?:pem|p12|pfx|key|jks|keystore)|credentials(?:\.json)?|\.git-credentials|\.dockerconfigjson)$"
)
_INSTEAD = "pass it when the container starts, or as `RUN --mount=type=secret` during the build"


def _in_variables(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        for instruction in stage.of("ENV", "ARG"):
            for name, value in instruction.variables:
                literal = value.strip("\"'") and "$" not in value
                if looks_secret(name) and (literal or (instruction.keyword == "ARG" and not value)):
                    message = f"{instruction.keyword} {name} puts a secret into the image's history"
                    yield problem("secret", instruction, "error", message, _INSTEAD)


def _in_commands(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        for run in stage.of("RUN"):
            if Redactor()(run.script) != run.script:
                message = "RUN contains a likely secret, which stays in the image's history"
                yield problem("secret", run, "error", message, _INSTEAD)


def _in_files(file: ReviewContext) -> Iterator[DockerfileProblem]:
    for stage in file.stages:
        for copy in stage.of("COPY", "ADD"):
            for path in copy.context_sources:
                if _FILES.search(path.rstrip("/")):
                    message = f"{path} looks like a secret and becomes part of the image"
                    yield problem("secret-copied", copy, "error", message, _INSTEAD)


CHECKS = (_in_variables, _in_commands, _in_files)
