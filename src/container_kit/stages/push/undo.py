"""Taking a push back: the tag names again what it named before, and what was not there goes."""

from __future__ import annotations

from contextlib import suppress

from container_kit.stages.artifacts.push import PushedImage
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.push.registry import RegistryError, Registry

CANNOT_UNDO = FaultCode(
    "push.cannot_undo",
    means="The registry does not let the pushed tag be taken back.",
    hint="Allow deletion at {registry} (for docker-registry `storage.delete.enabled`), or delete {reference} by hand.",
)


_MOST_TAGS = 50


def undo(registry: Registry, pushed: PushedImage) -> None:
    """Take a push back. Found undone, or moved on by somebody else, it is left as it is.

    Raises:
        StageFailure: `push.cannot_undo`.
        Unreachable: The registry does not answer.
    """
    try:
        now = registry.head(pushed.tag)
        if now is None or now.digest != pushed.digest or pushed.previous_digest == pushed.digest:
            return
        previous = registry.get(pushed.previous_digest) if pushed.previous_digest else None
        if previous is None:
            _remove(registry, pushed)
        else:
            registry.put(pushed.tag, previous)
            _remove_manifest(registry, pushed)
    except RegistryError as error:
        raise CANNOT_UNDO(
            f"{pushed.reference} stays in the registry: {error}",
            evidence=[Evidence(kind="http", text=str(error), where=pushed.registry)],
            registry=pushed.registry,
            reference=pushed.reference,
        ) from error


def _remove(registry: Registry, pushed: PushedImage) -> None:
    """Remove a tag. Registries that cannot delete a tag alone delete its manifest, if it is nobody else's."""
    try:
        registry.delete(pushed.tag)
    except RegistryError:
        if not _is_ours_alone(registry, pushed):
            raise
        registry.delete(pushed.digest)


def _remove_manifest(registry: Registry, pushed: PushedImage) -> None:
    """Remove what no tag names any more; where that is refused, it only takes room."""
    with suppress(RegistryError):
        if _is_ours_alone(registry, pushed):
            registry.delete(pushed.digest)


def _is_ours_alone(registry: Registry, pushed: PushedImage) -> bool:
    """Whether the manifest came with this push and no other tag names it; of too many tags it is not known."""
    if pushed.was_there:
        return False
    others = [tag for tag in registry.tags(_MOST_TAGS + 1) if tag != pushed.tag]
    if len(others) > _MOST_TAGS:
        return False
    found = (registry.head(tag) for tag in others)
    return all(manifest is None or manifest.digest != pushed.digest for manifest in found)
