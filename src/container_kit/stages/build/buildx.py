"""Builds with the buildx plugin of the docker command: other platforms, remote builders, cache export."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from container_kit.stages.build.engine_builders import BuildRequest, OnRecord
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.redaction import looks_secret
from container_kit.stages.docker.credentials import Credentials
from container_kit.stages.docker.endpoint import Endpoint, docker_configuration_folder

BUILDX_MISSING = FaultCode(
    "build.buildx_missing",
    means="Other platforms, a named builder and cache export need the buildx plugin of the docker command.",
    hint="Install the plugin (Debian: docker-buildx; https://docs.docker.com/go/buildx), or omit {options}.",
)
BUILDX_UNSUPPORTED = FaultCode(
    "build.buildx_unsupported",
    means="The buildx builder does not support a requested option, such as several platforms.",
    hint="Name another builder (`docker buildx create --driver docker-container`), or enable the engine's containerd "
    "image store.",
)

FAULTS = (BUILDX_MISSING, BUILDX_UNSUPPORTED)

_EXIT_TIMEOUT = 3.0


def find_buildx() -> list[str] | None:
    """Return the command that runs buildx; None if it is not installed."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    result = subprocess.run([docker, "buildx", "version"], capture_output=True, timeout=10, check=False)  # noqa: S603
    return [docker, "buildx"] if result.returncode == 0 else None


class BuildxBuilder:
    """One build with buildx. Secrets are passed in files or variables, because `ps` shows arguments."""

    name = "buildx"

    def __init__(self, command: list[str], endpoint: Endpoint, request: BuildRequest) -> None:
        self._command = command
        self._endpoint = endpoint
        self._request = request
        self._process: subprocess.Popen[bytes] | None = None
        self._aborted = threading.Event()

    def run(self, on_record: OnRecord) -> None:
        """Build as `Builder.run` does."""
        with tempfile.TemporaryDirectory(prefix="container-kit-") as name:
            folder = Path(name)
            metadata = folder / "metadata.json"
            argv = [*self._command, *self._arguments(metadata), *self._secrets(folder)]
            argv += ["--", str(self._request.context)]
            environment = self._environment(folder)
            self._process = subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE)  # noqa: S603 (an argv)
            if self._aborted.is_set():
                self.abort()
            with self._process as process:
                messages = "".join(_records(process.stderr, on_record)) if process.stderr else ""
            if self._aborted.is_set():
                raise ConnectionAbortedError("the build was cancelled")
            if process.returncode != 0:
                message = messages.strip().removeprefix("ERROR: ")
                on_record({"error": message or f"buildx exited with code {process.returncode}"})
            else:
                on_record({"aux": {"ID": self._image_id(metadata)}})

    def abort(self) -> None:
        """Stop the build."""
        self._aborted.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_EXIT_TIMEOUT)
                return
            process.kill()

    def _image_id(self, metadata: Path) -> str:
        """Read the id of the image; older versions of buildx do not write it, so the tag stands for it."""
        written = json.loads(metadata.read_text(encoding="utf-8")) if metadata.exists() else {}
        return str(written.get("containerimage.config.digest") or self._request.tag)

    def _arguments(self, metadata: Path) -> Iterator[str]:
        request = self._request
        yield from ("build", "--progress=rawjson", f"--metadata-file={metadata}", f"--tag={request.tag}")
        yield f"--file={request.dockerfile_folder / request.dockerfile_name}"
        if request.target:
            yield f"--target={request.target}"
        if request.no_cache:
            yield "--no-cache"
        if request.platforms:
            yield f"--platform={','.join(request.platforms)}"
        if request.builder:
            yield f"--builder={request.builder}"
        if len(request.platforms) < 2:
            yield "--load"
        yield from (f"--cache-from={place}" for place in request.cache_from)
        yield from (f"--cache-to={place}" for place in request.cache_to)
        yield from (f"--label={name}={value}" for name, value in request.labels.items())
        for name, value in request.build_args.items():
            yield f"--build-arg={name}" if looks_secret(name) else f"--build-arg={name}={value}"

    def _secrets(self, folder: Path) -> Iterator[str]:
        """Write the secrets to files in a private folder."""
        for number, (id_, value) in enumerate(self._request.secrets.items()):
            path = folder / f"secret-{number}"
            path.write_bytes(value)
            yield f"--secret=id={id_},src={path}"

    def _tls(self) -> dict[str, str]:
        """Return the variables of the TLS files of a Docker context, which DOCKER_HOST does not carry."""
        tls = self._endpoint.tls
        if tls is None or tls.ca is None:
            return {}
        return {"DOCKER_CERT_PATH": str(tls.ca.parent), "DOCKER_TLS_VERIFY": "1" if tls.verify else ""}

    def _environment(self, folder: Path) -> dict[str, str]:
        # Only arguments with secret names: an LD_PRELOAD or PATH of the caller would change the program itself.
        secret = {name: value for name, value in self._request.build_args.items() if looks_secret(name)}
        environment = {**os.environ, **secret, "DOCKER_HOST": self._endpoint.host, **self._tls()}
        if self._request.base_credentials:
            environment["DOCKER_CONFIG"] = str(docker_config_with(self._request.base_credentials, folder))
        return environment


