"""Deployment targets: the ones that an operator configured, and the one that a run requests."""

from typing import Literal, Self

from pydantic import Field, model_validator

from container_kit.stages.contract.artifact import Artifact

TargetKind = Literal["local", "kubernetes"]


class Limits(Artifact):
    """The maximum resources of one application."""

    memory_mb: int | None = Field(default=None, ge=16)
    cpus: float | None = Field(default=None, gt=0)
    replicas: int | None = Field(default=None, ge=1)


class Target(Artifact):
    """A place where applications run."""

    name: str = Field(default="local", pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")
    kind: TargetKind = "local"
    """`local` is the engine of this machine."""
    protected: bool = False
    """Whether a person must approve each change."""
    limits: Limits = Limits()
    context: str | None = None
    """The kubeconfig context. Defaults to the current context at the start of the process."""
    namespace: str | None = None
    """Defaults to the namespace of the context. Callers cannot choose another one."""
    registry: str | None = None
    """The registry that images are pushed to, for example `registry.example.com/team`. Defaults to the delivery method
    of the context."""
    implicit: bool = False
    """Set if no target is configured: callers then choose the context and the namespace themselves."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "local" and (self.context or self.namespace or self.registry):
            raise ValueError("context, namespace and registry belong to targets of kind kubernetes")
        return self


class TargetSelector(Artifact):
    """The target that a run requests."""

    deploy_to: str | None = None
    """The target's name. Without configured targets, the local engine is `local`. Defaults to `local`, else to the only
    configured target that fits."""
