"""Transfer of a folder over a session: all entries first, then the content of files that the engine does not have.

The protocol is fsutil's (github.com/tonistiigi/fsutil, `send.go`): STAT packets in walk order with an empty one at the
end. The engine requests new and changed files by number (REQ). DATA packets follow; an empty one ends a file. FIN ends
the transfer.
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
from container_kit.stages.build.context.symlinks import follow_links
from container_kit.stages.formats.dockerignore import DockerIgnore
from container_kit.stages.host import paths
from container_kit.stages.host.xattrs import read_xattrs

if TYPE_CHECKING:
    from grpclib.server import Stream

_BATCH = 1 << 17
_PIECE = 1 << 16

# In Go's os.FileMode, the type and the special bits are the highest bits.
_GO_DIRECTORY, _GO_SYMLINK = 1 << 31, 1 << 27
_GO_SPECIAL = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))


async def send_folder(stream: Stream[Any, Any], folders: Mapping[str, Path]) -> None:
    """Serve one DiffCopy call.

    Args:
        stream: The call. Its metadata names the folder and the patterns.
        folders: The folders that the engine may request.

    Raises:
        StageFailure: A file cannot be read.
        GRPCError: The folder does not exist.
    """
    from grpclib import GRPCError, Status

    name = (_values(stream, "dir-name") or ["context"])[0]
    root = folders.get(name)
    if root is None:
        raise GRPCError(Status.NOT_FOUND, f"no folder {name}")
    included = _values(stream, "include-patterns") + follow_links(root, _values(stream, "followpaths"))
    exclude = DockerIgnore.from_patterns(_values(stream, "exclude-patterns"))
    await stream.send_initial_metadata()
    await _Transfer(stream, root, exclude, DockerIgnore.from_patterns(included) if included else None).run()


def _values(stream: Stream[Any, Any], key: str) -> list[str]:
    metadata = stream.metadata
    if metadata is None:
        return []
    values = [str(value) for value in metadata.getall(key, [])]
    return [unquote_plus(value) for value in values] if metadata.getall(f"{key}-encoded", []) else values


class _Transfer:
    """The transfer of one folder.

    Packets are framed here and written in batches to grpclib's inner stream, because `send_message` costs 50 µs and a
    context may have 100,000 packets.
    """

    def __init__(
        self, stream: Stream[Any, Any], root: Path, exclude: DockerIgnore, include: DockerIgnore | None
    ) -> None:
        self._stream = stream
        self._root = root
        self._entries = walk(root, exclude, include)
        self._paths: list[str | None] = []
        """The files that the engine can request, by number; None for other entries."""
        self._requested: deque[int] = deque()
        self._finished = False
        self._changed = asyncio.Event()

    async def run(self) -> None:
        reading = asyncio.create_task(self._read())
        try:
            stats = self._stats()
            while batch := _batch(stats):
                await self._write(batch)
                await self._send_contents()  # the engine writes files during the walk
            while not self._finished:
                self._changed.clear()
                if not self._requested:
                    await self._changed.wait()
                await self._send_contents()
                if reading.done():
                    reading.result()
            await self._write(_batch(iter([protocol.Packet(type=protocol.PACKET_FIN).SerializeToString()])))
        finally:
            reading.cancel()

    async def _send_contents(self) -> None:
        contents = self._contents()
        while batch := _batch(contents):
            await self._write(batch)

    async def _read(self) -> None:
        try:
            async for packet in self._stream:
                if packet.type == protocol.PACKET_REQ:
                    self._requested.append(packet.id)
                elif packet.type in {protocol.PACKET_FIN, protocol.PACKET_ERR}:
                    break
                self._changed.set()
        finally:
            self._finished = True
            self._changed.set()

    async def _write(self, batch: bytes) -> None:
        await self._stream._stream.send_data(batch)
        await asyncio.sleep(0)  # process received packets

    def _stats(self) -> Iterator[bytes]:
        for entry in self._entries:
            regular = stat.S_ISREG(entry.stat.st_mode) and not entry.is_hard_link
            self._paths.append(entry.path if regular else None)
            yield protocol.Packet(type=protocol.PACKET_STAT, stat=_stat(entry)).SerializeToString()
        yield protocol.Packet(type=protocol.PACKET_STAT).SerializeToString()

    def _contents(self) -> Iterator[bytes]:
        while self._requested:
            number = self._requested.popleft()
            path = self._paths[number] if number < len(self._paths) else None
            if path is not None:
                for piece in _pieces(self._root, path):
                    yield protocol.Packet(type=protocol.PACKET_DATA, id=number, data=piece).SerializeToString()
            yield protocol.Packet(type=protocol.PACKET_DATA, id=number).SerializeToString()


def _batch(packets: Iterator[bytes]) -> bytes:
    """Frame packets for one write, each with the length prefix of gRPC; empty if no packets are left."""
    batch = bytearray()
    for packet in packets:
        batch += struct.pack(">BI", 0, len(packet)) + packet
        if len(batch) >= _BATCH:
            break
    return bytes(batch)


def _pieces(root: Path, path: str) -> Iterator[bytes]:
    """Read a file in pieces, with as few calls as possible, because there may be 100,000 files."""
    try:
        descriptor = os.open(paths.join(str(root), path), paths.READ)
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
    mode = paths.permission_bits(status.st_mode) & 0o777
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
    if xattrs := read_xattrs(entry.full):
        packet["xattrs"] = [{"key": name, "value": value} for name, value in xattrs.items()]
    return packet
