"""TCP ports of this machine: free ports, the holder of a port, and the ports that a process listens on."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from container_kit.stages.deploy.local.container import PUBLIC_ADDRESS, STAGING_ADDRESS

_LISTEN = "0A"
_FIRST, _COUNT = 20000, 10000  # below Linux's range of outgoing ports (32768 and up)


@dataclass(frozen=True, slots=True)
class Listener:
    """A TCP socket in state LISTEN (proc(5), /proc/net/tcp)."""

    port: int
    loopback: bool
    """True if only the same network namespace can reach it."""
    inode: str


def can_listen(address: str, port: int) -> bool:
    """Return whether a process could listen on a port; lingering connections do not matter."""
    with closing(socket.socket()) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError:
            return False
    return True


def has_staging_address() -> bool:
    """Return whether this machine has 127.0.0.2. macOS has only 127.0.0.1, and so do some containers."""
    return can_listen(STAGING_ADDRESS, 0)


def has_interface(name: str) -> bool:
    """Return whether a network interface of this name exists in this process's network namespace."""
    try:
        return socket.if_nametoindex(name) > 0
    except (OSError, AttributeError):
        return False


def is_free(port: int) -> bool:
    """Return whether a port is free on both the public and, if it exists, the staging address."""
    return can_listen(PUBLIC_ADDRESS, port) and (can_listen(STAGING_ADDRESS, port) or not has_staging_address())


def free_port(app: str, taken: Iterable[int] = ()) -> int:
    """Return a free port for an application: the same one at each first deployment, unless it is taken."""
    start = zlib.crc32(app.encode())
    avoid = set(taken)
    ports = (_FIRST + (start + step) % _COUNT for step in range(_COUNT))
    return next(port for port in ports if port not in avoid and is_free(port))


def parse_listeners(tables: Iterable[str]) -> list[Listener]:
    """Return the listening sockets in the rows of `/proc/net/tcp` and `/proc/net/tcp6`."""
    rows = (line.split() for table in tables for line in table.splitlines())
    return [_listener(row) for row in rows if len(row) > 9 and row[3] == _LISTEN]


def socket_tables(pid: int | str = "self") -> list[str]:
    """Return the TCP socket tables of a process's network namespace; empty if they cannot be read."""
    tables = []
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            tables.append(Path(f"/proc/{pid}/net/{name}").read_text(encoding="utf-8"))
    return tables


def container_socket_tables(container: str, pid: int) -> list[str]:
    """Return the tables of a container's first process; empty if the engine runs in another process namespace.

    Args:
        container: The full id, which is part of the control group's name.
        pid: The process id that the engine reports.
    """
    with suppress(OSError):
        if pid and container in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8"):
            return socket_tables(pid)
    return []


def find_holder(port: int) -> str | None:
    """Return the process of this machine that listens on a port, as `name (process 123)`, if it is visible."""
    inodes = {f"socket:[{listener.inode}]" for listener in parse_listeners(socket_tables()) if listener.port == port}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(link.readlink()) in inodes for link in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text(encoding='utf-8').strip()} (process {process.name})"
    return None


def _listener(fields: list[str]) -> Listener:
    address, _, port = fields[1].partition(":")
    words = [int(address[at : at + 8], 16).to_bytes(4, "little") for at in range(0, len(address), 8)]
    ip = ip_address(b"".join(words))
    mapped = getattr(ip, "ipv4_mapped", None)
    loopback = mapped.is_loopback if isinstance(mapped, IPv4Address) else ip.is_loopback
    return Listener(int(port, 16), loopback, fields[9])
