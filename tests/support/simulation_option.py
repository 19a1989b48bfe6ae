"""The option `--simulate PLATFORM`, read before the modules that it changes are imported."""

from __future__ import annotations

import os
import sys
from typing import get_args

from support import simulation

_VARIABLE = "CONTAINER_KIT_TEST_PLATFORM"
"""Tells it to the processes of pytest-xdist, which have another command line."""


def _from_command_line() -> str | None:
    for position, word in enumerate(sys.argv):
        if word == "--simulate":
            return sys.argv[position + 1]
        if word.startswith("--simulate="):
            return word.partition("=")[2]
    return None


platform = _from_command_line() or (os.environ.get(_VARIABLE) if "PYTEST_XDIST_WORKER" in os.environ else None)
"""The simulated platform, or None."""

if platform is not None:
    if platform not in get_args(simulation.Platform):
        sys.exit(f"--simulate takes one of {', '.join(get_args(simulation.Platform))}")
    os.environ[_VARIABLE] = platform
    simulation.install(platform)  # type: ignore[arg-type] # checked above
