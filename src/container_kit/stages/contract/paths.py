"""Where this program keeps state."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def state_folder() -> Path:
    """CONTAINER_KIT_HOME, else where a program keeps state on this platform (on Linux the XDG base directories)."""
    if home := os.environ.get("CONTAINER_KIT_HOME"):
        return Path(home).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~")).expanduser() / "container-kit"
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/container-kit").expanduser()
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "container-kit"
