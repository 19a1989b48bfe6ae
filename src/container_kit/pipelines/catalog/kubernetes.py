"""Pipelines for Kubernetes: deploying, writing manifests, and verifying."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.catalog.consent import with_consent
from container_kit.pipelines.catalog.shared import (
    TRANSIENT,
    application,
    engine,
    needs_dockerfile,
    scanner_settings,
)
from container_kit.pipelines.pipeline import AtomicPipeline, Pipeline, WorkflowPipeline, minutes
from container_kit.pipelines.retry import RetryPolicy
from container_kit.stages.artifacts.image import BuildOptions, LocalImage
from container_kit.stages.artifacts.kubernetes import (
    Cluster,
    KubernetesApplication,
    KubernetesOptions,
    ManifestLayout,
)
from container_kit.stages.artifacts.scan import ScanPolicy
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import TargetKind, TargetSelector
from container_kit.stages.contract.operator_policy import OperatorPolicy
from container_kit.stages.contract.stage import Stage
from container_kit.stages.deploy.targets import ChooseTarget, Targets

_ONCE = RetryPolicy()
"""A failed rollout was watched for as long as it may take, so a retry would fail the same way."""

P = TypeVar("P", bound=Pipeline)

_KINDS: tuple[TargetKind, ...] = ("kubernetes",)


def deploy_kubernetes(targets: Targets, policy: OperatorPolicy) -> Pipeline:
    """Deploy an image of the local engine."""
    from container_kit.stages.deploy.kubernetes.preflight import PreflightCluster
    from container_kit.stages.docker.find_image import FindImage

    pipeline = AtomicPipeline(
        "deploy-kubernetes",
        inputs=(LocalImage, KubernetesOptions, TargetSelector),
        summary="Deliver an image to a cluster and roll it out.",
    )
    _with_target(pipeline, targets, find=[FindImage(engine())]).add_stage(PreflightCluster())
    return _add_rollout(_add_delivery(pipeline, policy)).with_timeout(minutes(75))


def deploy_kubernetes_source(targets: Targets, policy: OperatorPolicy) -> Pipeline:
    """Deploy the newest image that was built from a folder, with the analysis of the folder."""
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.deploy.kubernetes.preflight import PreflightCluster
    from container_kit.stages.docker.find_built_image import FindBuiltImage
    from container_kit.stages.docker.find_image import FindImage

    pipeline = AtomicPipeline(
        "deploy-kubernetes-source",
        inputs=(Source, KubernetesOptions, TargetSelector),
        summary="Deliver the newest image built from a folder to a cluster and roll it out.",
    )
    _with_target(pipeline, targets, find=[FindBuiltImage(engine()), FindImage(engine())])
    pipeline.add_stage(PreflightCluster())
    return _add_rollout(_add_delivery(pipeline.add_stage(Analyze()), policy)).with_timeout(minutes(75))


def deploy_kubernetes_pinned(targets: Targets) -> Pipeline:
    """Deploy an image that is already in a registry."""
    from container_kit.stages.deploy.kubernetes.preflight import PreflightCluster

    pipeline = AtomicPipeline(
        "deploy-kubernetes-pinned",
        inputs=(LocalImage, KubernetesOptions, TargetSelector),
        summary="Roll out an image that is in a registry, by its digest.",
    )
    _with_target(pipeline, targets).add_stage(PreflightCluster(delivers=False))
    return _add_rollout(pipeline).with_timeout(minutes(65))


def deploy_manifests(targets: Targets) -> Pipeline:
    """Apply a user's manifests."""
    from container_kit.stages.deploy.kubernetes.preflight import PreflightCluster

    pipeline = AtomicPipeline(
        "deploy-manifests",
        inputs=(Source, KubernetesOptions, TargetSelector),
        summary="Apply manifests of a folder, or its kustomization, and watch the rollout.",
    )
    _with_target(pipeline, targets).add_stage(PreflightCluster(delivers=False))
    return _add_rollout(pipeline).with_timeout(minutes(65))


