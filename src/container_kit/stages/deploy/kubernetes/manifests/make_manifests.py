"""The stage that makes the manifests: generated, or the user's manifests with the built image."""

from __future__ import annotations

from typing import Any

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.image import Image, LocalImage
from container_kit.stages.artifacts.kubernetes import Cluster, ClusterImage, KubernetesOptions, Manifests
from container_kit.stages.artifacts.planned_change import PlannedChange
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.redaction import looks_secret
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.deploy.faults import OPTION_INVALID, OVER_LIMIT, PORT_NOT_FOUND
from container_kit.stages.deploy.kubernetes import validation as fields
from container_kit.stages.deploy.kubernetes.manifests.application import check_options, combine
from container_kit.stages.deploy.kubernetes.manifests.generate import objects
from container_kit.stages.deploy.kubernetes.manifests.user_manifests import (
    USER_MANIFEST_FAULTS,
    digest,
    read_user_manifests,
)
from container_kit.stages.deploy.kubernetes.manifests.yaml_text import FAULTS as YAML_FAULTS
from container_kit.stages.deploy.kubernetes.target_policy import apply_target, require_namespace
from container_kit.stages.docker.image_reference import short_name

Json = dict[str, Any]


class MakeManifests(Stage[Manifests]):
    """Generate manifests that pass Pod Security restricted, or read the user's manifests."""

    read_only = True
    faults = (PORT_NOT_FOUND, OVER_LIMIT, *fields.FAULTS, *USER_MANIFEST_FAULTS, *YAML_FAULTS, *PATH_FAULTS)

    async def validate(self, ctx: StageContext, options: KubernetesOptions) -> None:
        """Check the options.

        Raises:
            StageFailure: `deploy.option_invalid`, `kubernetes.secret_literal`.
        """
        check_options(options)

    async def execute(
        self,
        ctx: StageContext,
        source: Source | None,
        options: KubernetesOptions,
        cluster: Cluster | None,
        image: ClusterImage | None,
        analysis: Analysis | None,
        built: Image | None,
        named: LocalImage | None = None,
        target: Target | None = None,
        approved: PlannedChange | None = None,
    ) -> Manifests:
        """Make the manifests; without a cluster, they are only written as files.

        Raises:
            StageFailure: One of `faults`.
        """
        options = apply_target(options, target)
        if approved is not None and options.manifests is None:
            options = options.model_copy(update={"name": options.name or approved.application})
        namespace = fields.namespace("namespace", options.namespace or (cluster.namespace if cluster else "default"))
        reference = built.reference if built is not None else named.image if named is not None else None
        delivered = image or (ClusterImage(reference=reference) if reference is not None else None)
        if options.manifests is not None and source is not None:
            objects_read = await read_user_manifests(ctx, source.path, options.manifests)
            require_namespace(objects_read, target)
            if approved is not None and approved.digest != digest(objects_read):
                rule = "the manifests that were approved: deploy again to ask for approval of the new ones"
                raise OPTION_INVALID("the manifests changed after their approval", option="manifests", rule=rule)
            return _user_manifests(objects_read, options.manifests, namespace, delivered)
        if delivered is None:
            raise OPTION_INVALID("no image is given", option="image", rule="build or name an image first")
        module = analysis.module(source.module if source is not None else ".") if analysis is not None else None
        app = combine(options, delivered, namespace, module, built)
        notes = () if "@sha256:" in app.image or app.pull_policy != "Always" else (_UNPINNED,)
        return Manifests(name=app.name, namespace=namespace, objects=tuple(objects(app)), notes=notes)


_UNPINNED = "the image is named by tag, not by digest: a push of other content to the tag would not roll out"


def _user_manifests(objects: list[Json], path: str, namespace: str, image: ClusterImage | None) -> Manifests:
    notes = [*_replace_image(objects, image), *_secret_literals(objects)]
    main = next((obj for obj in objects if obj["kind"] == "Deployment"), objects[0] if objects else None)
    name = str(main["metadata"]["name"]) if main else fields.slug(path)
    return Manifests(name=name, namespace=namespace, objects=tuple(objects), generated=False, notes=tuple(notes))


def _containers(objects: list[Json]) -> list[Json]:
    """Return the containers of all objects with a pod template."""
    containers: list[Json] = []
    for obj in objects:
        spec = obj.get("spec") if isinstance(obj.get("spec"), dict) else {}
        template = ((spec or {}).get("template") or {}) if isinstance((spec or {}).get("template"), dict) else {}
        pod = template.get("spec") or (spec if obj["kind"] == "Pod" else {}) or {}
        if isinstance(pod, dict):
            containers += [
                c for group in ("initContainers", "containers") for c in pod.get(group) or [] if isinstance(c, dict)
            ]
    return containers


def _replace_image(objects: list[Json], image: ClusterImage | None) -> list[str]:
    """Replace images of the same repository name, in any registry and with any tag, with the delivered image."""
    if image is None:
        return []
    name = short_name(image.reference)
    replaced = [c for c in _containers(objects) if short_name(str(c.get("image", ""))) == name]
    for container in replaced:
        container["image"] = image.reference
    return [] if replaced else [f"no container uses an image named {name}, so the built image is not deployed"]


def _secret_literals(objects: list[Json]) -> list[str]:
    env = [
        entry for container in _containers(objects) for entry in container.get("env") or [] if isinstance(entry, dict)
    ]
    names = sorted({str(e.get("name")) for e in env if e.get("value") and looks_secret(str(e.get("name")))})
    return [f"env {name} holds a literal value that looks like a secret: reference a Secret instead" for name in names]
