"""Ports of this machine: which are free, who holds one, and what a process listens on."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from container_kit.stages.deploy.local.container import PUBLIC, STAGING

_LISTEN = "0A"
_FIRST, _COUNT = 20000, 10000  # below the range that Linux takes for outgoing connections (32768 and up)


@dataclass(frozen=True, slots=True)
class Listener:
    """A TCP socket in state LISTEN (proc(5), /proc/net/tcp)."""

    port: int
    loopback: bool
    """True where only the same network namespace can reach it."""
    inode: str


def can_listen(address: str, port: int) -> bool:
    """Whether a listener could take a port; connections that linger do not matter."""
    with closing(socket.socket()) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError:
            return False
    return True


def is_free(port: int) -> bool:
    """Whether a port is free on both of our addresses."""
    return can_listen(PUBLIC, port) and can_listen(STAGING, port)


def free_port(app: str, taken: Iterable[int] = ()) -> int:
    """A free port for an application: the same one at each first deploy, unless it is taken."""
    start = zlib.crc32(app.encode())
    avoid = set(taken)
    ports = (_FIRST + (start + step) % _COUNT for step in range(_COUNT))
    return next(port for port in ports if port not in avoid and is_free(port))


def listeners(tables: Iterable[str]) -> list[Listener]:
    """What listens, by the rows of `/proc/net/tcp` and `/proc/net/tcp6`."""
    rows = (line.split() for table in tables for line in table.splitlines())
    return [_listener(row) for row in rows if len(row) > 9 and row[3] == _LISTEN]


def tables(pid: int | str = "self") -> list[str]:
    """The tables of TCP sockets in a process's network namespace; none where they cannot be seen from here."""
    found = []
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            found.append(Path(f"/proc/{pid}/net/{table}").read_text())
    return found


def tables_of(container: str, pid: int) -> list[str]:
    """The tables of a container's first process; none where the engine counts processes in another namespace than we.

    Args:
        container: Its whole id, which its control group bears.
        pid: The process by the engine's count.
    """
    with suppress(OSError):
        if pid and container in Path(f"/proc/{pid}/cgroup").read_text():
            return tables(pid)
    return []


def _listener(fields: list[str]) -> Listener:
    address, _, port = fields[1].partition(":")
    words = [int(address[at : at + 8], 16).to_bytes(4, "little") for at in range(0, len(address), 8)]
    ip = ip_address(b"".join(words))
    mapped = getattr(ip, "ipv4_mapped", None)
    loopback = mapped.is_loopback if isinstance(mapped, IPv4Address) else ip.is_loopback
    return Listener(int(port, 16), loopback, fields[9])


def holder(port: int) -> str | None:
    """The process of this machine that listens on a port, as `name (process 123)`, where we may see it."""
    inodes = {f"socket:[{one.inode}]" for one in listeners(tables()) if one.port == port}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(link.readlink()) in inodes for link in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return None
