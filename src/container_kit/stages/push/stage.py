"""The stage that pushes an image to a registry."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import anyio
import anyio.to_thread

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.push import PushedImage, PushOptions
from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.docker import credentials
from container_kit.stages.docker import engine as docker_engine
from container_kit.stages.docker import image_reference as reference
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.image_reference import Target, tag_of, target
from container_kit.stages.push import refusals
from container_kit.stages.push.refusals import IMAGE_NOT_FOUND, refusal
from container_kit.stages.push.registry import RegistryManifest, RegistryError, Registry, RegistryUnreachable, is_insecure
from container_kit.stages.push.undo import CANNOT_UNDO, undo
from container_kit.stages.push.upload import PushError, UploadResult, upload

if TYPE_CHECKING:
    from docker import APIClient

DIGEST_MISMATCH = FaultCode(
    "push.digest_mismatch",
    means="The tag in the registry names another manifest than the one that was pushed.",
    hint="Somebody else pushed {reference} at the same time, or a proxy changes manifests: compare the digests in the "
    "evidence, then push again under a tag of your own.",
)
NOT_CONFIRMED = FaultCode(
    "push.not_confirmed",
    means="The engine says that it pushed, and the registry does not confirm it.",
    hint="Push again: what {registry} already has is not sent again, and the digest is then read back once more.",
    retryable=True,
)

_UNDONE_WITHIN = 20.0


@dataclass(frozen=True, slots=True)
class _Before:
    """What was there before the push."""

    image_id: str
    digests: tuple[str, ...]
    """`name@sha256:…` by which the engine knows the image from earlier pushes and pulls."""
    local: str | None
    """The id of the image that bore the name in the engine."""
    tag: RegistryManifest | None
    """What the tag named in the registry."""
    reachable: bool
    """Whether the registry can be reached from here, and not from the engine alone."""


class PushImage(Stage[PushedImage]):
    """Push an image to a registry, and read its digest back.

    Args:
        engine: Where the image is; it is the one that sends the layers.
    """

    faults: ClassVar[tuple[FaultCode, ...]] = (
        DIGEST_MISMATCH,
        NOT_CONFIRMED,
        CANNOT_UNDO,
        reference.INVALID,
        *refusals.FAULTS,
        *credentials.FAULTS,
        *docker_engine.FAULTS,
    )

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def validate(self, ctx: StageContext, options: PushOptions, image: Image) -> None:
        """Check the name, the credentials, and that the registry takes them where it can be reached from here.

        Raises:
            StageFailure: `image.reference_invalid`, `push.unauthorized`, `push.denied` or one about credentials.
        """
        place = target(options.repository, options.tag or tag_of(image.reference))
        registry = await self._registry(place)
        try:
            with suppress(RegistryUnreachable):  # the engine may reach it all the same; the push itself will tell
                await anyio.to_thread.run_sync(registry.check)
        except RegistryError as error:
            if error.status in {401, 403}:
                raise self._refusal(str(error), registry) from error
        finally:
            registry.close()

    async def preview(self, ctx: StageContext, options: PushOptions, image: Image) -> Preview[PushedImage]:
        """Say where it would push; the digest is the registry's to tell."""
        place = target(options.repository, options.tag or tag_of(image.reference))
        return Preview((f"push {image.reference} to {place.reference}",))

    async def execute(self, ctx: StageContext, image: Image, options: PushOptions) -> PushedImage:
        """Tag, push, and compare what the registry then has. If it fails, the tag is taken back.

        Raises:
            StageFailure: One of `faults`; `retryable` where the same push may succeed later.
        """
        began = time.monotonic()
        place = target(options.repository, options.tag or tag_of(image.reference))
        registry = await self._registry(place)
        uploaded: UploadResult | None = None
        try:
            before = await self._before(registry, image)
            try:
                uploaded = await self._upload(ctx, registry, before)
                confirmed = await self._confirm(ctx, registry, uploaded, before)
            except BaseException:
                await self._take_back(registry, before, uploaded)
                raise
            return _pushed(place, before, uploaded, confirmed, time.monotonic() - began)
        finally:
            registry.close()

    async def rollback(self, ctx: StageContext, made: PushedImage) -> None:
        """Let the tag name again what it named before; remove it where it was free.

        Raises:
            StageFailure: `push.cannot_undo` where the registry does not allow it, or the registry does not answer.
        """
        registry = await self._registry(target(f"{made.registry}/{made.repository}", made.tag))
        ctx.progress(f"taking {made.reference} back from the registry")
        try:
            await anyio.to_thread.run_sync(undo, registry, made)
        except RegistryUnreachable as error:
            raise self._refusal(str(error), registry) from error
        finally:
            registry.close()
        if made.local_tag:
            await self._engine.call(lambda api: _untag(api, made.local_tag or "", made.image_id))

    async def _registry(self, place: Target) -> Registry:
        shown = await credentials.find(place.registry, place.path)
        known: dict[str, Any] = await self._engine.call(lambda api: api.info().get("RegistryConfig") or {})
        return Registry(place, shown, is_insecure(place.registry, known))

    async def _before(self, registry: Registry, image: Image) -> _Before:
        place = registry.target
        found = await self._engine.call(lambda api: _inspect(api, image.id or image.reference))
        if found is None:
            raise IMAGE_NOT_FOUND(
                f"the engine has no image {image.reference} {image.id}".rstrip(),
                image=image.reference,
                host=self._engine.host,
            )
        named = await self._engine.call(lambda api: _inspect(api, place.reference))
        tag, reachable = None, True
        try:
            tag = await anyio.to_thread.run_sync(registry.head, place.tag)
        except RegistryUnreachable:
            reachable = False
        except RegistryError as error:
            if error.status == 401:
                raise self._refusal(str(error), registry) from error
        return _Before(
            found["Id"], tuple(found.get("RepoDigests") or ()), named["Id"] if named else None, tag, reachable
        )

    async def _upload(self, ctx: StageContext, registry: Registry, before: _Before) -> UploadResult:
        place = registry.target
        await self._engine.call(lambda api: api.tag(before.image_id, place.name, place.tag, force=True))
        ctx.progress(f"pushing {place.reference}")

        def still_there() -> bool:
            if not before.reachable:
                return True  # it cannot be asked from here
            try:
                registry.check()
            except RegistryUnreachable:
                return False
            except RegistryError:
                return True
            return True

        try:
            return await upload(ctx, self._engine, place, registry.credentials.header, still_there)
        except PushError as error:
            # Podman does not tell of layers: a registry that answered before and does not now was lost on the way.
            lost = error.started or not await anyio.to_thread.run_sync(still_there)
            raise self._refusal(str(error), registry, started=lost) from error

    async def _confirm(
        self, ctx: StageContext, registry: Registry, uploaded: UploadResult, before: _Before
    ) -> Literal["registry", "engine"]:
        """Ask the registry what the tag names now; through the engine where it can be reached from there alone."""
        place = registry.target
        ctx.progress(f"reading the digest of {place.reference} back", 1.0)
        by: Literal["registry", "engine"] = "registry" if before.reachable else "engine"
        try:
            if before.reachable:
                found = await anyio.to_thread.run_sync(registry.head, place.tag)
                digest = found.digest if found else None
            else:
                digest = await self._engine.call(lambda api: _told_by_engine(api, registry))
        except (RegistryUnreachable, RegistryError) as error:
            raise self._not_confirmed(registry, uploaded, str(error)) from error
        if digest is None:
            raise self._not_confirmed(registry, uploaded, "the registry does not know the tag")
        if digest != uploaded.digest:
            raise DIGEST_MISMATCH(
                f"{place.reference} names {digest}, and {uploaded.digest} was pushed",
                evidence=[
                    Evidence(kind="value", text=f"pushed: {uploaded.digest}", where=self._engine.host),
                    Evidence(kind="value", text=f"in the registry: {digest}", where=place.registry),
                ],
                reference=place.reference,
            )
        return by

    def _not_confirmed(self, registry: Registry, uploaded: UploadResult, why: str) -> StageFailure:
        place = registry.target
        return NOT_CONFIRMED(
            f"{place.reference} was pushed as {uploaded.digest} and cannot be read back: {why[:300]}",
            evidence=[Evidence(kind="http", text=why[:1000], where=place.registry)],
            registry=place.registry,
        )

    async def _take_back(self, registry: Registry, before: _Before, uploaded: UploadResult | None) -> None:
        """Leave nothing of a push that failed or was cancelled; what cannot be undone now is only a tag too many."""
        place = registry.target
        with anyio.CancelScope(shield=True), anyio.move_on_after(_UNDONE_WITHIN):
            if uploaded is not None and before.reachable:
                made = _pushed(place, before, uploaded, "registry", 0.0)
                with suppress(StageFailure, RegistryUnreachable):
                    await anyio.to_thread.run_sync(undo, registry, made, abandon_on_cancel=True)
            with suppress(StageFailure):
                await self._engine.call(lambda api: _restore(api, place, before))

    def _refusal(self, said: str, registry: Registry, *, started: bool = False) -> StageFailure:
        return refusal(said, registry.target, registry.credentials, self._engine.host, started=started)


