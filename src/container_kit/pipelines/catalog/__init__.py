"""The catalog: the pipelines of Container Kit. Only this package imports concrete stages.

A pipeline is built, and its stages are imported, on first use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from container_kit.pipelines.catalog import deployments as operate
from container_kit.pipelines.catalog import images, local
from container_kit.pipelines.catalog import kubernetes as clusters
from container_kit.pipelines.catalog.shared import engine
from container_kit.pipelines.pipeline import Pipeline
from container_kit.pipelines.plan import Plan
from container_kit.stages.contract.fault import ConfigurationError
from container_kit.stages.deploy.targets import Targets

if TYPE_CHECKING:
    from container_kit.stages.docker.engine import DockerEngine

_BUILDERS: dict[str, Callable[[], Pipeline]] = {
    "analyze": images.analyze,
    "write-dockerfile": images.write_dockerfile,
    "review-dockerfile": images.review_dockerfile,
    "patch-dockerfile": images.patch_dockerfile,
    "build": images.build,
    "push": images.push,
    "push-source": partial(images.push, source=True),
    "tag": images.tag,
    "tag-source": partial(images.tag, source=True),
    "doctor": images.doctor,
    "write-manifests": clusters.write_manifests,
}
_SCANNING: dict[str, Callable[[str | None], Pipeline]] = {
    "scan": images.scan,
    "scan-source": images.scan_source,
}
_ON_TARGETS: dict[str, Callable[[Targets], Pipeline]] = {
    "deploy": local.deploy,
    "deploy-source": local.deploy_source,
    "list-deployments": operate.list_deployments,
    "deployment-logs": operate.deployment_logs,
    "rollback-deployment": operate.rollback_deployment,
    "remove-deployment": operate.remove_deployment,
    "control-deployment": operate.control_deployment,
    "exec-deployment": operate.exec_deployment,
    "verify": operate.verify,
}
_IN_CLUSTERS: dict[str, Callable[[Targets, DockerEngine], Pipeline]] = {
    "deploy-kubernetes": clusters.deploy_kubernetes,
    "deploy-kubernetes-source": clusters.deploy_kubernetes_source,
    "deploy-kubernetes-pinned": clusters.deploy_kubernetes_pinned,
    "deploy-manifests": clusters.deploy_manifests,
    "verify-kubernetes": clusters.verify_kubernetes,
}
_FULL = ("full-deployment", "full-deployment-kubernetes")


def execution_environment() -> tuple[str, ...]:
    """Return the settings outside a run's input that decide which engine and cluster it changes. Blocking."""
    from container_kit.stages.docker.endpoint import EndpointError, find_endpoint

    try:
        engine = find_endpoint().host
    except EndpointError as error:  # the stage that needs the engine will report it
        engine = str(error)
    return (engine, os.environ.get("KUBECONFIG", ""))


async def sweep(run_ids: Sequence[str]) -> list[str]:
    """Remove unused objects of deleted runs from the engine, and return their ids.

    Raises:
        StageFailure: A fault of the engine.
    """
    from container_kit.stages.docker.garbage import sweep

    return await sweep(engine(), run_ids)


def names() -> tuple[str, ...]:
    """Return the names of all pipelines."""
    return (*_BUILDERS, *_SCANNING, *_ON_TARGETS, *_IN_CLUSTERS, *_FULL)


def pipeline(name: str, targets: Targets = (), osv_api: str | None = None) -> Pipeline:
    """Build the pipeline with this name.

    Args:
        targets: The configured targets, in addition to the local engine.
        osv_api: The address of the API of OSV, or `off`; None means the default of the scanners.

    Raises:
        ConfigurationError: There is no such pipeline.
    """
    if name in _SCANNING:
        return _SCANNING[name](osv_api)
    if name == _FULL[0]:
        return local.full_deployment(targets, osv_api)
    if name == _FULL[1]:
        return clusters.full_deployment_kubernetes(targets, engine(), osv_api)
    if name in _ON_TARGETS:
        return _ON_TARGETS[name](targets)
    if name in _IN_CLUSTERS:
        return _IN_CLUSTERS[name](targets, engine())
    if name not in _BUILDERS:
        raise ConfigurationError(f"there is no pipeline {name!r}; the pipelines are {', '.join(names())}")
    return _BUILDERS[name]()


@cache
def plan(name: str, targets: Targets = (), osv_api: str | None = None) -> Plan:
    """Return the plan of the pipeline with this name. Plans are shared: they cannot change.

    Raises:
        ConfigurationError: There is no such pipeline.
    """
    return pipeline(name, targets, osv_api).plan()
