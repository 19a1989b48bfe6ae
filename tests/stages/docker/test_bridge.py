"""A socket in front of a stream that is not a socket."""

from __future__ import annotations

import os
import threading

from container_kit.stages.docker.bridge import bridge


def test_bytes_pass_in_both_directions_and_each_end_closes_the_other() -> None:
    to_reader, to_writer = os.pipe()
    from_reader, from_writer = os.pipe()
    ended = threading.Event()
    sock = bridge(lambda size: os.read(from_reader, size), lambda data: os.write(to_writer, data), ended.set)
    sock.settimeout(10)
    sock.sendall(b"GET / HTTP/1.1")
    assert os.read(to_reader, 100) == b"GET / HTTP/1.1"
    os.write(from_writer, b"HTTP/1.1 200 OK")
    assert sock.recv(100) == b"HTTP/1.1 200 OK"
    os.close(from_writer)
    assert sock.recv(100) == b""
    sock.close()
    assert ended.wait(10)
    for descriptor in (to_reader, to_writer, from_reader):
        os.close(descriptor)


def test_a_stream_that_breaks_ends_the_socket() -> None:
    def broken(_: int) -> bytes:
        raise OSError("the pipe has been ended")

    ended = threading.Event()
    sock = bridge(broken, lambda _: None, ended.set)
    sock.settimeout(10)
    assert sock.recv(1) == b""
    sock.close()
    assert ended.wait(10)
