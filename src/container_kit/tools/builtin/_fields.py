"""Argument types that several tools share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

SourcePath = Annotated[str, Field(description="Repository folder")]
ModulePath = Annotated[str, Field(description="Module folder in a monorepo, relative to path")]
ImageName = Annotated[str, Field(description="name[:tag] or id in the local engine")]
NewImageName = Annotated[str, Field(description="name[:tag]; default: folder name")]
DockerfilePath = Annotated[str, Field(description="Relative to path; default: Dockerfile")]
ImageRunId = Annotated[str, Field(description="Id of the run that built the image")]
RunId = Annotated[str, Field(description="Run id")]
CaFile = Annotated[str, Field(description="PEM file of an extra CA to trust in RUN steps")]
DryRun = Annotated[bool, Field(description="Preview without changing anything")]
Timeout = Annotated[float, Field(gt=0, description="Seconds for the whole run")]
FailOn = Annotated[
    Literal["low", "medium", "high", "critical", "never"],
    Field(description="Fail on findings of this severity or higher"),
]

ApplicationName = Annotated[str, Field(description="Application name; redeploying a name replaces it")]
DeployedName = Annotated[str, Field(description="Name used when deploying")]
HostPort = Annotated[int, Field(ge=1, le=65535, description="Published on 127.0.0.1; default: a free port")]
ContainerPort = Annotated[int, Field(ge=1, le=65535, description="Port the application listens on; default: detected")]
Env = Annotated[dict[str, str], Field(description="Variables; values never appear in results")]
EnvFile = Annotated[str, Field(description="File of NAME=value lines; use it for secrets")]
TargetName = Annotated[str, Field(description="Name of a configured target")]
HealthPath = Annotated[str, Field(description="Path for HTTP GET health checks")]
HealthTimeout = Annotated[float, Field(gt=0, le=600, description="Seconds to become healthy")]
ReadOnly = Annotated[bool, Field(description="Read-only root file system; /tmp stays writable")]


def scan_policy(fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Translate `fail_on: never` to the value of the scan policy."""
    return {**fields, "fail_on": None} if fields.get("fail_on") == "never" else fields
