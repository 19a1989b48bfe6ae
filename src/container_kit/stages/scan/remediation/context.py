"""The context of a scan: the source tree, the Dockerfile and the layers of its target."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from container_kit.stages.artifacts.scan import ScanFinding
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.scan.remediation.layers import Origin
from container_kit.stages.scan.remediation.lineage import Lineage
from container_kit.stages.scan.remediation.manifests import ManifestIndex


@dataclass(frozen=True)
class ScanContext:
    """The source tree of a target, its Dockerfile and the origins of its layers, each as far as known."""

    root: Path | None = None
    """The source tree."""
    module: str = "."
    dockerfile: str = "Dockerfile"
    """The Dockerfile's path relative to the root."""
    lineage: Lineage | None = None
    origins: dict[str, Origin] = field(default_factory=dict)
    """The origins by layer."""

    @cached_property
    def manifests(self) -> ManifestIndex | None:
        """The manifests of the source tree."""
        return ManifestIndex(self.root, self.module) if self.root else None

    def lock_of(self, finding: ScanFinding) -> str | None:
        """Return the lock file that shows a finding; None if a manifest shows it, which people edit."""
        if finding.layer or finding.path is None or catalog().lock_command(finding.path) is None:
            return None
        if finding.path.endswith(".txt") and not (self.manifests and self.manifests.source_of(finding.path)):
            return None
        return finding.path

    @property
    def base(self) -> str:
        """The name of the base image."""
        return self.lineage.base if self.lineage else "the base image"

    def place(self, line: int | None) -> str | None:
        """Return `file:line` in the Dockerfile."""
        return f"{self.dockerfile}:{line}" if line else None
