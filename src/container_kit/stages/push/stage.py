"""The stage that pushes an image to a registry."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import anyio
import anyio.to_thread

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.push import PushedImage, PushOptions
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.operator_policy import DEFAULT, OperatorPolicy
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.docker import credentials, images
from container_kit.stages.docker import engine as docker_engine
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.image_reference import (
    IMAGE_REFERENCE_INVALID,
    ImageReference,
    ImageReferenceError,
    read_repository,
)
from container_kit.stages.push import failures
from container_kit.stages.push.addresses import AddressRefused
from container_kit.stages.push.registry import (
    Registry,
    RegistryError,
    RegistryManifest,
    RegistryUnreachable,
    check_registry,
    is_insecure,
)
from container_kit.stages.push.undo import CANNOT_UNDO, undo
from container_kit.stages.push.upload import PushError, UploadResult, upload

if TYPE_CHECKING:
    from docker import APIClient

DIGEST_MISMATCH = FaultCode(
    "push.digest_mismatch",
    means="The tag in the registry names another manifest than the pushed one.",
    hint="Somebody else pushed {reference} at the same time, or a proxy changes manifests. Compare the digests in the "
    "evidence, then push again with another tag.",
)
NOT_CONFIRMED = FaultCode(
    "push.not_confirmed",
    means="The engine reports a successful push, but the registry does not confirm it.",
    hint="Push again: layers that {registry} has are not sent again, and the digest is read back again.",
    retryable=True,
)

_UNDO_TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class _Before:
    """The state before the push."""

    image_id: str
    digests: tuple[str, ...]
    """The image's `name@sha256:…` in the engine, from earlier pushes and pulls."""
    local_id: str | None
    """The id of the image that had the tag in the engine."""
    manifest: RegistryManifest | None
    """The manifest that the tag named in the registry."""
    reachable: bool
    """Whether this machine can reach the registry; otherwise only the engine may reach it."""


