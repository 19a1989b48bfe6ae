"""The stage that looks up what a person is asked to approve in a cluster. It changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from container_kit.stages.artifacts.image import Image, LocalImage
from container_kit.stages.artifacts.kubernetes import KubernetesOptions, Manifests
from container_kit.stages.artifacts.planned_change import PlannedChange
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.deploy.faults import OVER_LIMIT
from container_kit.stages.deploy.kubernetes import object_policy
from container_kit.stages.deploy.kubernetes import validation as fields
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi, connect
from container_kit.stages.deploy.kubernetes.cluster.api_faults import FAULTS as API_FAULTS
from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import FAULTS as KUBECONFIG_FAULTS
from container_kit.stages.deploy.kubernetes.find_rollout import list_objects
from container_kit.stages.deploy.kubernetes.manifests.application import check_options
from container_kit.stages.deploy.kubernetes.manifests.user_manifests import (
    USER_MANIFEST_FAULTS,
    digest,
    read_user_manifests,
)
from container_kit.stages.deploy.kubernetes.manifests.yaml_text import FAULTS as YAML_FAULTS
from container_kit.stages.deploy.kubernetes.rollout.container import dig
from container_kit.stages.deploy.kubernetes.target_policy import apply_target

Json = dict[str, Any]


class DescribeRollout(Stage[PlannedChange]):
    """Look up the Deployment that a rollout replaces, and the objects of the user's manifests."""

    read_only = True
    faults = (
        OVER_LIMIT, *fields.FAULTS, *object_policy.FAULTS, *USER_MANIFEST_FAULTS, *YAML_FAULTS, *PATH_FAULTS,
        *API_FAULTS, *KUBECONFIG_FAULTS,
    )  # fmt: skip

    async def execute(
        self,
        ctx: StageContext,
        options: KubernetesOptions,
        target: Target,
        source: Source | None = None,
        named: LocalImage | None = None,
        image: Image | None = None,
    ) -> PlannedChange:
        """Check the options and the objects, and look up the application.

        Raises:
            StageFailure: One of `faults`.
        """
        check_options(options)
        options = apply_target(options, target)
        objects: list[Json] = []
        if options.manifests is not None and source is not None:
            objects = await read_user_manifests(ctx, source.path, options.manifests)
        folder = ctx.workspace.directory(source.path) / source.module if source is not None else None
        name = options.name or _name(objects, named, folder)
        async with connect(options.kube_context) as api:
            namespace = fields.namespace("namespace", options.namespace or api.namespace)
            manifests = Manifests(name=name, namespace=namespace, objects=tuple(objects), generated=False)
            await object_policy.check_objects(api, manifests, target)
            replaces = await _replaced(api, namespace, name, objects)
            place = f"API server {api.server}, namespace {namespace}"
        return PlannedChange(
            place=place,
            application=name,
            image=_image(objects, named, image, folder),
            replaces=replaces,
            command=_command(objects, options),
            contents=", ".join(f"{obj['kind']}/{obj['metadata']['name']}" for obj in objects),
            digest=digest(objects) if objects else "",
        )


def _name(objects: Sequence[Json], named: LocalImage | None, folder: PurePath | None) -> str:
    main = next((obj for obj in objects if obj["kind"] == "Deployment"), None)
    if main is not None:
        return str(main["metadata"]["name"])
    if folder is not None:
        return fields.slug(folder.name)
    return fields.slug(named.image.rpartition("/")[2].partition("@")[0].partition(":")[0]) if named else "app"


async def _replaced(api: KubernetesApi, namespace: str, name: str, objects: Sequence[Json]) -> str:
    names = {str(obj["metadata"]["name"]) for obj in objects if obj["kind"] == "Deployment"} or {name}
    live = await list_objects(api, "apps/v1", "deployments", namespace)
    found = [deployment for deployment in live if deployment["metadata"]["name"] in names]
    images = [(d["metadata"]["name"], dig(d, "spec", "template", "spec", "containers") or [{}]) for d in found]
    return ", ".join(f"{name} ({containers[0].get('image')})" for name, containers in images)


def _image(objects: Sequence[Json], named: LocalImage | None, image: Image | None, folder: PurePath | None) -> str:
    if objects:
        return ", ".join(dict.fromkeys(str(c.get("image", "")) for c in _containers(list(objects))))
    if image is not None and image.id:
        return f"{image.reference} {image.id}"
    if named is not None:
        return named.image
    return f"built from the folder {folder.name}" if folder is not None else ""


def _command(objects: Sequence[Json], options: KubernetesOptions) -> str:
    containers = list(_containers(list(objects))) or [{"command": options.command, "args": options.args}]
    commands = [" ".join(map(str, [*(c.get("command") or ()), *(c.get("args") or ())])) for c in containers]
    return "; ".join(command for command in commands if command)


def _containers(node: Any) -> Iterator[Json]:
    if isinstance(node, dict):
        for key, inner in node.items():
            if key in ("containers", "initContainers") and isinstance(inner, list):
                yield from (item for item in inner if isinstance(item, dict))
            else:
                yield from _containers(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _containers(inner)
