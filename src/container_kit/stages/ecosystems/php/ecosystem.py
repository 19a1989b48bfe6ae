"""PHP: the declaration."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language
from container_kit.stages.ecosystems.facets.dependencies.package_registry import (
    LockCommand,
    LockFile,
    LockRequirement,
    PackageRegistry,
)
from container_kit.stages.ecosystems.php import lockfiles
from container_kit.stages.ecosystems.php.detect import DETECTORS
from container_kit.stages.ecosystems.php.recipe import php

_PACKAGIST = PackageRegistry(
    purl_type="composer",
    osv="Packagist",
    version_scheme="ComposerVersion",
    manifests=("composer.json",),
    requirement=r"\"{name}\"\s*:",
    lock_files=(
        LockFile(
            "composer.lock",
            lockfiles.composer,
            LockCommand(("composer.json",), "composer update --with-dependencies", "{name}"),
        ),
    ),
    lock_requirements=(LockRequirement("composer.json", re.compile(r'"[\w.-]+/[\w.-]+"\s*:'), ("composer.lock",)),),
    name_separator="/",
    normalize=str.lower,
)

ECOSYSTEM = Ecosystem(
    "php",
    detectors=DETECTORS,
    languages=(Language("php", php, compiled=True, brings_server=True, images=("php",)),),
    packages=_PACKAGIST,
    dependency_folders=("vendor",),
)
