"""Five Celery tasks that do nothing, one after the other; prints the median in milliseconds.

Broker and results are files, as in the durable engine's default; the worker is a separate process.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from celery import Celery  # type: ignore[import-not-found]  # in the peers' own environment

FOLDER = os.environ.setdefault("FIVE_CELERY_FOLDER", tempfile.mkdtemp(prefix="five-celery-"))
app = Celery("five", broker="filesystem://", backend=f"file://{FOLDER}")
app.conf.broker_transport_options = {
    "data_folder_in": FOLDER,
    "data_folder_out": FOLDER,
    "control_folder": f"{FOLDER}/control",
    "polling_interval": 0.002,
}


@app.task(name="step")
def step(number: int) -> int:
    """Nothing."""
    return number


def main() -> None:
    """Measure twenty chains."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "five_celery", "worker", "-P", "solo", "-l", "ERROR"],
        cwd=Path(__file__).parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        step.delay(0).get(timeout=30)
        taken = []
        for _ in range(20):
            begin = time.perf_counter()
            for number in range(5):
                step.delay(number).get(timeout=10, interval=0.002)
            taken.append((time.perf_counter() - begin) * 1000)
        print(statistics.median(taken))
    finally:
        worker.terminate()
        worker.wait(10)


if __name__ == "__main__":
    main()
