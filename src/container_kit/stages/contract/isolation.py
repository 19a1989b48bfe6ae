"""Work on an untrusted source tree in a process with limits.

A parser or an expression that does not return holds the interpreter's lock. In a thread it would stop the whole
server, and a thread cannot be ended. A worker process is killed when its time is up or the call is cancelled. Workers
are kept for later calls; they start with the first call, because some clients start a server that they do not use.

A command line that runs one tool works in a thread: the process has nothing else to serve, its user can end it, and
starting a second process would take longer than most analyses.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple, TypeVar, TypeVarTuple, cast

import anyio
import anyio.to_process
import anyio.to_thread
from pydantic import BaseModel

from container_kit.stages.contract.fault import FaultCode, NextAction

LIMIT_EXCEEDED = FaultCode(
    "analyze.limit_exceeded",
    means="Reading the source tree took more time or memory than is allowed, and was stopped.",
    hint="A file of the tree is unusually expensive to read. Analyze the folder of one module instead.",
)
WALL_SECONDS = 50
"""Less than the time limit of the stages that use it."""
_CPU_SECONDS = 40
_MEMORY_BYTES = 4 * 1024**3
"""Address space, which is several times the memory in use."""

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class _Policy:
    use_workers = False


def use_workers() -> None:
    """Run all later work of this process in worker processes. A server calls it at its start."""
    _Policy.use_workers = True


async def run_isolated(function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """Run a function of a module on arguments that can be pickled, and return its result.

    Raises:
        StageFailure: It took more time or memory than is allowed, or is what the function raised.
    """
    if not _Policy.use_workers:
        return await anyio.to_thread.run_sync(function, *arguments, abandon_on_cancel=True)
    try:
        with anyio.fail_after(WALL_SECONDS):
            packed = await anyio.to_process.run_sync(_run_limited, function, _packed(arguments), cancellable=True)
            return cast("Result", _unpack(packed))
    except (TimeoutError, MemoryError, anyio.BrokenWorkerProcess) as error:
        raise LIMIT_EXCEEDED(
            f"reading the source tree was stopped: it exceeds {_CPU_SECONDS} s of CPU, {WALL_SECONDS} s or"
            f" {_MEMORY_BYTES // 1024**3} GiB of memory",
            next_actions=[NextAction(why="Make the same call for the folder of one module.")],
        ) from error


def _run_limited(function: Callable[..., object], arguments: tuple[object, ...]) -> object:
    _limit()
    return _pack(function(*cast("tuple[object, ...]", _unpack(arguments))))


class _Model(NamedTuple):
    """A model as JSON: classes of generic models cannot be pickled."""

    type: type[BaseModel]
    content: str


def _packed(arguments: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(map(_pack, arguments))


def _pack(value: object) -> object:
    if isinstance(value, BaseModel):
        return _Model(type(value), value.model_dump_json())
    return tuple(map(_pack, value)) if type(value) is tuple else value


def _unpack(value: object) -> object:
    if isinstance(value, _Model):
        return value.type.model_validate_json(value.content)
    return tuple(map(_unpack, value)) if type(value) is tuple else value


def _limit() -> None:
    """Set the limits of the worker for one call. Windows has none of them; there only the wall limit applies."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    cpu = int(used.ru_utime + used.ru_stime) + _CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (cpu if hard == resource.RLIM_INFINITY else min(cpu, hard), hard))
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        memory = _MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(_MEMORY_BYTES, hard)
        resource.setrlimit(resource.RLIMIT_AS, (memory, hard))
