"""DescribeSource: Syft's, Trivy's and the built-in list of one folder, and that they agree."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

from container_kit.stages.artifacts.scan import Sbom
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.scan import GenerateSourceSbom, ScannerSettings
from support.pipelines.contexts import Contexts

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

SAMPLES = Path(__file__).parent / "builtin" / "lockfiles"
OWN = {"pkg:cargo/shop@0.1.0"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the lock files of several ecosystems."""
    for kind in ("pnpm9", "requirements", "gradle", "cargo"):
        (lock,) = (SAMPLES / kind).iterdir()
        shutil.copy(lock, tmp_path)
    return tmp_path


async def test_the_built_in_list_of_a_folder_agrees_with_syft_and_trivy(
    ctx: Contexts, only: Callable[..., ScannerSettings], folder: Path
) -> None:
    made = {
        name: await GenerateSourceSbom(only(*programs)).execute(ctx(), Source(path=str(folder)))
        for name, programs in {"syft": ("syft", "trivy"), "trivy": ("trivy",), "builtin": ()}.items()
    }
    assert {name: sbom.made_by for name, sbom in made.items()} == {name: name for name in made}
    purls = {name: libraries(sbom) - OWN for name, sbom in made.items()}
    assert len(purls["builtin"]) == made["builtin"].components == 13
    assert purls["builtin"] == purls["trivy"] == purls["syft"]


def libraries(sbom: Sbom) -> set[str]:
    """The package URL of each component that has one, without qualifiers."""
    return {
        unquote(part["purl"]).partition("?")[0] for part in json.loads(sbom.document)["components"] if "purl" in part
    }


async def test_the_built_in_list_of_a_folder_has_lines_and_gaps(
    ctx: Contexts, only: Callable[..., ScannerSettings], folder: Path
) -> None:
    (folder / "Gemfile.lock").write_text("<<<<<<< HEAD\n")
    sbom = await GenerateSourceSbom(only()).execute(ctx(), Source(path=str(folder)))
    document = json.loads(sbom.document)
    (six,) = (part for part in document["components"] if part["name"] == "six")
    assert six["properties"] == [{"name": "container-kit:path", "value": "requirements.txt:8"}]
    assert document["metadata"]["component"] == {"type": "application", "bom-ref": "source", "name": str(folder)}
    assert sbom.unread == ("Gemfile.lock cannot be read: no lock file of Bundler",)


async def test_a_folder_outside_of_the_workspace_is_not_listed(ctx: Contexts) -> None:
    for call in (GenerateSourceSbom().validate, GenerateSourceSbom().execute):
        with pytest.raises(StageFailure) as failed:
            await call(ctx(), Source(path="/etc"))
        assert failed.value.fault.code == "path.outside_workspace"
