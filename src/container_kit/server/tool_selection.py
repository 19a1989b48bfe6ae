"""What this process offers: the product's tools and a team's own, as the operator chose."""

from __future__ import annotations

from collections.abc import Callable

from container_kit.pipelines.plan import Plan
from container_kit.server.settings import Settings
from container_kit.tools.custom import finder, offer_of, own_pipelines
from container_kit.tools.registry import ALL, ToolSelection, chosen
from container_kit.tools.tool import Tool


def offers_of(settings: Settings) -> tuple[tuple[Tool, ...], Callable[[str], Plan]]:
    """The tools that are offered, and what finds their pipelines.

    Raises:
        WiringError: A name in the settings is none, or an own pipeline cannot be used.
    """
    own = own_pipelines(settings.pipelines)
    choice = ToolSelection(
        toolsets=settings.toolsets,
        tools=settings.tools,
        exclude_tools=settings.exclude_tools,
        read_only=settings.read_only,
        disable_destructive=settings.disable_destructive,
    )
    return chosen((*ALL, *map(offer_of, own)), choice), finder(own, settings.deployment_targets)
