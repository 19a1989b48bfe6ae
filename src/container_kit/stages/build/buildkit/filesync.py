"""Sending a folder over a session: all entries first, then the content of those that the engine does not have.

The protocol is that of fsutil (github.com/tonistiigi/fsutil, `send.go`): STAT packets in walking order, an empty one at
the end; the engine asks by number (REQ) for files that are new or changed; DATA packets, an empty one ends a file; FIN.
"""

from __future__ import annotations

import asyncio
import os
import stat
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from container_kit.stages.build.buildkit import messages as protocol
from container_kit.stages.build.context.build_context import ContextEntry, changed, unreadable, walk
from container_kit.stages.build.context.ignore import Patterns
from container_kit.stages.build.context.symlinks import follow

if TYPE_CHECKING:
    from grpclib.server import Stream

_BATCH = 1 << 17
_PIECE = 1 << 16

# os.FileMode of Go: the type and the special bits sit at the top
_GO_DIRECTORY, _GO_SYMLINK = 1 << 31, 1 << 27
_GO_SPECIAL = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))


async def send_folder(stream: Stream[Any, Any], folders: Mapping[str, Path]) -> None:
    """Answer one DiffCopy call.

    Args:
        stream: The call; its metadata names the folder and the patterns.
        folders: The folders that may be asked for.

    Raises:
        StageFailure: A file cannot be read.
        GRPCError: A folder that is not offered.
    """
    from grpclib import GRPCError, Status

    name = (_values(stream, "dir-name") or ["context"])[0]
    root = folders.get(name)
    if root is None:
        raise GRPCError(Status.NOT_FOUND, f"no folder {name}")
    included = _values(stream, "include-patterns") + follow(root, _values(stream, "followpaths"))
    exclude = Patterns.of(_values(stream, "exclude-patterns"))
    await stream.send_initial_metadata()
    await _Transfer(stream, root, exclude, Patterns.of(included) if included else None).run()


def _values(stream: Stream[Any, Any], key: str) -> list[str]:
    metadata = stream.metadata
    if metadata is None:
        return []
    values = [str(value) for value in metadata.getall(key, [])]
    return [unquote_plus(value) for value in values] if metadata.getall(f"{key}-encoded", []) else values


class _Transfer:
    """One folder on its way.

    Packets are framed here and written in batches to grpclib's inner stream: its `send_message` costs 50 µs each, and a
    context may have 100,000.
    """

    def __init__(self, stream: Stream[Any, Any], root: Path, exclude: Patterns, include: Patterns | None) -> None:
        self._stream = stream
        self._root = root
        self._entries = walk(root, exclude, include)
        self._paths: list[str | None] = []
        """By number, the files that can be asked for."""
        self._asked: deque[int] = deque()
        self._finished = False
        self._news = asyncio.Event()

    async def run(self) -> None:
        reading = asyncio.create_task(self._read())
        try:
            stats = self._stats()
            while batch := _batch(stats):
                await self._write(batch)
                await self._answer()  # the engine writes files while the walk goes on
            while not self._finished:
                self._news.clear()
                if not self._asked:
                    await self._news.wait()
                await self._answer()
                if reading.done():
                    reading.result()
            await self._write(_batch(iter([protocol.Packet(type=protocol.PACKET_FIN).SerializeToString()])))
        finally:
            reading.cancel()

    async def _answer(self) -> None:
        contents = self._contents()
        while batch := _batch(contents):
            await self._write(batch)

    async def _read(self) -> None:
        try:
            async for packet in self._stream:
                if packet.type == protocol.PACKET_REQ:
                    self._asked.append(packet.id)
                elif packet.type in {protocol.PACKET_FIN, protocol.PACKET_ERR}:
                    break
                self._news.set()
        finally:
            self._finished = True
            self._news.set()

    async def _write(self, batch: bytes) -> None:
        await self._stream._stream.send_data(batch)
        await asyncio.sleep(0)  # let what came in be read

    def _stats(self) -> Iterator[bytes]:
        for entry in self._entries:
            regular = stat.S_ISREG(entry.stat.st_mode) and not entry.is_hard_link
            self._paths.append(entry.path if regular else None)
            yield protocol.Packet(type=protocol.PACKET_STAT, stat=_stat(entry)).SerializeToString()
        yield protocol.Packet(type=protocol.PACKET_STAT).SerializeToString()

    def _contents(self) -> Iterator[bytes]:
        while self._asked:
            number = self._asked.popleft()
            path = self._paths[number] if number < len(self._paths) else None
            if path is not None:
                for piece in _pieces(self._root, path):
                    yield protocol.Packet(type=protocol.PACKET_DATA, id=number, data=piece).SerializeToString()
            yield protocol.Packet(type=protocol.PACKET_DATA, id=number).SerializeToString()


def _batch(packets: Iterator[bytes]) -> bytes:
    """Take packets worth one write, each behind the length prefix of gRPC; empty where there are none left."""
    batch = bytearray()
    for packet in packets:
        batch += struct.pack(">BI", 0, len(packet)) + packet
        if len(batch) >= _BATCH:
            break
    return bytes(batch)


def _pieces(root: Path, path: str) -> Iterator[bytes]:
    """Read a file in pieces, with as few calls as can be: there may be 100,000 files."""
    try:
        descriptor = os.open(f"{root}/{path}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            piece = os.read(descriptor, _PIECE)
            while piece:
                yield piece
                piece = os.read(descriptor, _PIECE) if len(piece) == _PIECE else b""  # a short read is the end
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise changed(path) from error
    except OSError as error:
        raise unreadable(path, error) from error


def _stat(entry: ContextEntry) -> dict[str, Any]:
    status = entry.stat
    mode = stat.S_IMODE(status.st_mode) & 0o777
    for bit, flag in _GO_SPECIAL:
        if status.st_mode & bit:
            mode |= flag
    if stat.S_ISDIR(status.st_mode):
        mode |= _GO_DIRECTORY
    elif stat.S_ISLNK(status.st_mode):
        mode |= _GO_SYMLINK
    regular = stat.S_ISREG(status.st_mode)
    packet: dict[str, Any] = {"path": entry.path, "mode": mode, "mod_time": status.st_mtime_ns}
    if regular and not entry.link:
        packet["size"] = status.st_size
    if entry.link:
        packet["linkname"] = entry.link
    if xattrs := _xattrs(entry.full):
        packet["xattrs"] = xattrs
    return packet


def _xattrs(full: str) -> list[dict[str, Any]]:
    """Read extended attributes; those of the kernel's own bookkeeping stay behind."""
    try:
        names = os.listxattr(full, follow_symlinks=False)
        kept = [name for name in names if not name.startswith(("system.", "security.selinux"))]
        return [{"key": name, "value": os.getxattr(full, name, follow_symlinks=False)} for name in kept]
    except OSError:
        return []  # a file system without them, or an attribute that only root may read