def full_deployment_kubernetes(targets: Targets, policy: OperatorPolicy) -> Pipeline:
    """Take a repository to a rollout; the cluster is checked before anything is built."""
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.build import BuildImage
    from container_kit.stages.deploy.kubernetes.preflight import PreflightCluster
    from container_kit.stages.dockerfile import WriteDockerfile
    from container_kit.stages.scan import ScanImage

    pipeline = WorkflowPipeline(
        "full-deployment-kubernetes",
        inputs=(Source, BuildOptions, ScanPolicy, KubernetesOptions, TargetSelector),
        summary="From a repository to a rollout in a cluster: check the cluster, build, scan, deliver, deploy.",
    )
    _with_target(pipeline, targets).add_stage(PreflightCluster()).add_stage(Analyze())
    pipeline.add_conditional_stage(WriteDockerfile(engine=engine()), when=needs_dockerfile)
    pipeline.add_stage(BuildImage(engine(), policy)).add_stage(ScanImage(engine(), scanner_settings(policy.osv_api)))
    return _add_rollout(_add_delivery(pipeline, policy)).with_timeout(minutes(100))


def write_manifests() -> Pipeline:
    """Write manifests as files."""
    from container_kit.stages.analyze import Analyze
    from container_kit.stages.deploy.kubernetes.manifests.make_manifests import MakeManifests
    from container_kit.stages.deploy.kubernetes.manifests.write_manifests import WriteManifests

    pipeline = AtomicPipeline(
        "write-manifests",
        inputs=(Source, LocalImage, KubernetesOptions, ManifestLayout),
        summary="Write Kubernetes manifests for a repository: files, a kustomize base, or a Helm chart.",
    )
    pipeline.add_stage(Analyze()).add_stage(MakeManifests()).add_stage(WriteManifests())
    return pipeline.with_timeout(minutes(2))


def verify_kubernetes(targets: Targets) -> Pipeline:
    """Check an application in a cluster."""
    from container_kit.stages.deploy.kubernetes.find_rollout import FindRollout
    from container_kit.stages.deploy.kubernetes.verify import VerifyKubernetes

    pipeline = AtomicPipeline(
        "verify-kubernetes",
        inputs=(KubernetesApplication, TargetSelector),
        summary="Check an application in a cluster: replicas, restarts, endpoints, HTTP answer, ingress.",
    )
    pipeline.add_stage(ChooseTarget(targets, _KINDS)).add_stage(FindRollout()).add_stage(VerifyKubernetes())
    return pipeline.with_retry(TRANSIENT).with_timeout(minutes(3))


def _with_target(pipeline: P, targets: Targets, *, find: Sequence[Stage[Any]] = ()) -> P:
    """Choose the target, and ask for approval first if it is protected, because the preflight may change it.

    Args:
        find: Stages that find the image, so that the question names its digest.
    """
    from container_kit.stages.deploy.kubernetes.describe import DescribeRollout

    pipeline.add_stage(ChooseTarget(targets, _KINDS))
    for stage in find:
        pipeline.add_stage(stage)
    return with_consent(pipeline, DescribeRollout(), "deploy", targets)


def _add_delivery(pipeline: P, policy: OperatorPolicy) -> P:
    """Deliver the image to the nodes: push it, or load it into them."""
    from container_kit.stages.deploy.kubernetes.image_delivery.stages import ChooseRegistryName, DeliverImage
    from container_kit.stages.push import PushImage

    pipeline.add_stage(ChooseRegistryName())
    push = PushImage(engine(), policy, for_cluster=True)
    pipeline.add_conditional_stage(push, when=lambda artifacts: artifacts[Cluster].delivery == "registry")
    pipeline.add_stage(DeliverImage(engine()))
    return pipeline


def _add_rollout(pipeline: P) -> P:
    from container_kit.stages.deploy.kubernetes.deploy import DeployToKubernetes
    from container_kit.stages.deploy.kubernetes.manifests.make_manifests import MakeManifests
    from container_kit.stages.deploy.kubernetes.verify import VerifyKubernetes

    pipeline.add_stage(MakeManifests()).add_stage(DeployToKubernetes(), retry=_ONCE).add_stage(VerifyKubernetes())
    return pipeline.with_retry(TRANSIENT).with_concurrency_key(concurrency_key)


def concurrency_key(artifacts: Artifacts) -> str:
    """Return the application that is replaced: runs that replace the same one wait for each other."""
    options = artifacts[KubernetesOptions]
    target = artifacts[TargetSelector].deploy_to or f"kubernetes {options.kube_context or ''}".strip()
    return f"application {application(artifacts, options.name)} in {options.namespace or 'the namespace'} on {target}"
