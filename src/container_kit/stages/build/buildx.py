"""Building with the buildx plugin of the docker command line: other platforms, remote builders, cache export."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from container_kit.stages.build.engine_builders import BuildRequest, Take
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.redaction import looks_secret
from container_kit.stages.docker.endpoint import Endpoint

BUILDX_MISSING = FaultCode(
    "build.buildx_missing",
    means="Other platforms, a named builder or cache export need the buildx plugin of the docker command line.",
    hint="Install the plugin (Debian: docker-buildx; https://docs.docker.com/go/buildx), or leave out {options}.",
)
BUILDX_UNSUPPORTED = FaultCode(
    "build.buildx_unsupported",
    means="The builder that buildx uses cannot do what was asked, such as several platforms at once.",
    hint="Name another builder (`docker buildx create --driver docker-container`), or turn on the engine's containerd "
    "image store.",
)

FAULTS = (BUILDX_MISSING, BUILDX_UNSUPPORTED)

_STOPPED_WITHIN = 3.0


def find() -> list[str] | None:
    """The command that runs buildx, or None where it is not installed."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    probe = [docker, "buildx", "version"]
    found = subprocess.run(probe, capture_output=True, timeout=10, check=False)  # noqa: S603 (an argv of our own)
    return [docker, "buildx"] if found.returncode == 0 else None


class BuildxBuilder:
    """One build by buildx. What may be secret goes by file or environment, never by arguments that `ps` shows."""

    name = "buildx"

    def __init__(self, command: list[str], endpoint: Endpoint, request: BuildRequest) -> None:
        self._command = command
        self._endpoint = endpoint
        self._request = request
        self._process: subprocess.Popen[bytes] | None = None
        self._aborted = threading.Event()

    def run(self, take: Take) -> None:
        """As in `Builder`."""
        with tempfile.TemporaryDirectory(prefix="container-kit-") as folder:
            metadata = Path(folder) / "metadata.json"
            argv = [*self._command, *self._arguments(metadata), *self._secrets(Path(folder))]
            argv += ["--", str(self._request.context)]
            self._process = subprocess.Popen(argv, env=self._environment(), stderr=subprocess.PIPE)  # noqa: S603 (argv)
            if self._aborted.is_set():
                self.abort()
            with self._process as process:
                said = "".join(_records(process.stderr, take)) if process.stderr else ""
            if self._aborted.is_set():
                raise ConnectionAbortedError("the build was cancelled")
            if process.returncode != 0:
                take({"error": said.strip().removeprefix("ERROR: ") or f"buildx ended with {process.returncode}"})
            else:
                digest = (json.loads(metadata.read_text()) if metadata.exists() else {}).get(
                    "containerimage.config.digest"
                )
                take({"aux": {"ID": digest or self._request.tag}})  # older ones do not say it

    def abort(self) -> None:
        """As in `Builder`."""
        self._aborted.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOPPED_WITHIN)
                return
            process.kill()

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
        """Put the secrets into files of a private folder."""
        for number, (id_, value) in enumerate(self._request.secrets.items()):
            path = folder / f"secret-{number}"
            path.write_bytes(value)
            yield f"--secret=id={id_},src={path}"

    def _environment(self) -> dict[str, str]:
        # Only names that look secret: a caller's LD_PRELOAD or PATH would change the program itself.
        secret = {name: value for name, value in self._request.build_args.items() if looks_secret(name)}
        return {**os.environ, **secret, "DOCKER_HOST": self._endpoint.host}


def _records(stream: IO[bytes], take: Take) -> Iterator[str]:
    """Hand on the JSON records of a stream, whether on one line each or on many, and return what is none."""
    waiting, decoder = "", json.JSONDecoder()
    for line in stream:
        waiting += line.decode(errors="replace")
        if not waiting.startswith("{"):
            yield waiting
            waiting = ""
            continue
        with suppress(ValueError):  # not all of it is here yet
            record, end = decoder.raw_decode(waiting)
            waiting = waiting[end:].lstrip()
            take(_as_trace(record))
    yield waiting


def _as_trace(record: Mapping[str, Any]) -> dict[str, Any]:
    """Put a record of buildx into the form in which the engine's API tells the same."""
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
