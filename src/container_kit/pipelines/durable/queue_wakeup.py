"""The doorbell: a look at the queue at once, where this very process has put a run into it.

DBOS looks at a queue at intervals. A second thread of the same worker that looks when it is rung spares the wait.
"""

from __future__ import annotations

import threading
from typing import Any

from dbos._dbos import _get_dbos_instance
from dbos._queue import queue_worker_thread


class Doorbell(threading.Event):
    """In the place of the event that stops a queue's worker: its `wait` ends when somebody rings."""

    def __init__(self) -> None:
        super().__init__()
        self._rung = threading.Event()
        self._thread: threading.Thread | None = None

    def listen(self, queue: Any) -> None:
        """Look at a queue whenever the bell rings, until it is stopped. DBOS must be launched."""
        self.clear()
        worker = (self, _get_dbos_instance(), queue)
        self._thread = threading.Thread(target=queue_worker_thread, args=worker, name="queue-doorbell", daemon=True)
        self._thread.start()

    def ring(self) -> None:
        """Have a look taken now; nothing happens where nobody listens."""
        self._rung.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a ring; True when it is the last one."""
        self._rung.wait()
        self._rung.clear()
        return self.is_set()

    def stop(self) -> None:
        """End the thread and wait for its end."""
        self.set()
        self.ring()
        if self._thread is not None:
            self._thread.join(10)
