"""The stage that turns a source tree into an image."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread

from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.artifacts.image import BuildOptions, Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import buildx, credentials, failures, images, inputs
from container_kit.stages.build import dockerfile as dockerfiles
from container_kit.stages.build import select_builder as choice
from container_kit.stages.build.buildkit.progress import BuildLog
from container_kit.stages.build.buildkit.session import SessionRefused
from container_kit.stages.build.context import build_context as context
from container_kit.stages.build.engine_builders import Builder, BuildRequest, EngineRefused
from container_kit.stages.build.inputs import Inputs
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.docker import tag_journal as replaced
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.labels import SOURCE
from container_kit.stages.docker.tag_journal import TagMove

_CLEANED_WITHIN = 10.0


class BuildImage(Stage[Image]):
    """Build an image from a source tree."""

    name = "build"
    faults = (
        *PATH_FAULTS,
        *ENGINE_FAULTS,
        *inputs.FAULTS,
        *dockerfiles.FAULTS,
        *context.FAULTS,
        *buildx.FAULTS,
        *choice.FAULTS,
        *failures.FAULTS,
    )

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._engine = engine or DockerEngine()

    async def validate(
        self,
        ctx: StageContext,
        source: Source,
        options: BuildOptions = BuildOptions(),  # noqa: B008 (frozen)
        dockerfile: Dockerfile | None = None,
    ) -> None:
        """Check the source, the options, the Dockerfile's syntax, the secrets, and that the engine is there."""
        await anyio.to_thread.run_sync(inputs.read, ctx, source, options, dockerfile)
        await self._engine.ping()

    async def execute(
        self,
        ctx: StageContext,
        source: Source,
        options: BuildOptions = BuildOptions(),  # noqa: B008 (frozen)
        dockerfile: Dockerfile | None = None,
    ) -> Image:
        """Build and tag the image.

        Raises:
            StageFailure: One of `faults`.
        """
        read = await anyio.to_thread.run_sync(inputs.read, ctx, source, options, dockerfile)
        began = time.monotonic()
        try:
            return await self._build(ctx, options, read, began)
        except StageFailure as failure:
            raise StageFailure(_redacted(failure.fault, read.redact)) from failure

    async def _build(self, ctx: StageContext, options: BuildOptions, read: Inputs, began: float) -> Image:
        about = await self._engine.ping()
        before = await self._engine.call(lambda api: images.id_of(api, read.reference))
        before = replaced.note(ctx.run_id, TagMove(self._engine.host, read.reference, before)).image
        relay = _Relay(ctx, read)
        built = ""
        try:
            builder, log = await self._run(ctx, options, read, about, relay)
            if log.error is not None:
                raise failures.explain(log, read)
            if log.image_id is None:
                raise self._engine.lost(ConnectionResetError("the engine's answer ended before the build did"))
            built = log.image_id
        finally:
            if not built:
                await self._clean(ctx, read, before)
        facts = await self._engine.call(lambda api: images.describe(api, built))
        steps = log.instructions
        return Image(
            reference=read.reference,
            **facts,
            steps=len(steps),
            cached_steps=sum(1 for step in steps if step.cached),
            seconds=round(time.monotonic() - began, 3),
            builder=builder.name,
            source=str(read.root),
            previous_id=before,
        )

    async def _run(
        self, ctx: StageContext, options: BuildOptions, read: Inputs, about: Mapping[str, str], relay: _Relay
    ) -> tuple[Builder, BuildLog]:
        with read.dockerfile_folder() as (folder, name):
            request = BuildRequest(
                context=read.context,
                dockerfile_folder=folder,
                dockerfile_name=name,
                dockerfile=read.content,
                ignore=read.ignore,
                tag=read.reference,
                target=options.target,
                build_args=options.build_args,
                labels={SOURCE: str(read.root)},
                secrets=read.secrets,
                credentials=credentials.for_registry,
                no_cache=options.no_cache,
                platforms=options.platforms,
                builder=options.builder,
                cache_from=options.cache_from,
                cache_to=options.cache_to,
            )
            builder = choice.choose(self._engine.endpoint, request, about)
            try:
                return builder, await self._run_builder(builder, relay)
            except SessionRefused as refused:
                ctx.log.info("no BuildKit session, sending the whole context", reason=str(refused))
                builder = choice.without_session(self._engine.endpoint, request)
                return builder, await self._run_builder(builder, relay)

    async def _run_builder(self, builder: Builder, relay: _Relay) -> BuildLog:
        log = BuildLog(relay.progress, relay.output)
        try:
            await self._engine.stream(lambda: relay.run(builder, log), builder.abort)
        except EngineRefused as refused:
            log.error = refused.message
        except OSError as error:
            raise self._engine.lost(error) from error
        log.close()
        relay.flush()
        return log

    async def _clean(self, ctx: StageContext, read: Inputs, before: str | None) -> None:
        """After a failure or a cancel: undo a tag that the engine set all the same, and forget the note."""
        source = str(read.root)
        with anyio.CancelScope(shield=True), anyio.move_on_after(_CLEANED_WITHIN), suppress(StageFailure):
            await self._engine.call(lambda api: images.untag_built(api, read.reference, source, before))
            replaced.forget(ctx.run_id, self._engine.host, read.reference)

    async def rollback(self, ctx: StageContext, made: Image) -> None:
        """Give the reference back to the image that it named before; remove the image that was made."""
        await self._engine.call(lambda api: images.restore(api, made.reference, made.id, made.previous_id))
        replaced.forget(ctx.run_id, self._engine.host, made.reference)

    async def preview(
        self,
        ctx: StageContext,
        source: Source,
        options: BuildOptions = BuildOptions(),  # noqa: B008 (frozen)
        dockerfile: Dockerfile | None = None,
    ) -> Preview[Image]:
        """Say what would be built."""
        read = await anyio.to_thread.run_sync(inputs.read, ctx, source, options, dockerfile)
        return Preview((f"build {read.reference} from {read.context}",), images.foretold(read, options))


class _Relay:
    """Carries progress and output from the builder's thread to the run's event loop, a batch for each record."""

    def __init__(self, ctx: StageContext, read: Inputs) -> None:
        self._ctx = ctx
        self._redact = read.redact
        self._waiting: list[tuple[str, float | None] | str] = []

    def run(self, builder: Builder, log: BuildLog) -> None:
        """Run a build in this thread."""

        def trace(data: bytes) -> Any:
            from container_kit.stages.build.buildkit.messages import StatusResponse

            return StatusResponse.FromString(data)

        def take(record: dict[str, Any]) -> None:
            log.take(record, trace)
            if self._waiting:
                anyio.from_thread.run_sync(self.flush)

        builder.run(take)

    def progress(self, message: str, fraction: float | None) -> None:
        self._waiting.append((message, fraction))

    def output(self, line: str) -> None:
        self._waiting.append(line)

    def flush(self) -> None:
        """Tell what is waiting; on the event loop."""
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            if isinstance(item, str):
                self._ctx.output(self._clean(item))
            else:
                self._ctx.progress(self._clean(item[0]), item[1])

    def _clean(self, text: str) -> str:
        return self._ctx.redact(self._redact(text))


def _redacted(fault: Fault, clean: Redactor) -> Fault:
    """Take the build's secrets out of a fault."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, str):
            return clean(value)
        if isinstance(value, dict):
            return {name: cleaned(one) for name, one in value.items()}
        return [cleaned(one) for one in value] if isinstance(value, list | tuple) else value

    return Fault.model_validate(cleaned(fault.model_dump()))
