"""Review a Dockerfile of a person, and apply patches to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from container_kit.stages.artifacts.analysis import Analysis, DeploymentFile
from container_kit.stages.artifacts.dockerfile import DockerfileReview, PatchSelection
from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.dockerfile import ApplyPatches, ReviewDockerfile
from stages.dockerfile.cases import module, package
from stages.dockerfile.gate import lint
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = pytest.mark.anyio

POOR = """\
FROM node:20-slim
ENV API_TOKEN=abc123
WORKDIR /app
COPY . .
RUN npm install
COPY missing.txt ./
EXPOSE 8080
CMD node server.js
"""
FOUND = {
    "end-of-life-base:1": False,
    "secret:2": False,
    "cache-order:4": True,
    "no-dockerignore:4": True,
    "lockfile-not-kept:5": True,
    "missing-source:6": False,
    "wrong-port:7": True,
    "no-health-check:8": True,
    "root-user:8": True,
    "shell-form:8": True,
}
"""Its problems by line, and whether each has a patch."""


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "package.json").write_text(package())
    lock = '{"name": "sample", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "sample"}}}'
    (tmp_path / "package-lock.json").write_text(lock)
    (tmp_path / "server.js").write_text("")
    (tmp_path / "Dockerfile").write_text(POOR)
    return Source(path=str(tmp_path))


def _analysis(source: Source) -> Analysis:
    express = module("javascript", package_manager="npm", start_command="node server.js", port=3000,
        manifests=("package.json", "package-lock.json"), place="server.js:1")  # fmt: skip
    files = (DeploymentFile(path="Dockerfile", kind="dockerfile"),)
    return Analysis(root=source.path, modules=(express,), files=files)


async def _review(ctx: Contexts, source: Source) -> DockerfileReview:
    return await ReviewDockerfile().execute(ctx(), source, _analysis(source))


async def test_each_problem_has_a_line_and_a_rationale_and_some_have_a_patch(source: Source, ctx: Contexts) -> None:
    review = await _review(ctx, source)
    own = {problem.id: problem for problem in review.problems if not problem.rule.startswith(("DL", "SC"))}
    assert {name: problem.patch is not None for name, problem in own.items()} == FOUND
    assert all(problem.rationale for problem in review.problems)
    assert (Path(source.path) / "Dockerfile").read_text() == POOR


async def test_the_value_of_a_secret_is_not_repeated(source: Source, ctx: Contexts) -> None:
    review = await _review(ctx, source)
    assert "abc123" not in "".join(problem.message + problem.rationale for problem in review.problems)


async def test_selected_patches_change_only_their_lines(source: Source, ctx: Contexts) -> None:
    review = await _review(ctx, source)
    choice = PatchSelection(ids=("wrong-port:7", "shell-form:8"))
    made = await ApplyPatches().execute(ctx(), source, review, choice)
    expected = POOR.replace("EXPOSE 8080", "EXPOSE 3000").replace("CMD node server.js", 'CMD ["node", "server.js"]')
    assert made.content == (Path(source.path) / "Dockerfile").read_text() == expected
    assert len(made.reasons) == 2


async def test_a_rollback_restores_the_old_text(source: Source, ctx: Contexts) -> None:
    before = sorted(Path(source.path).iterdir())
    review = await _review(ctx, source)
    stage = ApplyPatches()
    made = await stage.execute(ctx(), source, review, PatchSelection(ids=("wrong-port:7",)))
    await stage.rollback(ctx(), made)
    await stage.rollback(ctx(), made)
    assert (Path(source.path) / "Dockerfile").read_text() == POOR
    assert sorted(Path(source.path).iterdir()) == before


async def test_a_run_repeated_after_a_crash_writes_the_same_text(source: Source, ctx: Contexts) -> None:
    review = await _review(ctx, source)
    choice = PatchSelection(ids=("wrong-port:7",))
    first = await ApplyPatches().execute(ctx(), source, review, choice)
    again = await ApplyPatches().execute(ctx(), source, review, choice)
    assert first == again


async def test_patched_problems_are_gone(source: Source, ctx: Contexts) -> None:
    (Path(source.path) / "missing.txt").write_text("")
    review = await _review(ctx, source)
    patchable = [problem for problem in review.problems if problem.patch]
    one_per_line = {problem.id for problem in patchable} - {"lockfile-not-kept:5"}
    await ApplyPatches().execute(ctx(), source, review, PatchSelection(ids=tuple(sorted(one_per_line))))
    left = {problem.rule for problem in (await _review(ctx, source)).problems}
    assert left & {"cache-order", "wrong-port", "root-user", "shell-form", "no-health-check"} == set()


async def test_overlapping_patches_are_rejected_and_the_file_is_unchanged(source: Source, ctx: Contexts) -> None:
    review = await _review(ctx, source)
    with pytest.raises(StageFailure) as raised:
        await ApplyPatches().execute(
            ctx(), source, review, PatchSelection(ids=("cache-order:4", "lockfile-not-kept:5"))
        )
    assert raised.value.fault.code == "dockerfile.patches_overlap"
    assert (Path(source.path) / "Dockerfile").read_text() == POOR


async def test_patches_are_rejected_if_the_file_was_edited(source: Source, ctx: Contexts) -> None:
    review = await _review(ctx, source)
    (Path(source.path) / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(StageFailure) as raised:
        await ApplyPatches().validate(ctx(), source, review)
    assert raised.value.fault.code == "dockerfile.changed"


async def test_an_unknown_patch_is_rejected(source: Source, ctx: Contexts) -> None:
    with pytest.raises(StageFailure) as raised:
        await ApplyPatches().execute(ctx(), source, await _review(ctx, source), PatchSelection(ids=("secret:2",)))
    assert raised.value.fault.code == "dockerfile.patch_unknown"


@pytest.mark.parametrize(
    ("text", "code"),
    [(None, "dockerfile.not_found"), ("", "dockerfile.syntax"), ("COPY\n", "dockerfile.syntax"),
        ("# only a comment\n", "dockerfile.syntax"), ("ARG A=1\n", "dockerfile.syntax")],
)  # fmt: skip
async def test_a_file_that_cannot_be_reviewed_is_a_fault(
    text: str | None, code: str, source: Source, ctx: Contexts
) -> None:
    file = Path(source.path) / "Dockerfile"
    file.unlink() if text is None else file.write_text(text)
    with pytest.raises(StageFailure) as raised:
        await _review(ctx, source)
    assert raised.value.fault.code == code


async def test_problems_of_hadolint_are_added_if_it_is_installed(
    source: Source, ctx: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    (Path(source.path) / "Dockerfile").write_text(f"{POOR}RUN cd /tmp\n")
    monkeypatch.setenv("PATH", "/nowhere")
    without = await _review(ctx, source)
    assert without.hadolint is None
    monkeypatch.undo()
    assert lint(POOR)  # the test environment has it
    with_it = await _review(ctx, source)
    if with_it.hadolint:
        assert any(problem.rule == "DL3003" for problem in with_it.problems)


@pytest.mark.engine
@pytest.mark.timeout(120)
async def test_a_patched_dockerfile_builds(
    source: Source, ctx: Contexts, engine: DockerEngine, unique: Callable[[], str]
) -> None:
    (Path(source.path) / "missing.txt").write_text("")
    review = await _review(ctx, source)
    ids = tuple(p.id for p in review.problems if p.patch and p.rule != "lockfile-not-kept")
    made = await ApplyPatches().execute(ctx(), source, review, PatchSelection(ids=ids))
    image = await execute(BuildImage(engine), ctx(), source, BuildOptions(tag=unique()), made)
    assert image.user == "10001:10001"
    assert image.ports == (3000,)
    assert image.healthcheck
