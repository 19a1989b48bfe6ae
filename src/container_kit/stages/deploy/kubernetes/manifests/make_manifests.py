"""Making the manifests: of the analysis and the image, or of the user's own files with the built image put in."""

from __future__ import annotations

import re
from typing import Any

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.image import Image, LocalImage
from container_kit.stages.artifacts.kubernetes import Cluster, ClusterImage, KubernetesOptions, Manifests
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.redaction import looks_secret
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.deploy.kubernetes import validation as fields
from container_kit.stages.deploy.kubernetes.manifests.application import PORT_UNKNOWN, application, check_options
from container_kit.stages.deploy.kubernetes.manifests.generate import objects
from container_kit.stages.deploy.kubernetes.manifests.user_manifests import OWN_FAULTS, own_objects
from container_kit.stages.deploy.kubernetes.manifests.yaml_text import FAULTS as YAML_FAULTS
from container_kit.stages.deploy.kubernetes.target_policy import OVER_LIMIT, keep_inside, on_target

Json = dict[str, Any]


class MakeManifests(Stage[Manifests]):
    """Make Kubernetes manifests that pass Pod Security restricted, or read the user's own."""

    read_only = True
    faults = (PORT_UNKNOWN, OVER_LIMIT, *fields.FAULTS, *OWN_FAULTS, *YAML_FAULTS, *PATH_FAULTS)

    async def validate(self, ctx: StageContext, options: KubernetesOptions) -> None:
        """Check the options.

        Raises:
            StageFailure: `kubernetes.option_invalid`, `kubernetes.secret_literal`.
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
    ) -> Manifests:
        """Make them; without a cluster for its files alone.

        Raises:
            StageFailure: One of `faults`.
        """
        options = on_target(options, target)
        namespace = fields.namespace("namespace", options.namespace or (cluster.namespace if cluster else "default"))
        reference = built.reference if built is not None else named.image if named is not None else None
        delivered = image or (ClusterImage(reference=reference) if reference is not None else None)
        if options.manifests is not None and source is not None:
            found = await own_objects(ctx, source.path, options.manifests)
            keep_inside(found, target)
            return _own(found, options.manifests, namespace, delivered)
        if delivered is None:
            raise fields.OPTION_INVALID("no image is known", field="image", rule="build or name an image first")
        module = analysis.module(source.module if source is not None else ".") if analysis is not None else None
        app = application(options, delivered, namespace, module, built)
        notes = () if "@sha256:" in app.image or app.pull_policy != "Always" else (_UNPINNED,)
        return Manifests(name=app.name, namespace=namespace, objects=tuple(objects(app)), notes=notes)


_UNPINNED = "the image is named by tag, not by digest: pushing other content under it would not roll out"


def _own(found: list[Json], path: str, namespace: str, image: ClusterImage | None) -> Manifests:
    notes = [*_put_in(found, image), *_literal_secrets(found)]
    named = next((one for one in found if one["kind"] == "Deployment"), found[0] if found else None)
    name = str(named["metadata"]["name"]) if named else fields.slug(path)
    return Manifests(name=name, namespace=namespace, objects=tuple(found), generated=False, notes=tuple(notes))


def _containers(found: list[Json]) -> list[Json]:
    """The containers of all objects that have a pod template."""
    made: list[Json] = []
    for one in found:
        spec = one.get("spec") if isinstance(one.get("spec"), dict) else {}
        template = ((spec or {}).get("template") or {}) if isinstance((spec or {}).get("template"), dict) else {}
        pod = template.get("spec") or (spec if one["kind"] == "Pod" else {}) or {}
        if isinstance(pod, dict):
            made += [
                c for group in ("initContainers", "containers") for c in pod.get(group) or [] if isinstance(c, dict)
            ]
    return made


def _put_in(found: list[Json], image: ClusterImage | None) -> list[str]:
    """Put the delivered image in the place of the one with the same name, whatever its registry and tag."""
    if image is None:
        return []
    wanted = _short_name(image.reference)
    replaced = [c for c in _containers(found) if _short_name(str(c.get("image", ""))) == wanted]
    for container in replaced:
        container["image"] = image.reference
    return [] if replaced else [f"no container uses an image named {wanted}, so the built image is not deployed"]


def _short_name(reference: str) -> str:
    return re.split(r"[:@]", reference.rpartition("/")[2])[0]


def _literal_secrets(found: list[Json]) -> list[str]:
    env = [entry for container in _containers(found) for entry in container.get("env") or [] if isinstance(entry, dict)]
    names = sorted({str(e.get("name")) for e in env if e.get("value") and looks_secret(str(e.get("name")))})
    return [f"env {name} holds a literal value that looks like a secret: refer to a Secret instead" for name in names]
