"""A socket in front of another byte stream: a named pipe of Windows, or the pipes of a process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

_PIECE = 1 << 16


def bridge(
    receive: Callable[[int], bytes], send: Callable[[bytes], object], end: Callable[[], object]
) -> socket.socket:
    """Return a socket for a byte stream. Two threads copy the data; they end with the stream or the socket.

    Args:
        receive: Read some bytes; none at the end.
        send: Write all bytes.
        end: Close the stream, which ends `receive` too. Called once.
    """
    ours, theirs = socket.socketpair()
    threading.Thread(target=_to_socket, args=(receive, theirs), daemon=True, name="engine-receive").start()
    threading.Thread(target=_from_socket, args=(theirs, send, end), daemon=True, name="engine-send").start()
    return ours


def _to_socket(receive: Callable[[int], bytes], sock: socket.socket) -> None:
    with suppress(Exception):  # a broken stream ends like a finished one
        while data := receive(_PIECE):
            sock.sendall(data)
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)


def _from_socket(sock: socket.socket, send: Callable[[bytes], object], end: Callable[[], object]) -> None:
    with suppress(Exception):
        while data := sock.recv(_PIECE):
            send(data)
    with suppress(Exception):
        end()
    sock.close()
