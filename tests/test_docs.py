"""The documentation agrees with the code: names, settings, fault codes, commands, paths, links and examples."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from container_kit.pipelines.events import EventKind
from container_kit.server.settings import Settings
from container_kit.tools.registry import ALL
from support.examples import python_blocks, run_example

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "container_kit"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("examples/*/*.md"))]
FOLDERS = (
    "src/",
    "tests/",
    "docs/",
    "scripts/",
    "benchmarks/",
    "examples/",
    "server/",
    "tools/",
    "pipelines/",
    "stages/",
)

PLACEHOLDERS = ("TOOL", "CLIENT")
MCP_METHODS = ("tools/call", "tools/list")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def spans(page: Path) -> list[str]:
    """Return the code spans of a page."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL))


def section(page: Path, heading: str) -> str:
    """Return the text below a heading, up to the next one."""
    return page.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.anyio
async def test_the_examples_of_the_engine_page_run_one_after_the_other() -> None:
    blocks = python_blocks(DOCS / "engine.md")
    assert len(blocks) >= 5
    await run_example("\n".join(blocks))


@pages
def test_every_link_within_the_repository_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text("utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    named = [span for span in spans(page) if span.startswith(FOLDERS) and re.fullmatch(r"[\w./-]+", span)]
    assert [path for path in named if path not in MCP_METHODS and not _exists(path)] == []


def _exists(path: str) -> bool:
    known = Path(re.split(r"\bNAME\b", path)[0])  # `stages/ecosystems/NAME/`: only the folder above is there
    return (ROOT / known).exists() or (SOURCE / known).exists()


VARIABLE = re.compile(r"CONTAINER_KIT_[A-Z][A-Z_]*[A-Z](?![A-Z_])")
SOURCES = [*sorted(SOURCE.rglob("*.py")), *sorted(ROOT.glob("scripts/*.py"))]


@pages
def test_every_variable_that_a_page_names_is_read_somewhere(page: Path) -> None:
    assert _unread_variables(page) == []


def test_every_variable_that_a_text_in_the_code_names_is_read_somewhere() -> None:
    assert {path.name: unread for path in SOURCES if (unread := _unread_variables(path))} == {}


def _unread_variables(path: Path) -> list[str]:
    named = {name for name in VARIABLE.findall(path.read_text("utf-8")) if "_TARGETS__" not in name}
    return sorted(named - _variables())


@cache
def _variables() -> set[str]:
    """Return the variables of the settings, those that the package reads directly, and those of the tests."""
    trees = [ast.parse(path.read_text("utf-8")) for path in SOURCES]
    strings = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    whole = [re.match(r"(CONTAINER_KIT_[A-Z_]+)(=|$)", text) for text in strings if isinstance(text, str)]
    read = {match[1] for match in whole if match}
    tests = [path.read_text("utf-8") for path in ROOT.glob("tests/**/*.py")]
    read |= {name for text in tests for name in re.findall(r"environ\b.*?(CONTAINER_KIT_[A-Z_]+)", text)}
    return read | {f"CONTAINER_KIT_{field.upper()}" for field in Settings.model_fields}


def test_the_server_page_lists_every_setting() -> None:
    page = (DOCS / "server.md").read_text("utf-8")
    assert [field for field in Settings.model_fields if f"`CONTAINER_KIT_{field.upper()}`" not in page] == []


@pages
def test_every_fault_code_that_a_page_names_is_in_the_table_of_faults(page: Path) -> None:
    codes = set(re.findall(r"^\| `([a-z]+\.[a-z_.]+)`", (DOCS / "faults.md").read_text("utf-8"), re.MULTILINE))
    families = {code.partition(".")[0] for code in codes}
    named = {span for span in spans(page) if re.fullmatch(r"[a-z]+\.[a-z_]+", span) and span.split(".")[0] in families}
    modules = {f"{path.parent.name}.{path.stem}" for path in SOURCE.rglob("*.py")}
    files = {path.name for path in ROOT.rglob("*.py") if ".venv" not in path.parts}
    assert sorted(named - codes - modules - files) == []


@pages
def test_every_label_that_a_page_names_is_set_somewhere(page: Path) -> None:
    named = {span.partition("=")[0] for span in spans(page) if span.startswith("io.container-kit.")}
    files = [*SOURCE.rglob("*.py"), *ROOT.glob("scripts/*.py")]
    sources = "\n".join(path.read_text("utf-8") for path in files)
    assert sorted(label for label in named if f'"{label}"' not in sources) == []


@pages
def test_every_toolset_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    named = set(re.findall(r"toolset\s+`([a-z]+)`", text))
    named |= {name for names in re.findall(r"--toolsets ([a-z,]+)", text) for name in names.split(",") if name}
    assert sorted(named - {tool.toolset for tool in ALL} - {"all", "custom", "default"}) == []


def test_the_engine_page_lists_the_events() -> None:
    table = section(DOCS / "engine.md", "Events and metrics")
    assert set(re.findall(r"`((?:run|stage|approval|rollback)_[a-z_]+)`", table)) == set(get_args(EventKind))


def test_the_engine_page_lists_the_builder_methods_of_a_pipeline() -> None:
    table = re.findall(r"^\| (`(?:add|with)_.*?) \|", section(DOCS / "engine.md", "Pipelines"), re.MULTILINE)
    shown = set(re.findall(r"`((?:add|with)_\w+)", " ".join(table)))
    methods = {name for name in _fields()["Pipeline"] if name.startswith(("add_", "with_"))}
    assert shown == methods - {"with_stages_replaced"}  # for TestPipeline


@cache
def _fields() -> dict[str, set[str]]:
    """Return the annotated fields and methods of every class in the package."""
    members: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                members.setdefault(node.name, set()).update(_members(node))
    return members


def _members(node: ast.ClassDef) -> Iterator[str]:
    for member in node.body:
        if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
            yield member.target.id
        elif isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
            yield member.name


@pages
def test_every_member_of_a_class_that_a_page_names_exists(page: Path) -> None:
    named = [re.fullmatch(r"(?!Dockerfile\b)([A-Z]\w+)\.([a-z_]+)", span) for span in spans(page)]
    pairs = [match.groups() for match in named if match and match[1] in _fields()]
    assert [f"{owner}.{member}" for owner, member in pairs if member not in _fields()[owner]] == []


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("kubernetes.md", re.findall(r"^\| `(\w+)` \|", section(DOCS / "kubernetes.md", "Stages"), re.MULTILINE)),
        ("push.md", ["TagImage", "PushImage", "PushedImage"]),
        ("scan.md", ["ScanImage", "ScanSource", "GenerateImageSbom", "GenerateSourceSbom"]),
        ("dockerfile.md", ["WriteDockerfile", "ReviewDockerfile", "ApplyPatches", "BasePolicy", "Reason"]),
        ("build.md", ["BuildImage", "BuildOptions"]),
        (
            "architecture.md",
            ["PipelineRequest", "PipelineResponse", "StageContext", "StageFailure", "DeploymentBackend"],
        ),
    ],
)
def test_every_class_that_a_page_names_exists(page: str, names: list[str]) -> None:
    text = (DOCS / page).read_text("utf-8")
    assert len(names) > 1
    assert [name for name in names if f"`{name}`" not in text and f"`{name}." not in text] == []
    assert [name for name in names if name not in _fields()] == []


