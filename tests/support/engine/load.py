"""Requests at a steady rate while something happens, and the gaps that they saw."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Load:
    """What was asked and what came back; times are those of the sending, in seconds of a monotonic clock."""

    good: list[float] = field(default_factory=list)
    bad: list[tuple[float, str]] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)

    @property
    def longest_gap(self) -> float:
        """The longest time between the first failure and the next good answer, in seconds; 0 without a failure."""
        longest = 0.0
        for began, _ in self.bad:
            before = max((sent for sent in self.good if sent < began), default=began)
            after = min((sent for sent in self.good if sent > began), default=time.monotonic())
            longest = max(longest, after - before)
        return longest


@contextmanager
def requests_at(port: int, rate: float = 200, threads: int = 8, *, keep_alive: bool = False) -> Iterator[Load]:
    """Ask `GET /` on 127.0.0.1 at a rate (requests a second) for the time of the block."""
    load, stop, lock = Load(), threading.Event(), threading.Lock()

    def ask(number: int) -> None:
        connection = None
        due = time.monotonic() + number / rate
        while not stop.is_set():
            time.sleep(max(0.0, due - time.monotonic()))
            due += threads / rate
            sent = time.monotonic()
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", "/")
                response = connection.getresponse()
                body, will_close = response.read().decode(), response.will_close
                with lock:
                    if response.status == 200:
                        load.good.append(sent)
                        load.versions.add(body)
                    else:
                        load.bad.append((sent, f"{response.status} {body[:80]}"))
            except (OSError, http.client.HTTPException) as error:
                will_close = True
                with lock:
                    load.bad.append((sent, type(error).__name__))
            if connection is not None and (will_close or not keep_alive):
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    workers = [threading.Thread(target=ask, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield load
    finally:
        stop.set()
        for worker in workers:
            worker.join()
