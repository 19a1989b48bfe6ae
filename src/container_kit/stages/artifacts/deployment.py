"""Deployment of a container to the local engine, and its verification."""

from typing import Literal

from pydantic import Field

from container_kit.stages.contract.artifact import Artifact

ServiceKind = Literal["postgres", "redis"]
Probe = Literal["http", "tcp"]
ProgramKind = Literal["web", "worker", "job", "command"]
"""What answers on a port, what works without one, what runs to its end, and what people run with arguments."""


class DeployOptions(Artifact):
    """Options of a deployment to the local engine."""

    name: str | None = None
    """The application's name. Defaults to the folder or image name. Deploying it again replaces the container."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """The port on 127.0.0.1. Defaults to the port of the replaced deployment, else a free port."""
    container_port: int | None = Field(default=None, ge=1, le=65535)
    """The port that the application listens on. Defaults to EXPOSE, the analysis, or the only open port."""
    env: dict[str, str] = Field(default_factory=dict)
    env_file: str | None = None
    """A file of `NAME=value` lines in the workspace. Use it for secrets."""
    health_path: str | None = None
    """The path to probe with GET. Defaults to the analysis, else `/`. Any status below 500 is healthy."""
    health_timeout: float = Field(default=30.0, gt=0, le=600)
    """Seconds for the candidate to become healthy."""
    start_command: str | None = Field(default=None, min_length=1, max_length=2000)
    """Replaces the image's CMD. A command with variables or operators of a shell is run by `sh -c`."""
    memory_mb: int = Field(default=512, ge=16)
    cpus: float = Field(default=1.0, gt=0)
    read_only: bool = True
    """Mount the root file system read-only, with a tmpfs at /tmp."""
    user: str | None = None
    """`UID`, `UID:GID` or a name. Defaults to the image's user, or 65534 if that is root."""
    volumes: dict[str, str] = Field(default_factory=dict)
    """Volume names mapped to paths in the container. Volumes outlive their containers. Each VOLUME of the image is one
    without being named here."""
    release: bool = True
    """Run the image's release command, such as a migration, once before the new version serves."""
    probe: Probe = "http"
    """The health probe: `http` for GET `health_path`, `tcp` for a connection that stays open."""
    zero_downtime: bool = False
    """Run HAProxy in front of the application so that no request fails during an update. Otherwise the gap is 0.2 s."""
    services: bool | tuple[ServiceKind, ...] = False
    """Backing services to start, each with a persistent volume; true starts those that the analysis found. A service
    whose variable is set is not started."""
    keep_versions: int = Field(default=3, ge=1, le=50)
    """How many replaced containers are kept, stopped, for rollback."""

    def run_subject(self) -> dict[str, str]:
        """Return the application, if it is named."""
        return {"application": self.name} if self.name else {}


class Deployment(Artifact):
    """A deployed application."""

    name: str
    kind: ProgramKind = "web"
    """A job has run to its end with exit code 0; a command was only built."""
    url: str
    """`http://127.0.0.1:PORT`, on the machine of the engine; empty without a port."""
    forward_command: str | None = None
    """The command that makes the URL work on this machine if the engine runs on another one."""
    container_id: str
    container_name: str
    image: str
    """The image reference."""
    image_id: str
    host_port: int
    container_port: int
    unchanged: bool = False
    """Whether the same version ran already and was healthy, so that nothing was restarted."""
    previous_container_id: str | None = None
    """The replaced container, stopped and kept for rollback; None for a first deployment."""
    seconds_to_healthy: float = 0.0
    gap_seconds: float = 0.0
    """Seconds during which no container held the public port."""
    probe: Probe = "http"
    health_path: str = "/"
    zero_downtime: bool = False
    """Whether HAProxy serves the public port."""
    volumes: dict[str, str] = Field(default_factory=dict)
    """The volumes on the engine, mapped to their paths in the container. They outlive the versions."""
    release_command: str | None = None
    """The command that ran in the new image before it served."""
    output: str = ""
    """The end of the output of a job."""
    generated: tuple[str, ...] = ()
    """Variables with a generated secret, which later deployments get too."""


class Check(Artifact):
    """The result of one check."""

    name: str
    outcome: Literal["ok", "failed", "not_checked"]
    detail: str = ""


class Verification(Artifact):
    """The result of verifying a deployment."""

    healthy: bool
    url: str
    checks: tuple[Check, ...]
