"""Every generated Dockerfile passes the gate, and says what it is known to say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from container_kit.stages.artifacts.dockerfile import Dockerfile, DockerfileOptions
from container_kit.stages.dockerfile.generate.plan import plan
from container_kit.stages.ecosystems.facets.generation.base_images import Availability, BasePolicy
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from stages.dockerfile.cases import CASES, Case, module, package
from stages.dockerfile.gate import check

pytestmark = pytest.mark.integration

GOLDEN = Path(__file__).parent / "golden"
BARE_HOST = Availability(
    frozenset({"python:3.11-slim", "node:20-slim", "debian:bookworm-slim", "eclipse-temurin:17-jdk"}), known=True
)
"""A host that can pull nothing and has these four images."""


def generate(case: Case, folder: Path, availability: Availability) -> Dockerfile:
    tree = ContextTree(case.write(folder))
    planned = plan(case.analysis(folder), case.module.path, tree, DockerfileOptions(), BasePolicy())
    return planned.dockerfile(availability)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_generated_dockerfile_passes_the_gate(case: Case, tmp_path: Path) -> None:
    made = generate(case, tmp_path, Availability())
    check(made, tmp_path, case.module.manifests)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_passes_the_gate_on_a_host_that_can_pull_nothing(case: Case, tmp_path: Path) -> None:
    made = generate(case, tmp_path, BARE_HOST)
    check(made, tmp_path, case.module.manifests)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_text_is_the_one_that_was_reviewed(case: Case, tmp_path: Path) -> None:
    """After a change: UPDATE_GOLDEN=1, then read the difference before it is committed."""
    made = generate(case, tmp_path, Availability())
    file = GOLDEN / f"{case.name}.Dockerfile"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(made.content)
    assert made.content == file.read_text()


@pytest.mark.parametrize(
    ("start", "pid_1"),
    [
        ("yarn node server.js", '["node", "server.js"]'),
        ("yarn rw serve", '["rw", "serve"]'),
        ("yarn serve", '["node", "dist/main.js"]'),
        ("pnpm tsx server.ts", '["tsx", "server.ts"]'),
        ("bun run src/index.ts", '["bun", "run", "src/index.ts"]'),
    ],
)
def test_a_package_manager_is_not_pid_1_if_it_runs_a_program_of_a_package(
    start: str, pid_1: str, tmp_path: Path
) -> None:
    manager = start.split()[0]
    described = module(
        "javascript", package_manager=manager, start_command=start, port=3000, manifests=("package.json",)
    )
    files = {"package.json": package(scripts={"serve": "yarn node dist/main.js"})}
    made = generate(Case("program", described, files), tmp_path, Availability())
    assert made.content.endswith(f"\nCMD {pid_1}\n")


def test_each_golden_file_has_its_case() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == {case.name for case in CASES}