def docker_config_with(credentials: Iterable[Credentials], folder: Path) -> Path:
    """Create a Docker configuration that has further credentials and is otherwise the user's.

    The docker command knows neither Podman's logins nor CONTAINER_KIT_REGISTRY. Its plugins, contexts and builders are
    linked, so that they work as usual.
    """
    original, config = docker_configuration_folder(), folder / "docker-config"
    config.mkdir(mode=0o700)
    for entry in original.iterdir() if original.is_dir() else ():
        if entry.name != "config.json":
            (config / entry.name).symlink_to(entry.resolve())
    settings: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        settings = json.loads((original / "config.json").read_text(encoding="utf-8"))
    auths = settings.setdefault("auths", {})
    for found in credentials:
        pair = base64.b64encode(f"{found.username}:{found.password}".encode()).decode()
        token = {"identitytoken": found.identity_token} if found.identity_token else {}
        auths[found.server_address] = {"auth": pair, **token}
        settings.get("credHelpers", {}).pop(found.server_address, None)
    settings.pop("credsStore", None)  # the docker command would ignore the `auths` of a configuration with a store
    (config / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    return config


def _records(stream: IO[bytes], on_record: OnRecord) -> Iterator[str]:
    """Pass on the JSON records of a stream, each on one line or on many, and yield the rest of the text."""
    pending, decoder = "", json.JSONDecoder()
    for line in stream:
        pending += line.decode(errors="replace")
        if not pending.startswith("{"):
            yield pending
            pending = ""
            continue
        with suppress(ValueError):  # the record is not complete yet
            record, end = decoder.raw_decode(pending)
            pending = pending[end:].lstrip()
            on_record(_as_trace(record))
    yield pending


def _as_trace(record: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a record of buildx to a record of the Engine API."""
    from container_kit.stages.build.buildkit.messages import StatusResponse

    vertexes = [
        {
            "digest": vertex["digest"],
            "name": vertex.get("name", ""),
            "cached": bool(vertex.get("cached")),
            "error": vertex.get("error", ""),
            **{moment: _timestamp(vertex[moment]) for moment in ("started", "completed") if vertex.get(moment)},
        }
        for vertex in record.get("vertexes") or ()
    ]
    logs = [
        {"vertex": log["vertex"], "message": base64.b64decode(log.get("data") or "")}
        for log in record.get("logs") or ()
    ]
    status = StatusResponse(vertexes=vertexes, logs=logs)
    return {"id": "moby.buildkit.trace", "aux": base64.b64encode(status.SerializeToString()).decode()}


def _timestamp(text: str) -> dict[str, int]:
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return {"seconds": seconds, "nanos": int(fraction[:9].ljust(9, "0")) if fraction.isdigit() else 0}
