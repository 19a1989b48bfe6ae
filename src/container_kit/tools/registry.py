"""The built-in tools, and which of them a server exposes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from container_kit.stages.contract.fault import ConfigurationError
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin.analyze import ANALYZE
from container_kit.tools.builtin.build import BUILD
from container_kit.tools.builtin.cancel_run import CANCEL_RUN
from container_kit.tools.builtin.control_deployment import CONTROL_DEPLOYMENT
from container_kit.tools.builtin.deploy import DEPLOY
from container_kit.tools.builtin.deploy_kubernetes import DEPLOY_KUBERNETES
from container_kit.tools.builtin.deployment_logs import DEPLOYMENT_LOGS
from container_kit.tools.builtin.exec_deployment import EXEC_DEPLOYMENT
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

ALL: tuple[Tool, ...] = (
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
    LIST_DEPLOYMENTS,
    DEPLOYMENT_LOGS,
    VERIFY,
    ROLLBACK_DEPLOYMENT,
    REMOVE_DEPLOYMENT,
    CONTROL_DEPLOYMENT,
    EXEC_DEPLOYMENT,
    DEPLOY_KUBERNETES,
    VERIFY_KUBERNETES,
    WRITE_MANIFESTS,
    LIST_RUNS,
    GET_RUN,
    RETRY_RUN,
    CANCEL_RUN,
    ROLLBACK_RUN,
)
"""All built-in tools. Clients list them in this order, so the most general one comes first."""
DEFAULT_TOOLSETS = ("build", "scan", "deploy", "deployments", "runs", "custom")
"""The toolsets of a server whose settings select nothing."""


@dataclass(frozen=True, slots=True)
class ToolSelection:
    """The operator's selection of tools."""

    toolsets: Sequence[str] = ()
    """Names of toolsets, `default` or `all`. If `tools` is empty too, the default toolsets apply."""
    tools: Sequence[str] = ()
    """Names of further tools, from any toolset."""
    exclude_tools: Sequence[str] = ()
    read_only: bool = False
    """Only tools that change nothing. This overrides every other option."""
    disable_destructive: bool = False


def select_tools(tools: Sequence[Tool], selection: ToolSelection) -> tuple[Tool, ...]:
    """Return the selected tools in their order.

    Raises:
        ConfigurationError: The selection contains an unknown name, or selects no tool.
    """
    toolsets = {tool.toolset for tool in tools}
    _reject_unknown("toolset", selection.toolsets, toolsets | {"default", "all"})
    _reject_unknown("tool", (*selection.tools, *selection.exclude_tools), {tool.name for tool in tools})
    enabled = _enabled_toolsets(selection, toolsets)
    selected = tuple(tool for tool in tools if _is_selected(tool, selection, enabled))
    if not selected:
        raise ConfigurationError("the settings select no tool")
    return selected


def _enabled_toolsets(selection: ToolSelection, existing: set[str]) -> set[str]:
    enabled = set(selection.toolsets)
    if "all" in enabled:
        return existing
    if "default" in enabled or not (selection.toolsets or selection.tools):
        enabled |= set(DEFAULT_TOOLSETS)
    return enabled


def _is_selected(tool: Tool, selection: ToolSelection, toolsets: set[str]) -> bool:
    if tool.name in selection.exclude_tools:
        return False
    if selection.read_only and tool.effect != "read_only":
        return False
    if selection.disable_destructive and tool.effect == "destructive":
        return False
    return tool.toolset in toolsets or tool.name in selection.tools


def _reject_unknown(kind: str, names: Sequence[str], existing: set[str]) -> None:
    unknown = [name for name in names if name not in existing]
    if unknown:
        raise ConfigurationError(f"there is no {kind} {', '.join(unknown)}; choose from {', '.join(sorted(existing))}")


def instructions(tools: Mapping[str, Tool]) -> str:
    """Return the instructions of a server with these tools. They mention no other tools."""
    lines = ["Container Kit turns a repository into a healthy, scanned container on this machine."]
    lines += [line for name, line in _INSTRUCTIONS.items() if name in tools]
    if all(tool.effect == "read_only" for tool in tools.values()):
        lines.append("This server is read-only: no tool changes anything.")
    lines.append(
        "Failures are structured: code, evidence with file:line, hint and next_actions. Fix what the evidence names, "
        "then send the first next action unchanged. Every result has a run id; pass it as run to later tools."
    )
    return "\n".join(lines)


_INSTRUCTIONS = {
    ToolName.FULL_DEPLOYMENT: "To run a repository, call full-deployment with its path; other tools do single steps.",
    ToolName.ANALYZE: "To understand a repository first, call analyze.",
    ToolName.BUILD: "If a build fails, edit the file and line that the fault names, then build again.",
    ToolName.SCAN: "Scan findings come with the changes that remove most of them.",
    ToolName.DEPLOY: "Deploying under an existing name replaces that application once the new container is healthy.",
    ToolName.PUSH: "push uses the credentials of docker login; deploy the pinned reference that it returns.",
    ToolName.DEPLOY_KUBERNETES: "To deploy to a cluster, call deploy-kubernetes; a failed rollout names its cause.",
    ToolName.GET_RUN: "After a lost connection, list-runs and get-run show how a run ended.",
    ToolName.RETRY_RUN: "retry-run continues from the stage that failed instead of starting over.",
}
