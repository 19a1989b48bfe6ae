"""Manifests as files: plain, as a kustomize base, or as a Helm chart."""

from __future__ import annotations

import json
from typing import Any

from container_kit.stages.artifacts.kubernetes import Layout, ManifestFiles, Manifests
from container_kit.stages.deploy.kubernetes.manifests.yaml_text import write

Json = dict[str, Any]


def lay_out(manifests: Manifests, layout: Layout) -> ManifestFiles:
    """Manifests in a layout; paths are relative to the folder that holds them."""
    made = {"files": _plain, "kustomize": _kustomize, "helm": _helm}[layout](manifests)
    return ManifestFiles(layout=layout, files=made)


def _file_name(found: Json) -> str:
    return f"{found['kind'].lower()}.yaml"


def _plain(manifests: Manifests) -> dict[str, str]:
    files: dict[str, list[Json]] = {}
    for found in manifests.objects:
        files.setdefault(_file_name(found), []).append(found)
    return {name: write(documents) for name, documents in files.items()}


def _kustomize(manifests: Manifests) -> dict[str, str]:
    """A base without namespace; kustomize sets it, and an overlay can set another."""
    files = _plain(manifests.model_copy(update={"objects": tuple(_without_namespace(o) for o in manifests.objects)}))
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": manifests.namespace,
        "resources": sorted(files),
    }
    return {**files, "kustomization.yaml": write([kustomization])}


def _without_namespace(found: Json) -> Json:
    metadata = {key: value for key, value in found["metadata"].items() if key != "namespace"}
    return {**found, "metadata": metadata}


class _Template:
    """Replaces values of an object by references to the chart's values."""

    def __init__(self) -> None:
        self.values: Json = {}
        self._marks: dict[str, str] = {}

    def move(self, holder: Json, key: str, value: str) -> None:
        """Take `holder[key]` into the chart's values under the name `value`, where it is there."""
        if key in holder:
            self.values[value] = holder[key]
            holder[key] = self._mark(f".Values.{value}")

    def put(self, holder: Json, key: str, expression: str) -> None:
        """Have Helm fill in an expression."""
        holder[key] = self._mark(expression)

    def _mark(self, expression: str) -> str:
        mark = f"@@{len(self._marks)}@@"
        self._marks[mark] = "{{ toJson " + expression + " }}"
        return mark

    def write(self, found: Json) -> str:
        """The object as a template; braces of its own texts are not Helm's."""
        text = write([found]).replace("{{", '{{ "{{" }}')
        for mark, expression in self._marks.items():
            text = text.replace(f'"{mark}"', expression)
        return text


def _helm(manifests: Manifests) -> dict[str, str]:
    """A chart whose values hold what differs between installations; all else is written out."""
    template = _Template()
    files = {}
    for found in manifests.objects:
        copied: Json = json.loads(json.dumps(found))
        template.put(copied["metadata"], "namespace", ".Release.Namespace")
        _parametrize(template, copied)
        files[f"templates/{_file_name(copied)}"] = template.write(copied)
    chart = {
        "apiVersion": "v2",
        "name": manifests.name,
        "description": f"{manifests.name} on Kubernetes",
        "type": "application",
        "version": "0.1.0",
    }
    return {"Chart.yaml": write([chart]), "values.yaml": write([template.values]), **files}


def _parametrize(template: _Template, found: Json) -> None:
    spec = found.get("spec") or {}
    if found["kind"] == "Deployment":
        template.move(spec, "replicas", "replicas")
        container = spec["template"]["spec"]["containers"][0]
        for key in ("image", "imagePullPolicy", "resources", "env"):
            template.move(container, key, key)
    elif found["kind"] == "HorizontalPodAutoscaler":
        template.move(spec, "minReplicas", "minReplicas")
        template.move(spec, "maxReplicas", "maxReplicas")
    elif found["kind"] == "Ingress":
        template.move(spec, "ingressClassName", "ingressClassName")
        template.move(spec["rules"][0], "host", "host")
        template.move(spec, "tls", "tls")
