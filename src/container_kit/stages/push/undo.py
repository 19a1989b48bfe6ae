"""Undoing a push: the tag names its previous manifest again, and a new manifest is deleted."""

from __future__ import annotations

from contextlib import suppress

from container_kit.stages.artifacts.push import PushedImage
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.push.registry import Registry, RegistryError

CANNOT_UNDO = FaultCode(
    "push.cannot_undo",
    means="The registry does not allow the pushed tag to be removed.",
    hint="Allow deletion at {registry} (for docker-registry `storage.delete.enabled`), or delete {reference} manually.",
)


_MAX_TAGS = 50


def undo(registry: Registry, pushed: PushedImage, *, keep_manifest: bool = False) -> None:
    """Undo a push. A tag that names another manifest by now is left alone.

    Args:
        registry: The registry.
        pushed: The result of the push.
        keep_manifest: Only point the tag to its previous manifest again; delete nothing.

    Raises:
        StageFailure: `push.cannot_undo`.
        RegistryUnreachable: The registry does not answer.
    """
    try:
        current = registry.head(pushed.tag)
        if current is None or current.digest != pushed.digest or pushed.previous_digest == pushed.digest:
            return
        previous = registry.get(pushed.previous_digest) if pushed.previous_digest else None
        if previous is not None:
            registry.put(pushed.tag, previous)
        if keep_manifest:
            return
        if previous is None:
            _delete_tag(registry, pushed)
        else:
            _delete_manifest(registry, pushed)
    except RegistryError as error:
        raise CANNOT_UNDO(
            f"{pushed.reference} stays in the registry: {error}",
            evidence=[Evidence(kind="http", text=str(error), where=pushed.registry)],
            registry=pushed.registry,
            reference=pushed.reference,
        ) from error


def _delete_tag(registry: Registry, pushed: PushedImage) -> None:
    """Delete a tag. If the registry can only delete manifests, delete the manifest unless another tag names it."""
    try:
        registry.delete(pushed.tag)
    except RegistryError:
        if not _is_exclusive(registry, pushed):
            raise
        registry.delete(pushed.digest)


def _delete_manifest(registry: Registry, pushed: PushedImage) -> None:
    """Delete a manifest that no tag names. If the registry refuses, the manifest only takes space."""
    with suppress(RegistryError):
        if _is_exclusive(registry, pushed):
            registry.delete(pushed.digest)


def _is_exclusive(registry: Registry, pushed: PushedImage) -> bool:
    """Return whether this push created the manifest and no other tag names it; False if there are too many tags."""
    if pushed.was_there:
        return False
    others = [tag for tag in registry.tags(_MAX_TAGS + 1) if tag != pushed.tag]
    if len(others) > _MAX_TAGS:
        return False
    manifests = (registry.head(tag) for tag in others)
    return all(manifest is None or manifest.digest != pushed.digest for manifest in manifests)
