"""The build context as a tar stream, for builders that receive it with the request."""

from __future__ import annotations

import io
import stat
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import cast

from container_kit.stages.build.context.build_context import ContextEntry, changed, unreadable
from container_kit.stages.host.paths import permission_bits

_CHUNK = 1 << 18


class _Sink(io.RawIOBase):
    """Collects written data and sends it in larger pieces."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._pending = bytearray()

    def write(self, data: object) -> int:
        piece = cast("bytes", data)
        self._pending += piece
        if len(self._pending) >= _CHUNK:
            self.flush()
        return len(piece)

    def flush(self) -> None:
        if self._pending:
            self._send(bytes(self._pending))
            self._pending.clear()


def write_tar(entries: Iterable[ContextEntry], extra: Mapping[str, str], send: Callable[[bytes], None]) -> None:
    """Write a context as a GNU tar with owner root and whole seconds. The engine fails on a leading PAX header.

    Args:
        entries: The content of the context.
        extra: Further text files, as paths mapped to contents. They replace entries with the same path.
        send: Receives the stream piece by piece.

    Raises:
        StageFailure: A file cannot be read, or changed in the meantime.
    """
    sink = _Sink(send)
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.GNU_FORMAT, bufsize=_CHUNK) as archive:
        for path, content in extra.items():
            _add_text(archive, path, content)
        for entry in entries:
            if entry.path not in extra:
                _add(archive, entry)
    sink.flush()


def _add_text(archive: tarfile.TarFile, path: str, content: str) -> None:
    data = content.encode()
    header = tarfile.TarInfo(path)
    header.size, header.mode = len(data), 0o644
    archive.addfile(header, io.BytesIO(data))


def _add(archive: tarfile.TarFile, entry: ContextEntry) -> None:
    header = tarfile.TarInfo(entry.path)
    header.mode = permission_bits(entry.stat.st_mode)
    header.mtime = int(entry.stat.st_mtime)
    header.linkname = entry.link
    if not stat.S_ISREG(entry.stat.st_mode) or entry.is_hard_link:
        header.type = _type(entry)
        archive.addfile(header)
        return
    header.size = entry.stat.st_size
    try:
        file = Path(entry.full).open("rb")  # noqa: SIM115 - closed below; only errors of opening are translated
    except FileNotFoundError as error:
        raise changed(entry.path) from error
    except OSError as error:
        raise unreadable(entry.path, error) from error
    with file:
        archive.addfile(header, _ExactReader(file, entry))


def _type(entry: ContextEntry) -> bytes:
    if entry.is_hard_link:
        return tarfile.LNKTYPE
    return tarfile.DIRTYPE if stat.S_ISDIR(entry.stat.st_mode) else tarfile.SYMTYPE


class _ExactReader(io.RawIOBase):
    """Reads a file and rejects one that shrank, because the header has its original size."""

    def __init__(self, file: io.BufferedReader, entry: ContextEntry) -> None:
        self._file = file
        self._entry = entry

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise changed(self._entry.path)
        return data
