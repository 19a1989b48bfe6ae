"""Which tools are offered: the operator's choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from container_kit.stages.contract.fault import WiringError
from container_kit.tools.builtin.analyze import ANALYZE
from container_kit.tools.builtin.build import BUILD
from container_kit.tools.builtin.cancel_run import CANCEL_RUN
from container_kit.tools.builtin.deploy import DEPLOY
from container_kit.tools.builtin.deploy_kubernetes import DEPLOY_KUBERNETES
from container_kit.tools.builtin.deployment_logs import DEPLOYMENT_LOGS
from container_kit.tools.builtin.full_deployment import FULL_DEPLOYMENT
from container_kit.tools.builtin.get_run import GET_RUN
from container_kit.tools.builtin.list_deployments import LIST_DEPLOYMENTS
from container_kit.tools.builtin.list_runs import LIST_RUNS
from container_kit.tools.builtin.patch_dockerfile import PATCH_DOCKERFILE
from container_kit.tools.builtin.push import PUSH
from container_kit.tools.builtin.remove_deployment import REMOVE_DEPLOYMENT
from container_kit.tools.builtin.retry_run import RETRY_RUN
from container_kit.tools.builtin.review_dockerfile import REVIEW_DOCKERFILE
from container_kit.tools.builtin.rollback_deployment import ROLLBACK_DEPLOYMENT
from container_kit.tools.builtin.rollback_run import ROLLBACK_RUN
from container_kit.tools.builtin.scan import SCAN
from container_kit.tools.builtin.tag import TAG
from container_kit.tools.builtin.verify import VERIFY
from container_kit.tools.builtin.verify_kubernetes import VERIFY_KUBERNETES
from container_kit.tools.builtin.write_dockerfile import WRITE_DOCKERFILE
from container_kit.tools.builtin.write_manifests import WRITE_MANIFESTS
from container_kit.tools.tool import Tool

OPERATE: tuple[Tool, ...] = (LIST_DEPLOYMENTS, DEPLOYMENT_LOGS, VERIFY, ROLLBACK_DEPLOYMENT, REMOVE_DEPLOYMENT)
"""The tools that look after what was deployed."""
PIPELINES: tuple[Tool, ...] = (
    FULL_DEPLOYMENT,
    ANALYZE,
    WRITE_DOCKERFILE,
    REVIEW_DOCKERFILE,
    PATCH_DOCKERFILE,
    BUILD,
    SCAN,
    DEPLOY,
    TAG,
    PUSH,
    *OPERATE,
    DEPLOY_KUBERNETES,
    VERIFY_KUBERNETES,
    WRITE_MANIFESTS,
)
"""The tools that run a pipeline, the one for the main job first."""
RUNS: tuple[Tool, ...] = (LIST_RUNS, GET_RUN, RETRY_RUN, CANCEL_RUN, ROLLBACK_RUN)
ALL: tuple[Tool, ...] = (*PIPELINES, *RUNS)
"""All tools of this product."""
DEFAULT_TOOLSETS = ("build", "scan", "deploy", "runs", "custom")
"""What is offered where nothing is chosen; every other toolset is offered when it is named."""


@dataclass(frozen=True, slots=True)
class ToolSelection:
    """What an operator wants to be offered."""

    toolsets: Sequence[str] = ()
    """These toolsets, `default` or `all`; with `tools` empty too, the default ones."""
    tools: Sequence[str] = ()
    """These tools, whatever their toolset."""
    exclude_tools: Sequence[str] = ()
    read_only: bool = False
    """Only tools that change nothing, whatever else is chosen."""
    disable_destructive: bool = False


def chosen(offers: Sequence[Tool], choice: ToolSelection) -> tuple[Tool, ...]:
    """The tools of a choice, in their order.

    Raises:
        WiringError: A name is none, or nothing is left.
    """
    known = {offer.toolset for offer in offers}
    _refuse_unknown("toolset", choice.toolsets, known | {"default", "all"})
    names = {offer.name for offer in offers}
    _refuse_unknown("tool", (*choice.tools, *choice.exclude_tools), names)
    toolsets = _toolsets(choice, known)
    left = tuple(offer for offer in offers if _wanted(offer, choice, toolsets))
    if not left:
        raise WiringError("the choice of tools leaves none to offer")
    return left


def _toolsets(choice: ToolSelection, known: set[str]) -> set[str]:
    asked = set(choice.toolsets)
    if "all" in asked:
        return known
    if "default" in asked or not (choice.toolsets or choice.tools):
        asked |= set(DEFAULT_TOOLSETS)
    return asked


def _wanted(offer: Tool, choice: ToolSelection, toolsets: set[str]) -> bool:
    if offer.name in choice.exclude_tools:
        return False
    if choice.read_only and offer.effect != "read_only":
        return False
    if choice.disable_destructive and offer.effect == "destructive":
        return False
    return offer.toolset in toolsets or offer.name in choice.tools


def _refuse_unknown(kind: str, asked: Sequence[str], known: set[str]) -> None:
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise WiringError(f"no {kind} {', '.join(unknown)}; there are {', '.join(sorted(known))}")


def instructions(offered: Mapping[str, Tool]) -> str:
    """What an assistant is told of the tools that it has."""
    lines = ["Container Kit turns a repository into a healthy, scanned container on this machine."]
    lines += [line for name, line in _ADVICE if name in offered]
    if all(offer.effect == "read_only" for offer in offered.values()):
        lines.append("Only tools that change nothing are offered here.")
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
    ("push", "push sends an image to a registry with the credentials of docker login; deploy what it pinned."),
    (
        "deploy-kubernetes",
        "For a cluster call deploy-kubernetes; its failures name the cause with the cluster's own words.",
    ),
    ("get-run", "After a lost connection, list-runs and get-run tell how a run ended."),
    ("retry-run", "retry-run goes on from the failed stage instead of starting over."),
)
