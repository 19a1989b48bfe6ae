"""Finding the target that a run asks for among those that the operator configured."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from container_kit.stages.artifacts.target import Target, TargetKind, TargetSelector
from container_kit.stages.contract.fault import FaultCode, NextAction, StageFailure
from container_kit.stages.contract.stage import Stage, StageContext

TARGET_UNKNOWN = FaultCode(
    "target.not_found",
    means="No target of this name is configured.",
    hint="Name one that there is: {there}; container-kit.toml takes more under [targets.NAME].",
)
TARGET_KIND = FaultCode(
    "target.kind_unsupported",
    means="The target is of a kind that this pipeline does not deploy to.",
    hint="Name a target of kind {kind}: {there}.",
)

Targets = tuple[Target, ...]
LOCAL = Target()
HERE: tuple[TargetKind, ...] = ("local",)
CLUSTERS: tuple[TargetKind, ...] = ("kubernetes",)


def among(targets: Sequence[Target], name: str | None) -> Target:
    """The target of a name; the local engine is always there.

    Raises:
        StageFailure: `target.not_found`, with those there are as next actions.
    """
    known = {LOCAL.name: LOCAL, **{target.name: target for target in targets}}
    wanted = name or LOCAL.name
    if wanted not in known:
        raise TARGET_UNKNOWN(
            f"no target {wanted[:60]!r}",
            next_actions=[NextAction(why=f"{one} is configured", arguments={"deploy_to": one}) for one in known],
            there=", ".join(known),
        )
    return known[wanted]


class ChooseTarget(Stage[Target]):
    """Find the target that is asked for.

    Args:
        targets: Those that are configured.
        kinds: The kinds that the pipeline knows what to do with.
    """

    read_only = True
    faults = (TARGET_UNKNOWN, TARGET_KIND)

    def __init__(self, targets: Sequence[Target] = (), kinds: Collection[TargetKind] = HERE) -> None:
        self._targets = tuple(targets)
        self._kinds = kinds

    async def execute(self, ctx: StageContext, choice: TargetSelector) -> Target:
        """Look it up.

        Raises:
            StageFailure: One of `faults`.
        """
        if choice.deploy_to is None and LOCAL.kind not in self._kinds:
            return self._only()
        found = among(self._targets, choice.deploy_to)
        if found.kind not in self._kinds:
            raise self._unfit(f"{found.name} is of kind {found.kind}")
        return found

    def _only(self) -> Target:
        """The only cluster; where none is configured, the one that the kubeconfig or the caller names."""
        fitting = [one for one in self._targets if one.kind in self._kinds]
        if len(fitting) > 1:
            raise self._unfit("several targets would fit")
        return fitting[0] if fitting else Target(name="kubernetes", kind="kubernetes")

    def _unfit(self, message: str) -> StageFailure:
        fitting = dict.fromkeys(one.name for one in (LOCAL, *self._targets) if one.kind in self._kinds)
        there = ", ".join(fitting) or "none is configured"
        return TARGET_KIND(message, kind=" or ".join(self._kinds), there=there)
