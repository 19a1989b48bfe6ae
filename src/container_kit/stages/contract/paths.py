"""The folder that keeps state."""

from __future__ import annotations

import os
from pathlib import Path


def state_folder() -> Path:
    """Return CONTAINER_KIT_HOME, or the platform's folder for user state (the XDG base directories on Linux)."""
    if home := os.environ.get("CONTAINER_KIT_HOME"):
        return Path(home).expanduser()
    from platformdirs import user_state_path  # read on first use: commands that keep no state do not need it

    return user_state_path("container-kit", appauthor=False)
