"""The declarations of all ecosystems fit together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from univers import versions

import container_kit.stages.ecosystems as package
from container_kit.stages.data.end_of_life import LAST_FIXES
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.declaration import Ecosystem

ROOT = Path(package.__path__[0])
FOLDERS = sorted(
    folder.name for folder in ROOT.iterdir() if (folder / "__init__.py").exists() and folder.name != "facets"
)
ALL = {ecosystem.name: ecosystem for ecosystem in catalog().ecosystems}


def _repeated(names: list[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def test_every_folder_declares_one_ecosystem_of_its_name() -> None:
    assert sorted(ALL) == FOLDERS


@pytest.mark.parametrize("ecosystem", ALL.values(), ids=list(ALL))
def test_an_ecosystem_can_detect_its_applications(ecosystem: Ecosystem) -> None:
    assert ecosystem.detectors
    assert all(detector.manifests or detector.entry_files for detector in ecosystem.detectors)


def test_no_name_is_declared_twice() -> None:
    ecosystems = ALL.values()
    assert not _repeated([detector.name for ecosystem in ecosystems for detector in ecosystem.detectors])
    assert not _repeated([language.name for ecosystem in ecosystems for language in ecosystem.languages])
    assert not _repeated([manager.name for ecosystem in ecosystems for manager in ecosystem.managers])
    registries = [ecosystem.packages for ecosystem in ecosystems if ecosystem.packages]
    assert not _repeated([registry.purl_type for registry in registries])
    assert not _repeated([lock.name for registry in registries for lock in registry.lock_files])


def test_version_schemes_and_end_of_life_families_exist() -> None:
    registries = [ecosystem.packages for ecosystem in ALL.values() if ecosystem.packages]
    assert all(issubclass(getattr(versions, registry.version_scheme), versions.Version) for registry in registries)
    families = {language.end_of_life for language in catalog().languages.values() if language.end_of_life}
    assert families <= LAST_FIXES.keys()


def test_a_manifest_can_only_require_a_lock_file_that_is_known() -> None:
    registries = [ecosystem.packages for ecosystem in ALL.values() if ecosystem.packages]
    for registry in registries:
        known = {lock.name for lock in registry.lock_files} | {"*requirements*.txt"}
        assert {lock for rule in registry.lock_requirements for lock in rule.locks} <= known


def test_no_folder_has_more_than_20_modules() -> None:
    counts = {folder: len(list(folder.glob("*.py"))) for folder in (ROOT, *(f for f in ROOT.rglob("*") if f.is_dir()))}
    assert {folder.name: count for folder, count in counts.items() if count > 20} == {}
