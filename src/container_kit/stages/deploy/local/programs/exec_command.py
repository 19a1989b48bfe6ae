"""One-off commands in a running container, with a time limit and bounded output."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import IO

from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.docker.endpoint import EngineConnection
from container_kit.stages.docker.engine import DockerEngine

COMMAND_TIMEOUT = FaultCode(
    "deployment.command_timeout",
    means="A one-off command did not end within its time limit.",
    hint="Pass a higher limit in seconds (at most 600). The command may still run: control-deployment with "
    "action=restart ends it.",
)
NOT_RUNNING = FaultCode(
    "deployment.not_running",
    means="The application is stopped, so that no command can run in it.",
    hint="Start it with control-deployment and action=start, then send the call again.",
)
COMMAND_REFUSED = FaultCode(
    "deployment.command_not_found",
    means="The program of a one-off command cannot be started in the container.",
    hint="Name a program of the image. Images without a shell have neither sh nor its commands.",
)
FAULTS = (COMMAND_TIMEOUT, NOT_RUNNING, COMMAND_REFUSED)

_MAX_OUTPUT = 256 * 1024
_NOT_STARTED = (126, 127)
_HEADER = 8


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """The end of a command's output, and its exit code."""

    text: str
    exit_code: int


async def run_command(
    engine: DockerEngine, name: str, container: str, command: tuple[str, ...], seconds: float
) -> CommandOutput:
    """Run a command in a running container and wait for its end.

    Raises:
        StageFailure: One of `FAULTS`, or a fault of the engine.
    """
    execution: str = await engine.call(lambda api: api.exec_create(container, list(command))["Id"])
    connection = engine.connection(seconds)
    try:
        output = await engine.stream(lambda: _read(connection, execution), connection.abort)
    except TimeoutError as error:
        longer = NextAction(why="Allow more time.", arguments={"seconds": min(600.0, seconds * 2)})
        raise COMMAND_TIMEOUT(
            f"{command[0]} in {name} did not end within {seconds:g} s", next_actions=[longer]
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise engine.translate(error) from error
    code = await engine.call(lambda api: api.exec_inspect(execution)["ExitCode"])
    text = output.decode("utf-8", "replace")
    if code in _NOT_STARTED and "exec failed" in text:
        raise COMMAND_REFUSED(
            f"{command[0]!r} cannot be started in {name}", evidence=[Evidence(kind="value", text=text[-500:])]
        )
    return CommandOutput(text, int(code or 0))


def not_running(name: str) -> StageFailure:
    """Return the fault of a command for a stopped application."""
    return NOT_RUNNING(f"{name} is stopped")


def _read(connection: EngineConnection, execution: str) -> bytes:
    """Start the command, and return the end of its output."""
    try:
        body = json.dumps({"Detach": False, "Tty": False})
        headers = {"Content-Type": "application/json", "Connection": "Upgrade", "Upgrade": "tcp"}
        connection.request("POST", f"/exec/{execution}/start", body, headers)
        response = connection.getresponse()
        if response.status != http.client.SWITCHING_PROTOCOLS:
            return response.read(_MAX_OUTPUT)
        return _frames(response.fp)  # the frames follow the HTTP response
    finally:
        connection.close()


def _frames(stream: IO[bytes]) -> bytes:
    """Return the content of the engine's frames: a type, a size of four bytes, and the content."""
    output = bytearray()
    while len(header := stream.read(_HEADER)) == _HEADER:
        left = int.from_bytes(header[4:], "big")
        while left and (chunk := stream.read(min(left, 2**16))):
            left -= len(chunk)
            output += chunk
            del output[:-_MAX_OUTPUT]
    return bytes(output)
