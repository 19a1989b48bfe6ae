"""Rust: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language, PackageManager
from container_kit.stages.ecosystems.facets.dependencies.package_registry import (
    LockCommand,
    LockFile,
    LockRequirement,
    PackageRegistry,
    multiline,
)
from container_kit.stages.ecosystems.rust import lockfiles, workspace
from container_kit.stages.ecosystems.rust.detect import DETECTORS
from container_kit.stages.ecosystems.rust.recipe import rust

_CRATES = PackageRegistry(
    purl_type="cargo",
    osv="crates.io",
    version_scheme="SemverVersion",
    manifests=("Cargo.toml",),
    requirement=r"^\s*\"?{name}\"?\s*(?:=|\.\w+\s*=)|^\[.*dependencies\.\"?{name}\"?\]",
    lock_files=(LockFile("Cargo.lock", lockfiles.cargo, LockCommand(("Cargo.toml",), "cargo update", "{name}")),),
    lock_requirements=(
        LockRequirement(
            "Cargo.toml",
            multiline(r"^\[(?:[^\]\n]*\.)?(?:\w+-)?dependencies\b[^\]\n]*\][ \t]*\n\s*\w"),
            ("Cargo.lock",),
            multiline(r"^\[workspace\]"),
        ),
    ),
    several_versions=True,
)

ECOSYSTEM = Ecosystem(
    "rust",
    detectors=DETECTORS,
    languages=(Language("rust", rust, compiled=True, images=("rust",)),),
    managers=(PackageManager("cargo", workspace.read),),
    packages=_CRATES,
)
