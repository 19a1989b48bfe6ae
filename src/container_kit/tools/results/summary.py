"""What a run made, in a few lines, for clients and people that read only text."""

from __future__ import annotations

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.request import PipelineResponse
from container_kit.stages.artifacts.analysis import Analysis, Module
from container_kit.stages.artifacts.deployment import Verification
from container_kit.stages.artifacts.deployments import (
    Application,
    ApplicationLog,
    Applications,
    RemovalResult,
    RollbackResult,
)
from container_kit.stages.artifacts.dockerfile import Dockerfile, DockerfileReview
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.kubernetes import ManifestFiles
from container_kit.stages.artifacts.push import PushedImage, TaggedImage
from container_kit.stages.artifacts.scan import Sbom, ScanFinding, ScanReport
from container_kit.stages.deploy.registry import BACKENDS
from container_kit.tools.results.schema import sbom_uri

_DOCKERFILE_SHOWN = 6000


def summary(response: PipelineResponse) -> str:
    """The most telling lines about what a run made; where several artifacts were made, about the later ones.

    Nothing where it made none that is known here.
    """
    made = response.artifacts
    lines: list[str] = []
    if (analysis := made.get(Analysis)) and len(response.stages) == 1:
        lines += analysis_lines(analysis)
    dockerfile = made.get(Dockerfile)
    if (review := made.get(DockerfileReview)) and not dockerfile:
        lines += review_lines(review)
    if dockerfile:
        lines += dockerfile_lines(dockerfile, whole=len(response.stages) <= 3)
    if (image := made.get(Image)) and any(stage.name == "build" for stage in response.stages):
        lines.append(image_line(image))
    if report := made.get(ScanReport):
        lines += report_lines(report)
    if sbom := made.get(Sbom):
        lines.append(f"bill of materials by {sbom.made_by}: {sbom.components} components ({sbom_uri(response.id)})")
    if tagged := made.get(TaggedImage):
        lines.append(f"{tagged.reference} names {tagged.image_id[:19]}")
    if pushed := made.get(PushedImage):
        lines.append(pushed_line(pushed))
    lines += [*_deployment_lines(made), *operation_lines(made)]
    return "\n".join(lines)


def _deployment_lines(made: Artifacts) -> list[str]:
    """Describe deployments, in the words of their backend, and written manifests."""
    lines: list[str] = []
    for backend in BACKENDS.values():
        if deployment := made.get(backend.deployment):
            lines += backend.summarize(deployment, made.get(Verification))
    if files := made.get(ManifestFiles):
        lines += [f"wrote {files.folder}/{name}" for name in files.files]
    return lines


def analysis_lines(analysis: Analysis) -> list[str]:
    """The modules, the Dockerfile and the risks of a repository."""
    return [
        f"{len(analysis.modules)} modules in {analysis.root}",
        *(_module_line(module) for module in analysis.modules[:20]),
        f"Dockerfile: {analysis.dockerfile or 'none; write-dockerfile makes one'}",
        *(f"risk: {risk.message} ({risk.place or risk.kind})" for risk in analysis.risks[:10]),
        *([analysis.truncated] if analysis.truncated else []),
    ]


def dockerfile_lines(dockerfile: Dockerfile, *, whole: bool) -> list[str]:
    """A Dockerfile that was written or proposed, with its reasons where the whole is wanted."""
    verb = "wrote" if dockerfile.written else "proposes, not written,"
    if not whole:
        return [f"{verb} {dockerfile.path}"]
    reasons = [f"- {reason.decision}: {reason.rationale}" for reason in dockerfile.reasons[:15]]
    return [f"{verb} {dockerfile.path}:", dockerfile.content.rstrip()[:_DOCKERFILE_SHOWN], *reasons]


def review_lines(review: DockerfileReview) -> list[str]:
    """A review: each problem with its line, the patches by the ids that choose them, and whether hadolint looked."""
    looked = f"with hadolint {review.hadolint}" if review.hadolint else "hadolint did not look"
    return [
        f"{review.path}: {len(review.problems)} problems, {looked}, checksum {review.checksum}",
        *(
            f"- line {problem.line} {problem.severity} {problem.rule}: {problem.message}; {problem.rationale}"
            + (f" (patch {problem.id})" if problem.patch else "")
            for problem in review.problems[:40]
        ),
    ]


