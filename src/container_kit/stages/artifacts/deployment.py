"""Deploying a container to the local engine, and verifying it."""

from typing import Literal

from pydantic import Field

from container_kit.stages.contract.artifact import Artifact

ServiceKind = Literal["postgres", "redis"]
Probe = Literal["http", "tcp"]


class DeployOptions(Artifact):
    """How an image is deployed."""

    name: str | None = None
    """The application's name; by default the folder's or the image's. A second deploy by it replaces the first."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """The port on 127.0.0.1; by default that of the deployment it replaces, else a free one."""
    container_port: int | None = Field(default=None, ge=1, le=65535)
    """The port that the application listens on; by default from EXPOSE, the analysis, or the only one that is open."""
    env: dict[str, str] = Field(default_factory=dict)
    env_file: str | None = None
    """A file of `NAME=value` lines in the workspace; the place for secrets."""
    health_path: str | None = None
    """The path to probe with GET; by default that of the analysis, else `/`. Any answer below 500 is healthy."""
    health_timeout: float = Field(default=30.0, gt=0, le=600)
    """Seconds within which the candidate must become healthy."""
    memory_mb: int = Field(default=512, ge=16)
    cpus: float = Field(default=1.0, gt=0)
    read_only: bool = True
    """A read-only root file system, with a tmpfs at /tmp."""
    user: str | None = None
    """`UID`, `UID:GID` or a name; by default the image's own where that is not root, else 65534."""
    volumes: dict[str, str] = Field(default_factory=dict)
    """From a volume's name to the path in the container; a volume outlives its containers."""
    probe: Probe = "http"
    """How health is asked: GET `health_path`, or `tcp` for a connection that stays open."""
    zero_downtime: bool = False
    """Put HAProxy before the application, so that not one request fails when versions change; else 0.2 s are lost."""
    services: bool | tuple[ServiceKind, ...] = False
    """Services to bring up beside it, each with a volume that outlives it; true means those that the analysis found.
    One whose variable is given is left out."""
    keep_versions: int = Field(default=3, ge=1, le=50)
    """How many replaced containers are kept, stopped, for a rollback."""


class Deployment(Artifact):
    """An application that was deployed."""

    name: str
    url: str
    """`http://127.0.0.1:PORT`."""
    container_id: str
    container_name: str
    image: str
    """The reference."""
    image_id: str
    host_port: int
    container_port: int
    previous_container_id: str | None = None
    """The container that it replaced, stopped and kept for going back; None for a first deploy."""
    seconds_to_healthy: float = 0.0
    gap_seconds: float = 0.0
    """How long no container held the public port during the swap."""
    probe: Probe = "http"
    health_path: str = "/"
    zero_downtime: bool = False
    """Whether it is served through HAProxy."""


class Check(Artifact):
    """One thing that was looked at."""

    name: str
    outcome: Literal["ok", "failed", "not_checked"]
    detail: str = ""


class Verification(Artifact):
    """What was seen of a deployment after it was made."""

    healthy: bool
    url: str
    checks: tuple[Check, ...]
