"""What the stage asks of a place where applications run."""

from __future__ import annotations

from typing import Protocol

from container_kit.stages.artifacts.deployment import Deployment
from container_kit.stages.contract import StageContext
from container_kit.stages.deploy.wish import Wish


class Target(Protocol):
    """A place where applications run. Each method raises `StageFailure` and nothing else."""

    async def check(self, wish: Wish) -> None:
        """Find out, changing nothing, whether the wish can be granted."""

    async def plan(self, wish: Wish) -> tuple[str, ...]:
        """Say what would change, a line for each."""

    async def apply(self, ctx: StageContext, wish: Wish) -> Deployment:
        """Run the version and let it serve once it has proved itself; on failure what served before serves still."""

    async def undo(self, ctx: StageContext, made: Deployment) -> None:
        """Go back to what a deployment replaced. Undone already, it stays undone."""
