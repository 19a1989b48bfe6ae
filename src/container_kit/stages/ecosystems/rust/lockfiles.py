"""The lock file of Cargo."""

from __future__ import annotations

from functools import partial
from typing import Any

from container_kit.stages.ecosystems.facets.dependencies.lockfile import Reader
from container_kit.stages.ecosystems.facets.dependencies.toml_tables import read_tables


def _is_local(package: dict[str, Any]) -> bool:
    return package.get("source") is None


cargo: Reader = partial(read_tables, "cargo", "package", _is_local)
"""Reads `Cargo.lock`."""
