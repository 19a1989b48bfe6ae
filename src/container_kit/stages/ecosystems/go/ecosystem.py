"""Go: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language, PackageManager
from container_kit.stages.ecosystems.facets.dependencies.package_registry import LockCommand, LockFile, PackageRegistry
from container_kit.stages.ecosystems.go import lockfiles, workspace
from container_kit.stages.ecosystems.go.detect import DETECTORS
from container_kit.stages.ecosystems.go.recipe import go

_GO = PackageRegistry(
    purl_type="golang",
    osv="Go",
    version_scheme="GolangVersion",
    manifests=("go.mod",),
    requirement=r"(?:^|\s){name}\s+v",
    lock_files=(LockFile("go.mod", lockfiles.modules, LockCommand(("go.mod",), "go get", "{name}@v{version}")),),
    name_separator="/",
)

ECOSYSTEM = Ecosystem(
    "go",
    detectors=DETECTORS,
    languages=(Language("go", go, compiled=True, images=("golang",)),),
    managers=(PackageManager("go", workspace.read),),
    packages=_GO,
    dependency_folders=("vendor",),
)
