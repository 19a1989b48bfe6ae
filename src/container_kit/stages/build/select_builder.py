"""Choosing how to build: from what the engine says of itself, and what was asked for."""

from __future__ import annotations

from collections.abc import Mapping

from container_kit.stages.build import buildx
from container_kit.stages.build.engine_builders import Builder, BuildRequest, SessionBuilder, TarBuilder
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.docker.endpoint import Endpoint

SECRETS_UNSUPPORTED = FaultCode(
    "build.secrets_unsupported",
    means="The engine builds without BuildKit sessions, so it cannot be given secrets or further authorities.",
    hint="Build on a Docker Engine (DOCKER_HOST), name a buildx builder, or do without `secrets` and `ca_file`.",
)
FAULTS = (SECRETS_UNSUPPORTED,)


def choose(endpoint: Endpoint, request: BuildRequest, engine: Mapping[str, str]) -> Builder:
    """Choose a builder.

    buildx where only it can do what was asked for; the classic builder on Podman and on engines that are not Linux;
    BuildKit with a session otherwise (`without_session` follows where that is refused).

    Args:
        endpoint: The engine.
        request: What is to be built.
        engine: The headers of its answer to a ping.

    Raises:
        StageFailure: `build.buildx_missing`, `build.secrets_unsupported`.
    """
    if wanted := _only_by_buildx(request):
        command = buildx.find()
        if command is None:
            raise buildx.BUILDX_MISSING(f"{wanted} needs docker buildx, which is not installed", options=wanted)
        return buildx.BuildxBuilder(command, endpoint, request)
    if "libpod-api-version" in engine or engine.get("ostype", "linux") != "linux":
        _refuse_secrets(request, "Podman's socket" if "libpod-api-version" in engine else "this engine")
        return TarBuilder(endpoint, request, buildkit=False)
    return SessionBuilder(endpoint, request)


def without_session(endpoint: Endpoint, request: BuildRequest) -> Builder:
    """The builder for an engine that refuses sessions.

    Raises:
        StageFailure: `build.secrets_unsupported`.
    """
    _refuse_secrets(request, "what answers at this address")
    return TarBuilder(endpoint, request, buildkit=True)


def _refuse_secrets(request: BuildRequest, who: str) -> None:
    if request.secrets:
        names = ", ".join(sorted(request.secrets))
        raise SECRETS_UNSUPPORTED(f"{who} offers no BuildKit session, by which secrets are given: {names}")


def _only_by_buildx(request: BuildRequest) -> str:
    """Name the options that only buildx understands."""
    wanted = {
        "platforms": len(request.platforms) > 1,
        "builder": request.builder,
        "cache_from": request.cache_from,
        "cache_to": request.cache_to,
    }
    return ", ".join(name for name, value in wanted.items() if value)
