"""Renders manifests as files: plain, as a kustomize base, or as a Helm chart."""

from __future__ import annotations

import json
from typing import Any

from container_kit.stages.artifacts.kubernetes import Layout, ManifestFiles, Manifests
from container_kit.stages.deploy.kubernetes.manifests.yaml_text import write

Json = dict[str, Any]


def render_layout(manifests: Manifests, layout: Layout) -> ManifestFiles:
    """Render manifests in a layout; paths are relative to their folder."""
    files = {"files": _plain, "kustomize": _kustomize, "helm": _helm}[layout](manifests)
    return ManifestFiles(layout=layout, files=files)


def _file_name(obj: Json) -> str:
    return f"{obj['kind'].lower()}.yaml"


def _plain(manifests: Manifests) -> dict[str, str]:
    files: dict[str, list[Json]] = {}
    for obj in manifests.objects:
        files.setdefault(_file_name(obj), []).append(obj)
    return {name: write(documents) for name, documents in files.items()}


def _kustomize(manifests: Manifests) -> dict[str, str]:
    """Render a base without namespaces; kustomize sets the namespace, and an overlay can override it."""
    files = _plain(manifests.model_copy(update={"objects": tuple(_without_namespace(o) for o in manifests.objects)}))
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": manifests.namespace,
        "resources": sorted(files),
    }
    return {**files, "kustomization.yaml": write([kustomization])}


def _without_namespace(obj: Json) -> Json:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "namespace"}
    return {**obj, "metadata": metadata}


class _Template:
    """Replaces values of an object with references to the chart's values."""

    def __init__(self) -> None:
        self.values: Json = {}
        self._marks: dict[str, str] = {}

    def move(self, holder: Json, key: str, value: str) -> None:
        """Move `holder[key]`, if it exists, into the chart's values under the name `value`."""
        if key in holder:
            self.values[value] = holder[key]
            holder[key] = self._mark(f".Values.{value}")

    def put(self, holder: Json, key: str, expression: str) -> None:
        """Replace `holder[key]` with a template expression."""
        holder[key] = self._mark(expression)

    def _mark(self, expression: str) -> str:
        mark = f"@@{len(self._marks)}@@"
        self._marks[mark] = "{{ toJson " + expression + " }}"
        return mark

    def write(self, obj: Json) -> str:
        """Write the object as a template; braces in its texts are escaped."""
        text = write([obj]).replace("{{", '{{ "{{" }}')
        for mark, expression in self._marks.items():
            text = text.replace(f'"{mark}"', expression)
        return text


def _helm(manifests: Manifests) -> dict[str, str]:
    """Render a chart whose values are the settings that differ between installations."""
    template = _Template()
    files = {}
    for obj in manifests.objects:
        copied: Json = json.loads(json.dumps(obj))
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


def _parametrize(template: _Template, obj: Json) -> None:
    spec = obj.get("spec") or {}
    if obj["kind"] == "Deployment":
        template.move(spec, "replicas", "replicas")
        container = spec["template"]["spec"]["containers"][0]
        for key in ("image", "imagePullPolicy", "resources", "env"):
            template.move(container, key, key)
    elif obj["kind"] == "HorizontalPodAutoscaler":
        template.move(spec, "minReplicas", "minReplicas")
        template.move(spec, "maxReplicas", "maxReplicas")
    elif obj["kind"] == "Ingress":
        template.move(spec, "ingressClassName", "ingressClassName")
        template.move(spec["rules"][0], "host", "host")
        template.move(spec, "tls", "tls")
