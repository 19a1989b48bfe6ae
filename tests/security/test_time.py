"""Nothing that a repository holds makes the product slow: finding 5 of the review."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import anyio
import pytest

import container_kit
from container_kit.stages.contract import expressions, isolation
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.formats.path_globs import PathGlobs
from support.hostile_work import fail, never_return

PACKAGE = Path(container_kit.__file__).parent
MAY_BACKTRACK = {"stages/contract/expressions.py"}


def test_only_one_module_uses_expressions_that_backtrack() -> None:
    users = set()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        if "re" in names:
            users.add(path.relative_to(PACKAGE).as_posix())
    assert users == MAY_BACKTRACK


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^\s*listen\s+(\d+);", "\n" * 200_000),
        (r"group :test\s+.*?^end", "group :test\n" * 20_000),
        (r"(a+)+b", "a" * 200_000),
        (r"<parent>.*?</parent>", "<parent>" * 20_000),
        (r"\w*PORT\b", "a" * 200_000),
    ],
)
def test_an_expression_matches_hostile_text_in_linear_time(pattern: str, text: str) -> None:
    start = time.thread_time()
    assert expressions.search(pattern, text, expressions.MULTILINE | expressions.DOTALL) is None
    assert time.thread_time() - start < 1


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("*a" * 60 + "b", "a" * 400), ("**/" * 60 + "x", "a/" * 200 + "y"), ("[a-z]*" * 60 + "!", "a" * 400)],
)
def test_a_hostile_glob_matches_in_linear_time(pattern: str, path: str) -> None:
    start = time.thread_time()
    assert not PathGlobs([pattern]).matches(path)
    assert time.thread_time() - start < 1


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("packages/*", "packages/a", True),
        ("packages/*", "packages/a/b", False),
        ("packages/**", "packages/a/b", True),
        ("packages/**", "packages", False),
        ("**/lib", "lib", True),
        ("**/lib", "a/b/lib", True),
        ("a/**/c", "a/c", True),
        ("app-[0-9]", "app-7", True),
        ("app-[!0-9]", "app-7", False),
        ("a?c", "abc", True),
        ("a.c", "abc", False),
    ],
)
def test_a_glob_has_the_meaning_of_package_managers(pattern: str, path: str, matches: bool) -> None:
    assert PathGlobs([pattern]).matches(path) is matches


def test_a_pattern_with_many_stars_lists_each_folder_once(tmp_path: Path) -> None:
    inner = tmp_path
    for number in range(30):
        inner /= f"folder{number}"
        (tmp_path / f"other{number}" / "inner").mkdir(parents=True)
    inner.mkdir(parents=True)
    (inner / "package.json").write_text("{}")
    start = time.thread_time()
    assert ContextTree(tmp_path).files("**/" * 20 + "package.json") == (
        (inner / "package.json").relative_to(tmp_path).as_posix(),
    )
    assert time.thread_time() - start < 2


def test_a_pattern_finds_no_file_behind_a_link_that_leads_out(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "package.json").write_text("{}")
    (tmp_path / "tree" / "real").mkdir(parents=True)
    (tmp_path / "tree" / "real" / "package.json").write_text("{}")
    (tmp_path / "tree" / "out").symlink_to(tmp_path / "outside")
    (tmp_path / "tree" / "in").symlink_to("real")
    assert ContextTree(tmp_path / "tree").files("*/package.json") == ("in/package.json", "real/package.json")


@pytest.fixture
def _workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation._Policy, "use_workers", True)


@pytest.mark.anyio
@pytest.mark.usefixtures("_workers")
async def test_work_that_does_not_return_is_stopped_while_the_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "WALL_SECONDS", 3)
    ticks = 0

    async def answer() -> None:
        nonlocal ticks
        while True:
            await anyio.sleep(0.05)
            ticks += 1

    async with anyio.create_task_group() as group:
        group.start_soon(answer)
        with pytest.raises(StageFailure) as failure:
            await isolation.run_isolated(never_return, 1)
        group.cancel_scope.cancel()
    assert failure.value.fault.code == "analyze.limit_exceeded"
    assert ticks > 10


@pytest.mark.anyio
@pytest.mark.usefixtures("_workers")
async def test_a_cancelled_call_ends_its_worker() -> None:
    with anyio.move_on_after(1) as scope:
        await isolation.run_isolated(never_return, 1)
    assert scope.cancelled_caught


@pytest.mark.anyio
@pytest.mark.usefixtures("_workers")
async def test_a_fault_of_isolated_work_is_the_fault_of_the_call() -> None:
    with pytest.raises(StageFailure, match="as a stage"):
        await isolation.run_isolated(fail, 1)