class PushImage(Stage[PushedImage]):
    """Push an image to a registry, and read its digest back.

    Args:
        engine: The engine that has the image. It sends the layers.
        policy: Names the registries that may be pushed to.
        for_cluster: A cluster will run the image. A rollback then deletes nothing from the registry, because pods may
            refer to the image.
    """

    faults: ClassVar[tuple[FaultCode, ...]] = (
        DIGEST_MISMATCH,
        NOT_CONFIRMED,
        CANNOT_UNDO,
        IMAGE_REFERENCE_INVALID,
        images.IMAGE_NOT_FOUND,
        *failures.FAULTS,
        *credentials.FAULTS,
        *docker_engine.FAULTS,
    )

    def __init__(self, engine: DockerEngine, policy: OperatorPolicy = DEFAULT, *, for_cluster: bool = False) -> None:
        self._engine = engine
        self._policy = policy
        self._for_cluster = for_cluster

    async def resolve(self, ctx: StageContext, options: PushOptions, image: Image) -> ImageReference:
        """Return the tag to push to. It defaults to the tag of the image.

        Raises:
            StageFailure: `image.reference_invalid`.
        """
        tag = options.tag
        if tag is None:
            with suppress(ImageReferenceError):  # an image id
                tag = ImageReference.parse(image.reference).tag
        return read_repository(options.repository, "latest" if tag is None else tag)

    async def validate(self, ctx: StageContext, reference: ImageReference) -> None:
        """Check the credentials, and that a reachable registry accepts them.

        Raises:
            StageFailure: `push.unauthorized`, `push.denied`, or a fault of the credentials.
        """
        registry = await self._registry(reference)
        try:
            with suppress(RegistryUnreachable):  # the engine may still reach it; the push will show
                await anyio.to_thread.run_sync(registry.check)
        except RegistryError as error:
            if error.status in {401, 403}:
                raise self._explain(str(error), registry) from error
        finally:
            registry.close()

    async def preview(self, ctx: StageContext, image: Image, reference: ImageReference) -> Preview[PushedImage]:
        """Return the destination. The digest is known only after a push."""
        await self._registry(reference)
        return Preview((f"push {image.reference} to {reference}",))

    async def execute(self, ctx: StageContext, image: Image, reference: ImageReference) -> PushedImage:
        """Tag, push, and compare the digest in the registry. A failed push is undone.

        Raises:
            StageFailure: One of `faults`.
        """
        started = time.monotonic()
        registry = await self._registry(reference)
        uploaded: UploadResult | None = None
        try:
            before = await self._before(registry, image)
            try:
                uploaded = await self._upload(ctx, registry, before)
                confirmed_by = await self._confirm(ctx, registry, uploaded, before)
            except BaseException:
                await self._undo_failed_push(registry, before, uploaded)
                raise
            return _pushed(registry.reference, before, uploaded, confirmed_by, time.monotonic() - started)
        finally:
            registry.close()

    async def rollback(self, ctx: StageContext, made: PushedImage) -> Sequence[str] | None:
        """Point the tag to its previous manifest again, or delete a new tag.

        Returns:
            The image that stays in the registry, if a cluster may run it.

        Raises:
            StageFailure: `push.cannot_undo` if the registry does not allow it, or the registry does not answer.
        """
        reference = ImageReference(made.registry, made.repository, made.tag)
        registry = await self._registry(reference)
        ctx.progress(f"removing {made.reference} from the registry")
        try:
            await anyio.to_thread.run_sync(partial(undo, registry, made, keep_manifest=self._for_cluster))
        except RegistryUnreachable as error:
            raise self._explain(str(error), registry) from error
        finally:
            registry.close()
        local_tag = made.local_tag
        if local_tag:
            await self._engine.call(
                lambda api: images.restore_tag(api, local_tag, made.image_id, None, keep_image=True)
            )
        return [f"{made.pinned} stays in the registry: pods may refer to it"] if self._for_cluster else None

    async def _registry(self, reference: ImageReference) -> Registry:
        """Return the client of a registry that may be pushed to.

        Raises:
            StageFailure: `push.registry_not_allowed`, or a fault of the credentials.
        """
        if not self._policy.allows_registry(reference.registry):
            raise self._not_allowed(reference, f"pushes to {reference.registry} are not allowed")
        try:
            await anyio.to_thread.run_sync(check_registry, reference.registry)
        except AddressRefused as refused:
            raise self._not_allowed(reference, str(refused)) from refused
        found = await credentials.find_credentials(reference.registry, reference.path)
        config: dict[str, Any] = await self._engine.call(lambda api: api.info().get("RegistryConfig") or {})
        return Registry(reference, found, is_insecure(reference, config))

    async def _before(self, registry: Registry, image: Image) -> _Before:
        details = await self._engine.call(lambda api: images.inspect(api, image.id or image.reference))
        if details is None:
            raise images.not_found(image.reference or image.id, self._engine.host)
        local_id = await self._engine.call(lambda api: images.image_id(api, str(registry.reference)))
        manifest, reachable = None, True
        try:
            manifest = await anyio.to_thread.run_sync(registry.head, registry.reference.tag or "")
        except RegistryUnreachable:
            reachable = False
        except RegistryError as error:
            if error.status == 401:
                raise self._explain(str(error), registry) from error
        return _Before(details["Id"], tuple(details.get("RepoDigests") or ()), local_id, manifest, reachable)

    async def _upload(self, ctx: StageContext, registry: Registry, before: _Before) -> UploadResult:
        await self._engine.call(lambda api: images.move_tag(api, registry.reference, before.image_id))
        ctx.progress(f"pushing {registry.reference}")

        def is_alive() -> bool:
            if not before.reachable:
                return True  # this machine cannot check it
            try:
                registry.check()
            except RegistryUnreachable:
                return False
            except RegistryError:
                return True
            return True

        try:
            return await upload(ctx, self._engine, registry.reference, registry.credentials.header, is_alive)
        except PushError as error:
            # Podman does not report layers: a registry that answered before and no longer does was lost.
            lost = error.started or not await anyio.to_thread.run_sync(is_alive)
            raise self._explain(str(error), registry, started=lost) from error

    async def _confirm(
        self, ctx: StageContext, registry: Registry, uploaded: UploadResult, before: _Before
    ) -> Literal["registry", "engine"]:
        """Read the digest of the tag from the registry, through the engine if this machine cannot reach it."""
        reference = registry.reference
        ctx.progress(f"reading the digest of {reference} back", 1.0)
        try:
            if before.reachable:
                manifest = await anyio.to_thread.run_sync(registry.head, reference.tag or "")
                digest = manifest.digest if manifest else None
            else:
                digest = await self._engine.call(lambda api: _digest_from_engine(api, registry))
        except (RegistryUnreachable, RegistryError) as error:
            raise _not_confirmed(reference, uploaded, str(error)) from error
        if digest is None:
            raise _not_confirmed(reference, uploaded, "the registry does not have the tag")
        if digest != uploaded.digest:
            raise DIGEST_MISMATCH(
                f"{reference} names {digest}, but {uploaded.digest} was pushed",
                evidence=[
                    Evidence(kind="value", text=f"pushed: {uploaded.digest}", where=self._engine.host),
                    Evidence(kind="value", text=f"in the registry: {digest}", where=reference.registry),
                ],
                reference=reference,
            )
        return "registry" if before.reachable else "engine"

    async def _undo_failed_push(self, registry: Registry, before: _Before, uploaded: UploadResult | None) -> None:
        """Undo a push that failed or was cancelled. If that fails too, only a superfluous tag stays."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(_UNDO_TIMEOUT):
            if uploaded is not None and before.reachable:
                pushed = _pushed(registry.reference, before, uploaded, "registry", 0.0)
                with suppress(StageFailure, RegistryUnreachable):
                    await anyio.to_thread.run_sync(undo, registry, pushed, abandon_on_cancel=True)
            tag = str(registry.reference)
            with suppress(StageFailure):
                await self._engine.call(
                    lambda api: images.restore_tag(api, tag, before.image_id, before.local_id, keep_image=True)
                )

    def _not_allowed(self, reference: ImageReference, message: str) -> StageFailure:
        allowed = ", ".join(self._policy.registries) or "every other one"
        action = NextAction(why=f"Push to a registry that is allowed: {allowed}")
        return failures.REGISTRY_NOT_ALLOWED(
            message, next_actions=[action], registry=reference.registry, allowed=allowed
        )

    def _explain(self, message: str, registry: Registry, *, started: bool = False) -> StageFailure:
        return failures.explain(message, registry.reference, registry.credentials, self._engine.host, started=started)


def _not_confirmed(reference: ImageReference, uploaded: UploadResult, reason: str) -> StageFailure:
    return NOT_CONFIRMED(
        f"{reference} was pushed as {uploaded.digest} and cannot be read back: {reason[:300]}",
        evidence=[Evidence(kind="http", text=reason[:1000], where=reference.registry)],
        registry=reference.registry,
    )


def _pushed(
    reference: ImageReference,
    before: _Before,
    uploaded: UploadResult,
    confirmed_by: Literal["registry", "engine"],
    seconds: float,
) -> PushedImage:
    previous = before.manifest.digest if before.manifest else None
    pinned = str(reference.with_digest(uploaded.digest))
    return PushedImage(
        reference=str(reference),
        pinned=pinned,
        registry=reference.registry,
        repository=reference.path,
        tag=reference.tag or "",
        digest=uploaded.digest,
        confirmed_by=confirmed_by,
        image_id=before.image_id,
        manifest_size=uploaded.manifest_size,
        layers_pushed=uploaded.pushed,
        layers_there_before=uploaded.existing,
        previous_digest=previous,
        was_there=pinned in before.digests or previous == uploaded.digest,
        local_tag=str(reference) if before.local_id is None else None,
        seconds=seconds,
    )


def _digest_from_engine(api: APIClient, registry: Registry) -> str | None:
    """Read the digest of the tag through the engine (Docker Engine API, /distribution)."""
    headers = {"X-Registry-Auth": registry.credentials.header}
    response = api.get(f"{api.base_url}/distribution/{registry.reference}/json", headers=headers, timeout=30)
    if response.status_code != 200:
        raise RegistryError(response.status_code, failures.without_body(response.text)[:300])
    return str(response.json()["Descriptor"]["digest"])
