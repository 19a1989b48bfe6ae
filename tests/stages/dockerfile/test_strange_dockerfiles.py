"""Unusual, broken and hostile Dockerfiles: each is reviewed or rejected, and patches keep every other byte."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.dockerfile import DockerfileReview, PatchSelection
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.dockerfile import ApplyPatches, ReviewDockerfile
from container_kit.stages.dockerfile.checks import ReviewContext, check
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.formats.dockerfile import parse_dockerfile
from stages.dockerfile.cases import module
from support.pipelines.contexts import Contexts

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


@pytest.fixture(autouse=True)
def without_hadolint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exclude hadolint, which a machine may have."""
    monkeypatch.setenv("PATH", "/nowhere")


async def _review(ctx: Contexts, folder: Path, content: bytes) -> DockerfileReview:
    (folder / "Dockerfile").write_bytes(content)
    web = module("python", port=8000, start_command="python app.py")
    source = Source(path=str(folder))
    return await ReviewDockerfile().execute(ctx(), source, Analysis(root=str(folder), modules=(web,)))


async def _patch(ctx: Contexts, folder: Path, review: DockerfileReview, *ids: str) -> bytes:
    await ApplyPatches().execute(ctx(), Source(path=str(folder)), review, PatchSelection(ids=ids))
    return (folder / "Dockerfile").read_bytes()


async def test_windows_line_ends_and_the_byte_order_mark_stay(ctx: Contexts, tmp_path: Path) -> None:
    before = b"\xef\xbb\xbfFROM python:3.13-slim\r\nEXPOSE 80\r\nUSER 1:1\r\nCMD python app.py\r\n"
    review = await _review(ctx, tmp_path, before)
    after = await _patch(ctx, tmp_path, review, "wrong-port:2", "shell-form:4")
    assert after == before.replace(b"EXPOSE 80", b"EXPOSE 8000").replace(
        b"CMD python app.py", b'CMD ["python", "app.py"]'
    )


async def test_a_file_without_a_final_newline_stays_without_it(ctx: Contexts, tmp_path: Path) -> None:
    review = await _review(ctx, tmp_path, b'FROM python:3.13-slim\nEXPOSE 80\nCMD ["x"]')
    assert await _patch(ctx, tmp_path, review, "wrong-port:2") == b'FROM python:3.13-slim\nEXPOSE 8000\nCMD ["x"]'


async def test_lines_after_a_heredoc_and_a_form_feed_are_counted_as_buildkit_counts_them(
    ctx: Contexts, tmp_path: Path
) -> None:
    text = '# a\fb\u2028c\nFROM python:3.13-slim\nRUN <<EOF\nEXPOSE 1\nUSER root\nEOF\nEXPOSE 80\nCMD ["x"]\n'
    review = await _review(ctx, tmp_path, text.encode())
    assert "wrong-port:7" in {problem.id for problem in review.problems}
    after = await _patch(ctx, tmp_path, review, "wrong-port:7")
    assert after.decode() == text.replace("EXPOSE 80", "EXPOSE 8000")


async def test_the_escape_directive_is_followed(ctx: Contexts, tmp_path: Path) -> None:
    text = '# escape=`\nFROM python:3.13-slim\nRUN echo a `\n  b\nEXPOSE 80\nCMD ["x"]\n'
    review = await _review(ctx, tmp_path, text.encode())
    assert await _patch(ctx, tmp_path, review, "wrong-port:5") == text.replace("EXPOSE 80", "EXPOSE 8000").encode()


@pytest.mark.parametrize(
    "content",
    [
        b"FROM x\n# caf\xe9\n",
        b"FROM x\0\n",
        bytes(range(256)) * 50,
        b"FROM x\n" + b"RUN true\n" * 200_000,
        b"\xff\xfeF\0R\0O\0M\0",
        b"RUN only\n",
        b"FROM\n",
        b"\n\n\n",
    ],
    ids=["latin-1", "zero", "binary", "large", "utf-16", "no base", "empty from", "blank"],
)
async def test_a_file_that_is_not_a_dockerfile_is_rejected_and_unchanged(
    content: bytes, ctx: Contexts, tmp_path: Path
) -> None:
    with pytest.raises(StageFailure) as raised:
        await _review(ctx, tmp_path, content)
    assert raised.value.fault.code in {"dockerfile.unreadable", "dockerfile.syntax"}
    assert (tmp_path / "Dockerfile").read_bytes() == content


async def test_a_long_dockerfile_is_reviewed_in_bounded_time(ctx: Contexts, tmp_path: Path) -> None:
    lines = ["FROM python:3.13-slim", *(f"COPY f{number} ./\nRUN npm install" for number in range(10_000)), 'CMD ["x"]']
    with anyio.fail_after(50):
        review = await _review(ctx, tmp_path, "\n".join(lines).encode())
    assert len([problem for problem in review.problems if problem.rule == "missing-source"]) == 10_000


_LINES = """
FROM a|from b as c|FROM $A|RUN x|RUN |COPY . .|COPY --from=c / /|ADD h u|ADD x|CMD x|CMD ["x"]|CMD '|CMD []|CMD|USER 0
ENTRYPOINT npm start|ENTRYPOINT []|EXPOSE 80|EXPOSE $P|EXPOSE|ENV A_TOKEN=1 B=2|ENV X y|ENV|ARG T|ARG|# x|RUN ["a"]|COPY
HEALTHCHECK CMD curl x|HEALTHCHECK NONE|HEALTHCHECK|RUN <<E|E|\\|# escape=`|RUN a \\|  && b|["|ONBUILD RUN x|\r|\f
USER|\u2028|RUN apt-get update|RUN apt-get install -y x|SHELL []|LABEL a|VOLUME x|COPY []|USER []|EXPOSE []|FROM []
"""
_PIECES = st.sampled_from(_LINES.replace("\n", "|").split("|"))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(pieces=st.lists(_PIECES, max_size=12))
def test_any_mixture_of_instructions_is_reviewed_or_rejected(
    pieces: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = "\n".join(pieces)
    try:
        dockerfile = parse_dockerfile(text)
        dockerfile.check()
    except StageFailure as failure:
        assert failure.fault.code == "dockerfile.syntax"  # noqa: PT017 - one of two outcomes
        return
    tree = ContextTree(tmp_path_factory.getbasetemp())
    web = module("python", port=8000, start_command="python app.py")
    problems = check(ReviewContext(dockerfile, web, tree, (), None))
    assert all(1 <= problem.line <= len(text.split("\n")) for problem in problems)
    assert len({problem.id for problem in problems}) == len(problems)
