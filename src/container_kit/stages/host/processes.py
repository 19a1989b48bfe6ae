"""Processes and their children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

if sys.platform == "win32":
    _SECONDS = 5

    def kill_tree(pid: int) -> None:
        """Kill a process with all its children."""
        with suppress(OSError, subprocess.TimeoutExpired):
            command = ["taskkill", "/F", "/T", "/PID", str(pid)]
            subprocess.run(command, check=False, capture_output=True, timeout=_SECONDS)  # noqa: S603 - an argv
        with suppress(OSError):
            os.kill(pid, signal.SIGTERM)  # TerminateProcess, if taskkill is not available

else:

    def kill_tree(pid: int) -> None:
        """Kill the process group of a process that was started in a new session."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
