"""Selection of the builder, from the engine's headers and the requested options."""

from __future__ import annotations

from collections.abc import Mapping

from container_kit.stages.build import buildx
from container_kit.stages.build.engine_builders import Builder, BuildRequest, SessionBuilder, TarBuilder
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.docker.endpoint import Endpoint

SECRETS_UNSUPPORTED = FaultCode(
    "build.secrets_unsupported",
    means="The engine builds without BuildKit sessions, so it cannot receive secrets or CA certificates.",
    hint="Build on a Docker Engine (DOCKER_HOST), name a buildx builder, or omit `secrets` and `ca_file`.",
)
FAULTS = (SECRETS_UNSUPPORTED,)


def select_builder(endpoint: Endpoint, request: BuildRequest, engine: Mapping[str, str]) -> Builder:
    """Select the builder of a request.

    buildx for options that only buildx supports; the classic builder on Podman and on engines that are not Linux;
    otherwise BuildKit with a session (if the engine refuses the session, use `select_without_session`).

    Args:
        endpoint: The engine.
        request: The build.
        engine: The headers of the engine's response to a ping.

    Raises:
        StageFailure: `build.buildx_missing`, `build.secrets_unsupported`.
    """
    if options := _buildx_options(request):
        command = buildx.find_buildx()
        if command is None:
            raise buildx.BUILDX_MISSING(f"{options} needs docker buildx, which is not installed", options=options)
        return buildx.BuildxBuilder(command, endpoint, request)
    is_podman = "libpod-api-version" in engine
    if is_podman or engine.get("ostype", "linux") != "linux":
        _reject_secrets(request, "Podman's socket" if is_podman else "this engine")
        return TarBuilder(endpoint, request, buildkit=False)
    return SessionBuilder(endpoint, request)


def select_without_session(endpoint: Endpoint, request: BuildRequest) -> Builder:
    """Select the builder for an engine that refuses sessions.

    Raises:
        StageFailure: `build.secrets_unsupported`.
    """
    _reject_secrets(request, "the server at this address")
    return TarBuilder(endpoint, request, buildkit=True)


def _reject_secrets(request: BuildRequest, engine: str) -> None:
    if request.secrets:
        names = ", ".join(sorted(request.secrets))
        raise SECRETS_UNSUPPORTED(f"{engine} offers no BuildKit session, which secrets require: {names}")


def _buildx_options(request: BuildRequest) -> str:
    """List the requested options that only buildx supports."""
    options = {
        "platforms": len(request.platforms) > 1,
        "builder": request.builder,
        "cache_from": request.cache_from,
        "cache_to": request.cache_to,
    }
    return ", ".join(name for name, value in options.items() if value)
