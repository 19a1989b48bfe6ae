"""The catalog: the pipelines of Container Kit. Only this package imports concrete stages.

A pipeline is built, and its stages are imported, on first use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache, partial

from container_kit.pipelines.catalog import deployments as operate
from container_kit.pipelines.catalog import images, local
from container_kit.pipelines.catalog import kubernetes as clusters
from container_kit.pipelines.catalog.shared import engine
from container_kit.pipelines.pipeline import Pipeline
from container_kit.pipelines.plan import Plan
from container_kit.stages.contract.fault import ConfigurationError
from container_kit.stages.contract.operator_policy import DEFAULT, OperatorPolicy
from container_kit.stages.deploy.targets import Targets

_BUILDERS: dict[str, Callable[[], Pipeline]] = {
    "analyze": images.analyze,
    "write-dockerfile": images.write_dockerfile,
    "review-dockerfile": images.review_dockerfile,
    "patch-dockerfile": images.patch_dockerfile,
    "tag": images.tag,
    "tag-source": partial(images.tag, source=True),
    "doctor": images.doctor,
    "write-manifests": clusters.write_manifests,
}
_WITH_POLICY: dict[str, Callable[[OperatorPolicy], Pipeline]] = {
    "build": images.build,
    "push": images.push,
    "push-source": partial(images.push, source=True),
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
    "deploy-kubernetes-pinned": clusters.deploy_kubernetes_pinned,
    "deploy-manifests": clusters.deploy_manifests,
    "verify-kubernetes": clusters.verify_kubernetes,
}
_DELIVERING: dict[str, Callable[[Targets, OperatorPolicy], Pipeline]] = {
    "full-deployment": local.full_deployment,
    "deploy-kubernetes": clusters.deploy_kubernetes,
    "deploy-kubernetes-source": clusters.deploy_kubernetes_source,
    "full-deployment-kubernetes": clusters.full_deployment_kubernetes,
}


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
    return (*_BUILDERS, *_WITH_POLICY, *_ON_TARGETS, *_DELIVERING)


def pipeline(name: str, targets: Targets = (), policy: OperatorPolicy = DEFAULT) -> Pipeline:
    """Build the pipeline with this name.

    Args:
        targets: The configured targets. Without any, the local engine and the contexts of the kubeconfig.
        policy: The operator's rules on what leaves this machine, and the sources of advisories.

    Raises:
        ConfigurationError: There is no such pipeline.
    """
    if name in _ON_TARGETS:
        return _ON_TARGETS[name](targets)
    if name in _DELIVERING:
        return _DELIVERING[name](targets, policy)
    if name in _WITH_POLICY:
        return _WITH_POLICY[name](policy)
    if name not in _BUILDERS:
        raise ConfigurationError(f"there is no pipeline {name!r}; the pipelines are {', '.join(names())}")
    return _BUILDERS[name]()


@cache
def plan(name: str, targets: Targets = (), policy: OperatorPolicy = DEFAULT) -> Plan:
    """Return the plan of the pipeline with this name. Plans are shared: they cannot change.

    Raises:
        ConfigurationError: There is no such pipeline.
    """
    return pipeline(name, targets, policy).plan()
