"""Which tools are offered."""

from __future__ import annotations

from collections.abc import Mapping

from container_kit.tools.analyze import ANALYZE
from container_kit.tools.build import BUILD
from container_kit.tools.deploy import DEPLOY
from container_kit.tools.full_deployment import FULL_DEPLOYMENT
from container_kit.tools.offer import Offer
from container_kit.tools.scan import SCAN
from container_kit.tools.write_dockerfile import WRITE_DOCKERFILE

ALL: tuple[Offer, ...] = (FULL_DEPLOYMENT, ANALYZE, WRITE_DOCKERFILE, BUILD, SCAN, DEPLOY)
"""The tools of this product, the one for the main job first."""


def instructions(offered: Mapping[str, Offer]) -> str:
    """What an assistant is told of the tools that it has."""
    lines = ["Container Kit turns a repository into a healthy, scanned container on this machine."]
    lines += [line for name, line in _ADVICE if name in offered]
    lines.append(
        "A failure is structured: code, evidence with file:line, hint and next_actions. Repair what the evidence "
        "names, then send the first next action as it stands. Every answer has a run id; later tools take it as run."
    )
    return "\n".join(lines)


_ADVICE = (
    ("full-deployment", "To run a repository, call full-deployment with its path; the other tools do single steps."),
    ("analyze", "To understand a repository first, call analyze."),
    ("build", "To repair a build: edit the file and line that the fault names, then build again."),
    ("scan", "Findings come with the changes that remove most of them."),
    ("deploy", "A deploy by the same name replaces the earlier one only once the new one is healthy."),
)