@pytest.mark.parametrize(
    ("page", "owner", "options"),
    [
        ("deploy.md", "DeployOptions", ["zero_downtime", "keep_versions", "services", "user", "env", "env_file"]),
        ("kubernetes.md", "KubernetesOptions", ["startup_timeout", "force_conflicts", "egress_ports", "secret_env"]),
        ("build.md", "BuildOptions", ["ca_file", "secrets", "build_args", "platforms", "cache_from", "no_cache"]),
        ("scan.md", "ScanPolicy", ["fail_on", "only_fixable", "allow", "require_scanner"]),
        ("analyze.md", "Finding", ["value", "confidence", "provenance", "locations", "alternatives", "question"]),
        ("dockerfile.md", "Reason", ["decision", "rationale"]),
    ],
)
def test_every_option_that_a_page_names_exists(page: str, owner: str, options: list[str]) -> None:
    text = (DOCS / page).read_text("utf-8")
    assert [option for option in options if f"`{option}" not in text] == []
    assert [option for option in options if option not in _fields()[owner]] == []


def _commands(page: Path) -> Iterator[list[str]]:
    """Find the `container-kit …` commands of a page, in code blocks and code spans, without their comments."""
    text = page.read_text("utf-8")
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    for line in [*lines, *spans(page)]:
        command = line.partition(" #")[0]
        if command.startswith("container-kit "):
            yield shlex.split(command)[1:]


@cache
def _help(*command: str) -> str:
    program = Path(sys.executable).parent / "container-kit"
    done = subprocess.run([program, *command, "--help"], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout if done.returncode == 0 else ""


@pytest.mark.integration
@pytest.mark.parametrize("page", [page for page in PAGES if "examples" not in page.parts], ids=lambda page: page.name)
def test_every_command_that_a_page_shows_exists_with_its_options(page: Path) -> None:
    unknown = []
    for command in _commands(page):
        subcommand, *rest = command
        known = [subcommand, *(rest[:1] if subcommand == "run" else ())]
        options = [word.partition("=")[0] for word in rest if word.startswith("--")]
        if known[-1] in PLACEHOLDERS:
            known, options = known[:-1], []
        if not (text := _help(*known)) or any(option not in text for option in options):
            unknown.append(" ".join(command))
    assert unknown == []


@pages
def test_every_script_that_a_page_runs_exists_with_its_options(page: Path) -> None:
    for script, arguments in re.findall(r"python ((?:scripts|benchmarks)/\w+\.py)([^`\n]*)", page.read_text("utf-8")):
        source = (ROOT / script).read_text("utf-8")
        assert [option for option in re.findall(r"--[\w-]+", arguments) if f'"{option}"' not in source] == []


def test_the_glossary_has_each_term_once_in_order_with_one_sentence() -> None:
    rows = re.findall(r"^\| ([a-z][^|]*) \| (.*) \|$", (DOCS / "glossary.md").read_text("utf-8"), re.MULTILINE)[1:]
    terms = [term for term, _ in rows]
    assert terms == sorted(set(terms))
    assert [term for term, meaning in rows if not re.fullmatch(r"(?:`[^`]*`|[^`.])+\.", meaning)] == []
