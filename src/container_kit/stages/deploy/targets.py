"""Selection of the target of a run among the configured ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from container_kit.stages.artifacts.target import Target, TargetKind, TargetSelector
from container_kit.stages.contract.fault import FaultCode, NextAction, StageFailure
from container_kit.stages.contract.stage import Stage, StageContext

TARGET_NOT_FOUND = FaultCode(
    "target.not_found",
    means="No target of this name is configured, or several are and none was named.",
    hint="Name a configured target: {configured}; add more to container-kit.toml under [targets.NAME].",
)
KIND_UNSUPPORTED = FaultCode(
    "target.kind_unsupported",
    means="This pipeline does not deploy to targets of this kind.",
    hint="Name a target of kind {kind}: {configured}.",
)

Targets = tuple[Target, ...]
LOCAL = Target()
KINDS: tuple[TargetKind, ...] = (LOCAL.kind, "kubernetes")


def find_target(targets: Sequence[Target], name: str | None, kinds: Collection[TargetKind] = KINDS) -> Target:
    """Return the target of a name, or the default target. Without configured targets, that is the local engine.

    Args:
        targets: The configured targets. If there are any, nothing else can be deployed to.
        name: None for the default: the target `local`, else the only one that fits.
        kinds: The kinds that fit.

    Raises:
        StageFailure: `target.not_found`, with the configured targets as next actions, or `target.kind_unsupported`.
    """
    if name is None:
        return _default(targets, kinds)
    by_name = {target.name: target for target in targets or (LOCAL,)}
    if name not in by_name:
        raise _not_found(f"no target {name[:60]!r}", list(by_name.values()))
    target = by_name[name]
    if target.kind not in kinds:
        raise _unsupported(f"{target.name} is of kind {target.kind}", targets, kinds)
    return target


def _default(targets: Sequence[Target], kinds: Collection[TargetKind]) -> Target:
    if not targets:
        kind = next(iter(kinds))
        return LOCAL if LOCAL.kind in kinds else Target(name=kind, kind=kind, implicit=True)
    fitting = [target for target in targets if target.kind in kinds]
    local = [target for target in fitting if target.kind == LOCAL.kind]
    candidates = [target for target in local if target.name == LOCAL.name] or local or fitting
    if not candidates:
        raise _unsupported("no configured target fits", targets, kinds)
    if len(candidates) > 1:
        raise _not_found("several targets are configured, and none is named", candidates)
    return candidates[0]


def _not_found(message: str, candidates: Sequence[Target]) -> StageFailure:
    return TARGET_NOT_FOUND(
        message,
        next_actions=[
            NextAction(why=f"{target.name} is configured", arguments={"deploy_to": target.name})
            for target in candidates
        ],
        configured=", ".join(target.name for target in candidates),
    )


def _unsupported(message: str, targets: Sequence[Target], kinds: Collection[TargetKind]) -> StageFailure:
    matching = [target.name for target in targets or (LOCAL,) if target.kind in kinds]
    configured = ", ".join(matching) or "none is configured"
    return KIND_UNSUPPORTED(message, kind=" or ".join(kinds), configured=configured)


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
        return find_target(self._targets, selector.deploy_to, self._kinds)
