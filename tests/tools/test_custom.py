"""Custom pipelines through MCP, in memory, and unusable modules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mcp.client import Client

from container_kit import ConfigurationError, Workspace
from container_kit.pipelines.runs.service import RunService
from container_kit.tools.custom import custom_tool, load_custom_pipelines, pipeline_finder
from container_kit.tools.registry import ALL
from support.mcp.tools import connected

pytestmark = pytest.mark.anyio

EXAMPLE = Path(__file__).parents[2] / "examples" / "own-pipeline"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    yield "site_check"
    sys.modules.pop("site_check", None)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "index.html").write_text('<a href="about.html">about</a>\n<a href="gone.html">gone</a>\n')
    (tmp_path / "public" / "about.html").write_text('<a href="index.html">home</a>\n')
    return tmp_path


async def test_the_example_is_a_tool_with_a_schema_a_fault_and_a_next_action_that_works(
    example: str, site: Path
) -> None:
    own = load_custom_pipelines([example])
    runs = RunService(Workspace([site]), find=pipeline_finder(own))
    lines: list[str] = []

    async def take(_progress: float, _total: float | None, message: str | None) -> None:
        lines.append(message or "")

    async def call(client: Client, tool: str, arguments: dict[str, Any]) -> Any:
        return await client.call_tool(tool, arguments, progress_callback=take)

    async with connected(runs, tools=[*ALL, *map(custom_tool, own)]) as client:
        tool = next(tool for tool in (await client.list_tools()).tools if tool.name == "check-site")
        failed = await call(client, "check-site", {"site": "public"})
        action = failed.structured_content["next_actions"][0]
        mended = await call(client, action["tool"], action["arguments"])
    assert tool.annotations is not None
    assert tool.annotations.read_only_hint is True
    assert tool.input_schema["required"] == ["site"]
    assert set(tool.input_schema["properties"]) == {"site", "ignore", "dry_run", "timeout"}
    assert failed.structured_content["code"] == "site.link_broken"
    assert failed.structured_content["evidence"][0]["where"] == "index.html:2"
    assert not mended.is_error, mended.content
    assert mended.structured_content["site_report"] == {"pages": 2, "links": 3}
    jsonschema.validate(mended.structured_content, tool.output_schema)
    assert any("checked index.html" in line for line in lines)


def test_the_pipelines_of_an_installed_package_are_loaded(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "site_check-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: site-check\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text(f"[container_kit.pipelines]\ncheck-site = {example}:check_site\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [pipeline.name for pipeline in load_custom_pipelines([])] == ["check-site"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise ValueError('broken')", "broken"),
        ("x = 1", "contains no pipeline"),
        ("from container_kit import AtomicPipeline\np = AtomicPipeline('build')", "the name 'build' is already taken"),
    ],
)
def test_an_unusable_module_is_rejected(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unfit_pipelines.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError, match=said):
        load_custom_pipelines(["unfit_pipelines"])
    sys.modules.pop("unfit_pipelines", None)


def test_a_missing_module_is_rejected() -> None:
    with pytest.raises(ConfigurationError, match="no_such_module"):
        load_custom_pipelines(["no_such_module"])
