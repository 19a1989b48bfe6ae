"""A few lines about the artifacts of a run, for people and for clients that read only text."""

from __future__ import annotations

import shlex

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.request import PipelineResponse
from container_kit.stages.artifacts.analysis import Analysis, Module
from container_kit.stages.artifacts.deployment import Verification
from container_kit.stages.artifacts.deployments import (
    Application,
    ApplicationLog,
    Applications,
    CommandResult,
    ControlResult,
    RemovalResult,
    RollbackResult,
)
from container_kit.stages.artifacts.dockerfile import Dockerfile, DockerfileReview
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.kubernetes import ManifestFiles
from container_kit.stages.artifacts.push import PushedImage, TaggedImage
from container_kit.stages.artifacts.scan import Sbom, ScanReport
from container_kit.stages.contract.untrusted_text import quoted
from container_kit.tools.results.scan_text import report_lines
from container_kit.tools.results.schema import sbom_uri

_DOCKERFILE_LIMIT = 6000


def summary(response: PipelineResponse) -> str:
    """Return lines about the artifacts of a run, or an empty string if none of them has a summary."""
    from container_kit.stages.deploy.registry import BACKENDS  # imports container engine and cluster clients

    artifacts = response.artifacts
    lines = [*_source_lines(response, artifacts), *_image_lines(response, artifacts)]
    for backend in BACKENDS.values():
        if deployment := artifacts.get(backend.deployment):
            lines += backend.summarize(deployment, artifacts.get(Verification))
    lines += _managed_deployment_lines(artifacts)
    if manifests := artifacts.get(ManifestFiles):
        lines += [f"wrote {manifests.folder}/{name}" for name in manifests.files]
    return "\n".join(lines)


def _source_lines(response: PipelineResponse, artifacts: Artifacts) -> list[str]:
    lines: list[str] = []
    if (analysis := artifacts.get(Analysis)) and len(response.stages) == 1:
        lines += analysis_lines(analysis)
    if dockerfile := artifacts.get(Dockerfile):
        lines += dockerfile_lines(dockerfile, full=len(response.stages) <= 3)
    elif review := artifacts.get(DockerfileReview):
        lines += review_lines(review)
    return lines


def _image_lines(response: PipelineResponse, artifacts: Artifacts) -> list[str]:
    lines: list[str] = []
    if (image := artifacts.get(Image)) and any(stage.name == "build" for stage in response.stages):
        lines.append(image_line(image))
    if report := artifacts.get(ScanReport):
        lines += report_lines(report)
    if sbom := artifacts.get(Sbom):
        lines.append(f"SBOM by {sbom.made_by}: {sbom.components} components ({sbom_uri(response.id)})")
    if tagged := artifacts.get(TaggedImage):
        lines.append(f"tagged {tagged.image_id[:19]} as {tagged.reference}")
    if pushed := artifacts.get(PushedImage):
        lines.append(pushed_line(pushed))
    return lines


def analysis_lines(analysis: Analysis) -> list[str]:
    """Return the modules, the Dockerfile and the risks of a repository."""
    return [
        f"{len(analysis.modules)} modules in {analysis.root}",
        *(_module_line(module) for module in analysis.modules[:20]),
        f"Dockerfile: {analysis.dockerfile or 'none; write-dockerfile generates one'}",
        *(f"risk: {risk.message} ({risk.place or risk.kind})" for risk in analysis.risks[:10]),
        *([analysis.truncated] if analysis.truncated else []),
    ]


def _module_line(module: Module) -> str:
    facts = {
        "language": f"{module.language.value or '?'} {module.language_version.value or ''}".strip(),
        "framework": module.framework.value,
        "start": module.start_command.value,
        "port": module.port.value,
        "health": module.health_endpoint.value,
        "services": ", ".join(service.kind for service in module.services),
    }
    text = "; ".join(f"{name} {value}" for name, value in facts.items() if value)
    return f"- {module.path} ({module.role.value or 'unknown role'}): {text}"


def dockerfile_lines(dockerfile: Dockerfile, *, full: bool) -> list[str]:
    """Return a generated Dockerfile; with `full`, its text and the reasons of its decisions."""
    verb = "wrote" if dockerfile.written else "proposed (not written)"
    if not full:
        return [f"{verb} {dockerfile.path}"]
    reasons = [f"- {reason.decision}: {reason.rationale}" for reason in dockerfile.reasons[:15]]
    return [f"{verb} {dockerfile.path}:", dockerfile.content.rstrip()[:_DOCKERFILE_LIMIT], *reasons]


def review_lines(review: DockerfileReview) -> list[str]:
    """Return the problems of a Dockerfile with line and patch id."""
    linter = f"with hadolint {review.hadolint}" if review.hadolint else "without hadolint"
    return [
        f"{review.path}: {len(review.problems)} problems, {linter}, checksum {review.checksum}",
        *(
            f"- line {problem.line} {problem.severity} {problem.rule}: {problem.message}; {problem.rationale}"
            + (f" (patch {problem.id})" if problem.patch else "")
            for problem in review.problems[:40]
        ),
    ]


def image_line(image: Image) -> str:
    """Return one line about a built image."""
    ports = f", ports {', '.join(map(str, image.ports))}" if image.ports else ""
    cached = f", {image.cached_steps} of {image.steps} steps cached" if image.steps else ""
    received = f"; its Dockerfile received {', '.join(image.secret_variables)}" if image.secret_variables else ""
    return f"built {image.reference} ({image.size / 1e6:.0f} MB{ports}{cached}) {image.id[:19]}{received}"


def pushed_line(pushed: PushedImage) -> str:
    """Return one line about a pushed image."""
    sent, existing = pushed.layers_pushed, pushed.layers_there_before
    layers = f"; {sent} layers pushed, {existing} already existed" if sent or existing else ""  # Podman has no counts
    return f"pushed {pushed.reference} as {pushed.pinned} (confirmed by the {pushed.confirmed_by}{layers})"


def _managed_deployment_lines(artifacts: Artifacts) -> list[str]:
    """Return the results of the toolset `deployments`."""
    lines: list[str] = []
    if listing := artifacts.get(Applications):
        applications = [line for application in listing.applications for line in _application_lines(application)]
        lines += applications or [f"nothing is deployed on {listing.target}"]
    if log := artifacts.get(ApplicationLog):
        lines += [f"{log.version}, last {len(log.lines)} lines:", *map(quoted, log.lines)]
    if rollback := artifacts.get(RollbackResult):
        replaced = f", replacing {rollback.replaced}" if rollback.replaced else ""
        lines.append(f"{rollback.version} ({rollback.image}) is active again at {rollback.url}{replaced}")
    if control := artifacts.get(ControlResult):
        address = f" at {control.url}" if control.url else "; control-deployment with action=start serves it again"
        lines.append(f"{control.name}: {control.state}{address} (was {control.was})")
    if command := artifacts.get(CommandResult):
        lines += [f"exit code {command.exit_code} of {shlex.join(command.command)[:200]} in {command.version}"]
        lines += command.lines
    if removal := artifacts.get(RemovalResult):
        removed = ", ".join(removal.removed) or "nothing existed"
        kept = f"; kept {', '.join(removal.kept)}" if removal.kept else ""
        lines.append(f"removed {removal.name}: {removed}{kept}")
    return lines


def _application_lines(application: Application) -> list[str]:
    url = f" at {application.url}" if application.url else ""
    return [
        f"{application.name}: {application.state}{url}",
        *(
            f"- {version.version} ({version.image}) {version.state}, created {version.created}"
            for version in application.versions
        ),
    ]
