"""Choosing how to build: from what the engine says of itself, and what was asked for."""

from __future__ import annotations

from collections.abc import Mapping

from container_kit.stages.build import buildx
from container_kit.stages.build.engine_build import Builder, BuildRequest, SessionBuilder, TarBuilder
from container_kit.stages.docker_endpoint import Endpoint


def choose(endpoint: Endpoint, request: BuildRequest, engine: Mapping[str, str]) -> Builder:
    """Choose a builder.

    buildx where only it can do what was asked for; the classic builder on Podman and on engines that are not Linux;
    BuildKit with a session otherwise (`without_session` follows where that is refused).

    Args:
        endpoint: The engine.
        request: What is to be built.
        engine: The headers of its answer to a ping.

    Raises:
        StageFailure: `build.buildx_missing`.
    """
    if wanted := _only_by_buildx(request):
        command = buildx.find()
        if command is None:
            raise buildx.BUILDX_MISSING(f"{wanted} needs docker buildx, which is not installed", options=wanted)
        return buildx.BuildxBuilder(command, endpoint, request)
    if "libpod-api-version" in engine or engine.get("ostype", "linux") != "linux":
        return TarBuilder(endpoint, request, buildkit=False)
    return SessionBuilder(endpoint, request)


def without_session(endpoint: Endpoint, request: BuildRequest) -> Builder:
    """The builder for an engine that refuses sessions."""
    return TarBuilder(endpoint, request, buildkit=True)


def _only_by_buildx(request: BuildRequest) -> str:
    """Name the options that only buildx understands."""
    wanted = {
        "platforms": len(request.platforms) > 1,
        "builder": request.builder,
        "cache_from": request.cache_from,
        "cache_to": request.cache_to,
    }
    return ", ".join(name for name, value in wanted.items() if value)