def image_line(image: Image) -> str:
    """One line about an image."""
    ports = f", ports {', '.join(map(str, image.ports))}" if image.ports else ""
    cached = f", {image.cached_steps} of {image.steps} steps cached" if image.steps else ""
    return f"built {image.reference} ({image.size / 1e6:.0f} MB{ports}{cached}) {image.id[:19]}"


def pushed_line(pushed: PushedImage) -> str:
    """One line about what a registry has now."""
    counts = pushed.layers_pushed, pushed.layers_there_before
    sent = f"; {counts[0]} layers sent, {counts[1]} were there" if any(counts) else ""  # Podman does not tell
    return f"pushed {pushed.reference} as {pushed.pinned} (confirmed by the {pushed.confirmed_by}{sent})"


def report_lines(report: ScanReport) -> list[str]:
    """A scan: its outcome, the worst findings, the best changes, and who could not look."""
    totals = ", ".join(f"{count} {severity}" for severity, count in report.totals.items() if count) or "none"
    why = f": {report.gate_reason}" if report.gate == "passed" and report.gate_reason else ""
    return [
        f"scan of {report.target}: {report.outcome}; findings: {totals}; gate {report.gate}{why}",
        *(f"- {found.severity} {found.id} {_subject(found)}: {found.title}" for found in report.findings[:10]),
        *(f"change: {c.change} ({c.where or c.kind}) removes {c.removes}" for c in report.changes[:5]),
        *_scanners_line(report),
    ]


def _subject(found: ScanFinding) -> str:
    """The package with what fixes it, and the line."""
    package = f"{found.package} {found.installed or ''}".rstrip() if found.package else ""
    fixed = f" → {found.fixed}" if found.fixed else ""
    place = f" ({found.where})" if found.package and found.where else found.where or found.path or ""
    return f"{package}{fixed}{place}"


def _scanners_line(report: ScanReport) -> list[str]:
    """Who could not look, in one line; how to get them is told where nobody could, and by the report itself."""
    absent = [run for run in report.scanners if run.outcome in ("unavailable", "stale")]
    names = ", ".join(f"{run.scanner} ({run.outcome})" for run in absent)
    if not absent:
        return []
    if len(absent) < len(report.scanners):
        return [f"did not look: {names}"]
    return [f"nothing was looked at, for no scanner could: {names}; {absent[0].detail}"]


def operation_lines(made: Artifacts) -> list[str]:
    """What was found or done by the tools that look after deployments."""
    lines: list[str] = []
    if found := made.get(Applications):
        lines += [line for application in found.applications for line in _application_lines(application)]
        lines = lines or [f"nothing is deployed on {found.target}"]
    if log := made.get(ApplicationLog):
        lines += [f"{log.version}, the last {len(log.lines)} lines:", *log.lines]
    if back := made.get(RollbackResult):
        instead = f" in the place of {back.replaced}" if back.replaced else ""
        lines.append(f"{back.version} ({back.image}) serves again at {back.url}{instead}")
    if removed := made.get(RemovalResult):
        gone = ", ".join(removed.removed) or "nothing was there"
        lines.append(f"removed {removed.name}: {gone}" + (f"; kept {', '.join(removed.kept)}" if removed.kept else ""))
    return lines


def _application_lines(application: Application) -> list[str]:
    head = f"{application.name}: {application.state}" + (f" at {application.url}" if application.url else "")
    return [head, *(f"- {one.version} ({one.image}) {one.state}, made {one.created}" for one in application.versions)]


def _module_line(module: Module) -> str:
    facts = {
        "language": f"{module.language.value or '?'} {module.language_version.value or ''}".strip(),
        "framework": module.framework.value,
        "start": module.start_command.value,
        "port": module.port.value,
        "health": module.health_endpoint.value,
        "needs": ", ".join(service.kind for service in module.services),
    }
    told = "; ".join(f"{name} {value}" for name, value in facts.items() if value)
    return f"- {module.path} ({module.role.value or 'unknown role'}): {told}"
