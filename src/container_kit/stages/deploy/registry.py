"""The deploy targets: one row for each kind."""

from __future__ import annotations

from collections.abc import Mapping

from container_kit.stages.artifacts.target import Target, TargetKind
from container_kit.stages.deploy.backend import DeploymentBackend
from container_kit.stages.deploy.kubernetes.backend import KubernetesBackend
from container_kit.stages.deploy.local.backend import LocalBackend
from container_kit.stages.docker.engine import DockerEngine

BACKENDS: Mapping[TargetKind, type[DeploymentBackend]] = {"local": LocalBackend, "kubernetes": KubernetesBackend}


def backend_for(target: Target, engine: DockerEngine) -> DeploymentBackend:
    """Return the backend that manages a target."""
    return BACKENDS[target.kind](target, engine)