def _pushed(
    place: Target, before: _Before, uploaded: UploadResult, by: Literal["registry", "engine"], seconds: float
) -> PushedImage:
    previous = before.tag.digest if before.tag else None
    pinned = f"{place.name}@{uploaded.digest}"
    return PushedImage(
        reference=place.reference,
        pinned=pinned,
        registry=place.registry,
        repository=place.path,
        tag=place.tag,
        digest=uploaded.digest,
        confirmed_by=by,
        image_id=before.image_id,
        manifest_size=uploaded.manifest_size,
        layers_pushed=uploaded.pushed,
        layers_there_before=uploaded.there_before,
        previous_digest=previous,
        was_there=pinned in before.digests or previous == uploaded.digest,
        local_tag=place.reference if before.local is None else None,
        seconds=seconds,
    )


def _inspect(api: APIClient, name: str) -> dict[str, Any] | None:
    from docker.errors import ImageNotFound

    try:
        found: dict[str, Any] = api.inspect_image(name)
    except ImageNotFound:
        return None
    return found


def _told_by_engine(api: APIClient, registry: Registry) -> str | None:
    """What the engine hears from the registry (Docker Engine API, /distribution)."""
    headers = {"X-Registry-Auth": registry.credentials.header}
    answer = api.get(f"{api.base_url}/distribution/{registry.target.reference}/json", headers=headers, timeout=30)
    if answer.status_code != 200:
        raise RegistryError(answer.status_code, answer.text[:500])
    return str(answer.json()["Descriptor"]["digest"])


def _restore(api: APIClient, place: Target, before: _Before) -> None:
    """Give the local name back to the image that bore it, or take it away."""
    if before.local is None:
        _untag(api, place.reference, before.image_id)
    elif before.local != before.image_id:
        api.tag(before.local, place.name, place.tag, force=True)


def _untag(api: APIClient, reference: str, image_id: str) -> None:
    """Take a name from an image; the image itself stays where it has another name."""
    found = _inspect(api, reference)
    if found is None or found["Id"] != image_id:
        return
    if len(found.get("RepoTags") or ()) > 1:
        api.remove_image(reference, noprune=True)
