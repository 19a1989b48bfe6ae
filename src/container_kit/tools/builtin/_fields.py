"""Argument types that several tools share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

SourcePath = Annotated[str, Field(description="Repository folder")]
ModulePath = Annotated[str, Field(description="Module folder")]
ImageName = Annotated[str, Field(description="Local name or id")]
NewImageName = Annotated[str, Field(description="name[:tag]")]
DockerfilePath = Annotated[str, Field(description="Relative to path")]
ImageRunId = Annotated[str, Field(description="Run that built it")]
RunId = Annotated[str, Field(description="Run id")]
CaFile = Annotated[str, Field(description="Extra CA to trust (PEM file)")]
AllowSecrets = bool
Secrets = Annotated[dict[str, str], Field(description="id: env:NAME or file:PATH")]
DryRun = Annotated[bool, Field(description="Preview only")]
Timeout = Annotated[float, Field(gt=0, description="Seconds")]
FailOn = Annotated[
    Literal["low", "medium", "high", "critical", "never"],
    Field(description="Severity that fails"),
]

ApplicationName = Annotated[str, Field(description="Reusing a name replaces it")]
DeployedName = Annotated[str, Field(description="Application name")]
HostPort = Annotated[int, Field(ge=1, le=65535, description="On 127.0.0.1; default: free")]
ContainerPort = Annotated[int, Field(ge=1, le=65535, description="Default: detected")]
Env = Annotated[dict[str, str], Field(description="Values stay hidden")]
EnvFile = Annotated[str, Field(description="NAME=value lines")]
TargetName = Annotated[str, Field(description="Default: this machine")]
HealthPath = Annotated[str, Field(description="GET path; default: detected")]
HealthTimeout = Annotated[float, Field(gt=0, le=600, description="Seconds until healthy")]
ReadOnly = Annotated[bool, Field(description="Read-only root, writable /tmp")]


def scan_policy(fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Translate `fail_on: never` to the value of the scan policy."""
    return {**fields, "fail_on": None} if fields.get("fail_on") == "never" else fields
