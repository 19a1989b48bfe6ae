"""An application to deploy in tests."""

from __future__ import annotations

from typing import Any

from container_kit.stages.artifacts.kubernetes import Cluster, ClusterImage, KubernetesOptions, Manifests
from container_kit.stages.deploy.kubernetes.manifests.application import combine
from container_kit.stages.deploy.kubernetes.manifests.generate import objects

CLUSTER = Cluster(context="test", server="", version="v1.36.0", namespace="shop", delivery="registry")


def manifests(behaves: str = "ok", version: str = "1", **options: Any) -> Manifests:
    """An application whose image is named after the recorded stream that the emulated cluster replays for it."""
    image = ClusterImage(reference=f"registry.test/{behaves}:{version}")
    app = combine(KubernetesOptions(name="web", port=8080, **options), image, "shop", None, None)
    return Manifests(name="web", namespace="shop", objects=tuple(objects(app)))


def quick(found: Manifests) -> Manifests:
    """The recorded streams run 20 times as fast; waiting does too."""
    for one in found.of_kind("Deployment"):
        one["spec"]["minReadySeconds"] = 0
    return found
