"""The stage that builds an image from a source tree."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread

from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.artifacts.image import BuildOptions, Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import buildx, failures, inputs, select_builder
from container_kit.stages.build import secrets as build_secrets
from container_kit.stages.build.base_credentials import BaseCredentials
from container_kit.stages.build.buildkit.progress import BuildLog
from container_kit.stages.build.buildkit.session import SessionRefused
from container_kit.stages.build.context import build_context, secrets
from container_kit.stages.build.engine_builders import Builder, BuildRejected, BuildRequest
from container_kit.stages.build.failures.base import BASE_UNAUTHORIZED
from container_kit.stages.build.images import TAG_TAKEN, is_foreign, own_name, predict, untag_built
from container_kit.stages.build.inputs import Inputs
from container_kit.stages.contract.fault import Evidence, NextAction, StageFailure
from container_kit.stages.contract.operator_policy import DEFAULT, OperatorPolicy
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.docker import built_images, credentials, images, labels, tag_journal
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.tag_journal import TagMove

_CLEANUP_TIMEOUT = 10.0


class BuildImage(Stage[Image]):
    """Build an image from a source tree."""

    name = "build"
    faults = (
        *PATH_FAULTS,
        *ENGINE_FAULTS,
        *inputs.FAULTS,
        TAG_TAKEN,
        *build_context.FAULTS,
        secrets.SECRETS_IN_CONTEXT,
        *buildx.FAULTS,
        *select_builder.FAULTS,
        *failures.FAULTS,
        *credentials.FAULTS,
    )

    def __init__(self, engine: DockerEngine | None = None, policy: OperatorPolicy = DEFAULT) -> None:
        self._engine = engine or DockerEngine()
        self._policy = policy

    async def resolve(
        self,
        ctx: StageContext,
        source: Source,
        options: BuildOptions = BuildOptions(),  # noqa: B008 (frozen)
        dockerfile: Dockerfile | None = None,
    ) -> Inputs:
        """Read the Dockerfile, the ignore file and the secrets, and check them and the options.

        Raises:
            StageFailure: A fault of the source, the options, the Dockerfile's syntax or the secrets.
        """
        return await anyio.to_thread.run_sync(inputs.read_inputs, ctx, source, options, dockerfile, self._policy)

    async def validate(self, ctx: StageContext, read: Inputs) -> None:
        """Ping the engine."""
        await self._engine.ping()

    async def execute(
        self,
        ctx: StageContext,
        read: Inputs,
        options: BuildOptions = BuildOptions(),  # noqa: B008 (frozen)
    ) -> Image:
        """Build and tag the image.

        Raises:
            StageFailure: One of `faults`.
        """
        if not options.allow_secrets:
            await anyio.to_thread.run_sync(secrets.refuse_secrets, read, options.target)
        started = time.monotonic()
        received = _received(options)
        if received:
            ctx.progress(received)
        try:
            image = await self._build(ctx, options, read)
        except StageFailure as failure:
            evidence = [Evidence(kind="value", text=received)] if received else []
            fault = failure.fault.model_copy(update={"evidence": (*failure.fault.evidence, *evidence)})
            raise StageFailure(fault.redacted(read.redact)) from failure
        return image.model_copy(update={"seconds": round(time.monotonic() - started, 3)})

    async def _with_free_tag(self, options: BuildOptions, read: Inputs) -> Inputs:
        """Return the inputs with a tag that moves from no image but one that was built from this folder.

        Raises:
            StageFailure: `build.tag_taken`.
        """
        source = str(read.root)
        if options.replace_tag or not await self._engine.call(lambda api: is_foreign(api, read.reference, source)):
            return read
        free = own_name(read.reference, source)
        if options.tag is None:
            return replace(read, reference=free)
        action = NextAction(why="Build under a name that is free", arguments={"tag": free})
        message = f"{read.reference} names an image that was not built from {read.root}"
        raise TAG_TAKEN(message, next_actions=[action], tag=read.reference)

    async def _build(self, ctx: StageContext, options: BuildOptions, read: Inputs) -> Image:
        headers = await self._engine.ping()
        read = await self._with_free_tag(options, read)
        previous = await self._engine.call(lambda api: images.image_id(api, read.reference))
        previous = tag_journal.record(ctx.run_id, TagMove(self._engine.host, read.reference, previous)).image
        base_credentials = BaseCredentials(read.parsed)
        built = ""
        try:
            builder, log = await self._run(ctx, options, read, headers, base_credentials)
            if log.error is not None:
                raise _explain(log, read, base_credentials)
            if log.image_id is None:
                raise self._engine.connection_lost(ConnectionResetError("the response ended before the build did"))
            built = log.image_id
        finally:
            if not built:
                await self._clean_up(ctx, read, previous)
        details = await self._engine.call(lambda api: api.inspect_image(built))
        await anyio.to_thread.run_sync(built_images.record, str(details["Id"]), str(read.root))
        steps = log.instructions
        return images.describe(details, read.reference).model_copy(
            update={
                "steps": len(steps),
                "cached_steps": sum(1 for step in steps if step.cached),
                "builder": builder.name,
                "source": str(read.root),
                "previous_id": previous,
                "secret_variables": build_secrets.variables(options.secrets),
            }
        )

    async def _run(
        self,
        ctx: StageContext,
        options: BuildOptions,
        read: Inputs,
        headers: Mapping[str, str],
        base_credentials: BaseCredentials,
    ) -> tuple[Builder, BuildLog]:
        relay = _Relay(ctx, read)
        source = await anyio.to_thread.run_sync(built_images.source_digest, str(read.root))
        if names := labels.reserved(read.content):
            ctx.progress(f"labels that only Container Kit sets are emptied: {', '.join(names)[:200]}")
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
                labels=labels.of_image(source, read.content),
                secrets=read.secrets,
                find_credentials=base_credentials.find,
                base_credentials=tuple(await base_credentials.find_all()),
                no_cache=options.no_cache,
                platforms=options.platforms,
                builder=options.builder,
                cache_from=options.cache_from,
                cache_to=options.cache_to,
            )
            builder = select_builder.select_builder(self._engine.endpoint, request, headers)
            try:
                return builder, await self._run_builder(builder, relay)
            except SessionRefused as refused:
                ctx.log.info("no BuildKit session, sending the whole context", reason=str(refused))
                builder = select_builder.select_without_session(self._engine.endpoint, request)
                return builder, await self._run_builder(builder, relay)

    async def _run_builder(self, builder: Builder, relay: _Relay) -> BuildLog:
        log = BuildLog(relay.progress, relay.output)
        try:
            await self._engine.stream(lambda: relay.run(builder, log), builder.abort)
        except BuildRejected as rejected:
            log.error = rejected.message
        except OSError as error:
            raise self._engine.connection_lost(error) from error
        log.close()
        relay.flush()
        return log

    async def _clean_up(self, ctx: StageContext, read: Inputs, previous: str | None) -> None:
        """Undo a tag that the engine moved although the build failed or was cancelled, and drop its record."""
        source = str(read.root)
        with anyio.CancelScope(shield=True), anyio.move_on_after(_CLEANUP_TIMEOUT), suppress(StageFailure):
            await self._engine.call(lambda api: untag_built(api, read.reference, source, previous))
            tag_journal.drop(ctx.run_id, self._engine.host, read.reference)

    async def rollback(self, ctx: StageContext, made: Image) -> None:
        """Point the tag to the previous image again, and remove the built image."""
        if made.id:
            await self._engine.call(
                lambda api: images.restore_tag(api, made.reference, made.id, made.previous_id, keep_image=False)
            )
        tag_journal.drop(ctx.run_id, self._engine.host, made.reference)

    async def preview(
        self,
        ctx: StageContext,
        read: Inputs,
        options: BuildOptions = BuildOptions(),  # noqa: B008 (frozen)
    ) -> Preview[Image]:
        """Return the reference and the context of the build, and the predicted image."""
        received = _received(options)
        changes = (f"build {read.reference} from {read.context}", *((received,) if received else ()))
        return Preview(changes, predict(read, options))


def _received(options: BuildOptions) -> str:
    names = ", ".join(build_secrets.variables(options.secrets))
    return f"the Dockerfile receives these variables of the server: {names}" if names else ""


def _explain(log: BuildLog, read: Inputs, base_credentials: BaseCredentials) -> StageFailure:
    """Create the fault of a failed build. Unreadable credentials explain why a registry denied access."""
    failure = failures.explain(log, read)
    if failure.fault.code == BASE_UNAUTHORIZED and base_credentials.failure is not None:
        return base_credentials.failure
    return failure


class _Relay:
    """Passes progress and output from the builder's thread to the event loop of the run, one batch for each record."""

    def __init__(self, ctx: StageContext, read: Inputs) -> None:
        self._ctx = ctx
        self._redact = read.redact
        self._pending: list[tuple[str, float | None] | str] = []

    def run(self, builder: Builder, log: BuildLog) -> None:
        """Run a build in this thread."""

        def parse_trace(data: bytes) -> Any:
            from container_kit.stages.build.buildkit.messages import StatusResponse

            return StatusResponse.FromString(data)

        def on_record(record: dict[str, Any]) -> None:
            log.add_record(record, parse_trace)
            if self._pending:
                anyio.from_thread.run_sync(self.flush)

        builder.run(on_record)

    def progress(self, message: str, fraction: float | None) -> None:
        self._pending.append((message, fraction))

    def output(self, line: str) -> None:
        self._pending.append(line)

    def flush(self) -> None:
        """Emit the pending items. Call it on the event loop."""
        pending, self._pending = self._pending, []
        for item in pending:
            if isinstance(item, str):
                self._ctx.output(self._clean(item))
            else:
                self._ctx.progress(self._clean(item[0]), item[1])

    def _clean(self, text: str) -> str:
        return self._ctx.redact(self._redact(text))
