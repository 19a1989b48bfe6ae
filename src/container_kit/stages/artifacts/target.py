"""Where applications are deployed: the targets that an operator configured, and the one that a run asks for."""

from typing import Literal, Self

from pydantic import Field, model_validator

from container_kit.stages.contract.artifact import Artifact

TargetKind = Literal["local", "kubernetes"]


class Limits(Artifact):
    """The most that one application may be given."""

    memory_mb: int | None = Field(default=None, ge=16)
    cpus: float | None = Field(default=None, gt=0)
    replicas: int | None = Field(default=None, ge=1)


class Target(Artifact):
    """A place where applications run."""

    name: str = Field(default="local", pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")
    kind: TargetKind = "local"
    """`local` is this machine's engine."""
    protected: bool = False
    """Whether a person has to consent to each change."""
    limits: Limits = Limits()
    context: str | None = None
    """The kubeconfig's context; by default its current one."""
    namespace: str | None = None
    """By default that of the context."""
    registry: str | None = None
    """Where images are pushed for it, for example `registry.example.com/team`; by default what the context offers."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "local" and (self.context or self.namespace or self.registry):
            raise ValueError("context, namespace and registry belong to targets of kind kubernetes")
        return self


class TargetSelector(Artifact):
    """The target that a run asks for."""

    deploy_to: str | None = None
    """Its name; by default the local engine, which is called `local`."""
