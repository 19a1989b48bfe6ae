"""Selection of the target of a run among the configured ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from container_kit.stages.artifacts.target import Target, TargetKind, TargetSelector
from container_kit.stages.contract.fault import FaultCode, NextAction, StageFailure
from container_kit.stages.contract.stage import Stage, StageContext

TARGET_NOT_FOUND = FaultCode(
    "target.not_found",
    means="No target of this name is configured.",
    hint="Name a configured target: {configured}; add more to container-kit.toml under [targets.NAME].",
)
KIND_UNSUPPORTED = FaultCode(
    "target.kind_unsupported",
    means="This pipeline does not deploy to targets of this kind.",
    hint="Name a target of kind {kind}: {configured}.",
)

Targets = tuple[Target, ...]
LOCAL = Target()


def find_target(targets: Sequence[Target], name: str | None) -> Target:
    """Return the target of a name; by default the local engine, which is always configured.

    Raises:
        StageFailure: `target.not_found`, with the configured targets as next actions.
    """
    by_name = {LOCAL.name: LOCAL, **{target.name: target for target in targets}}
    requested = name or LOCAL.name
    if requested not in by_name:
        raise TARGET_NOT_FOUND(
            f"no target {requested[:60]!r}",
            next_actions=[
                NextAction(why=f"{other} is configured", arguments={"deploy_to": other}) for other in by_name
            ],
            configured=", ".join(by_name),
        )
    return by_name[requested]


class ChooseTarget(Stage[Target]):
    """Find the requested target.

    Args:
        targets: The configured targets.
        kinds: The kinds that the pipeline deploys to.
    """

    read_only = True
    faults = (TARGET_NOT_FOUND, KIND_UNSUPPORTED)

    def __init__(self, targets: Sequence[Target] = (), kinds: Collection[TargetKind] = (LOCAL.kind,)) -> None:
        self._targets = tuple(targets)
        self._kinds = tuple(kinds)

    async def execute(self, ctx: StageContext, selector: TargetSelector) -> Target:
        """Look up the target.

        Raises:
            StageFailure: One of `faults`.
        """
        if selector.deploy_to is None and LOCAL.kind not in self._kinds:
            return self._default()
        target = find_target(self._targets, selector.deploy_to)
        if target.kind not in self._kinds:
            raise self._unsupported(f"{target.name} is of kind {target.kind}")
        return target

    def _default(self) -> Target:
        """Return the only configured target of the kinds; without one, an unrestricted target of the first kind."""
        matching = [target for target in self._targets if target.kind in self._kinds]
        if len(matching) > 1:
            raise self._unsupported("several targets match")
        kind = self._kinds[0]
        return matching[0] if matching else Target(name=kind, kind=kind)

    def _unsupported(self, message: str) -> StageFailure:
        matching = dict.fromkeys(target.name for target in (LOCAL, *self._targets) if target.kind in self._kinds)
        configured = ", ".join(matching) or "none is configured"
        return KIND_UNSUPPORTED(message, kind=" or ".join(self._kinds), configured=configured)
