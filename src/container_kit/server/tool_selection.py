"""The tools of this process: built-in and custom ones, as the settings select them."""

from __future__ import annotations

from collections.abc import Callable

from container_kit.pipelines.plan import Plan
from container_kit.server.settings import Settings
from container_kit.tools.custom import custom_tool, load_custom_pipelines, pipeline_finder
from container_kit.tools.registry import ALL, ToolSelection, select_tools
from container_kit.tools.tool import Tool


def configured_tools(settings: Settings) -> tuple[tuple[Tool, ...], Callable[[str], Plan]]:
    """Return the selected tools and a function that finds their pipelines.

    Raises:
        ConfigurationError: A name in the settings does not exist, or a custom pipeline cannot be loaded.
    """
    custom = load_custom_pipelines(settings.pipelines)
    selection = ToolSelection(
        toolsets=settings.toolsets,
        tools=settings.tools,
        exclude_tools=settings.exclude_tools,
        read_only=settings.read_only,
        disable_destructive=settings.disable_destructive,
    )
    tools = select_tools((*ALL, *map(custom_tool, custom)), selection)
    return tools, pipeline_finder(custom, settings.deployment_targets, settings.policy)
