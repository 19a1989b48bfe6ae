"""Each check: the problem that it finds, the Dockerfiles that it accepts, and the effect of its patch."""

from __future__ import annotations

from pathlib import Path

import pytest

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.dockerfile import DockerfileProblem, DockerfileReview, PatchSelection
from container_kit.stages.artifacts.source import Source
from container_kit.stages.dockerfile import ApplyPatches, ReviewDockerfile
from stages.dockerfile.cases import module, package
from support.pipelines.contexts import Contexts

pytestmark = pytest.mark.anyio

GOOD = """\
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev
COPY . .

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app /app
USER 10001:10001
EXPOSE 3000
HEALTHCHECK CMD ["node", "-e", "process.exit(0)"]
CMD ["node", "server.js"]
"""
CHANGES: tuple[tuple[str, str, str, bool], ...] = (
    ("unpinned-base", "FROM node:24-slim\n", "FROM node\n", True),
    ("unpinned-base", "FROM node:24-slim\n", "FROM node:latest\n", True),
    ("unpinned-base", "FROM node:24-slim\n", "FROM registry.example:5000/team/thing\n", False),
    ("end-of-life-base", "FROM node:24-slim\n", "FROM node:16-slim\n", False),
    ("end-of-life-base", "FROM node:24-slim\n", "FROM debian:buster\n", False),
    ("compiler-in-image", "FROM node:24-slim\n", "FROM golang:1.27-alpine\n", False),
    ("compiler-in-image", "USER 10001", "RUN apk add build-base\nUSER 10001", False),
    ("secret", "ENV NODE_ENV=production", "ENV NODE_ENV=production DB_PASSWORD=hunter2", False),
    ("secret", "WORKDIR /app\nCOPY package", "ARG NPM_TOKEN\nWORKDIR /app\nCOPY package", False),
    ("secret", "USER 10001", "RUN git clone https://joe:hunter22@example.com/x\nUSER 10001", False),
    ("secret-copied", "COPY . .", "COPY .env ./\nCOPY . .", False),
    ("missing-source", "COPY . .", "COPY nothing.txt ./\nCOPY . .", False),
    ("ignored-source", "COPY . .", "COPY secret.txt ./\nCOPY . .", False),
    ("add-remote", "COPY . .", "ADD https://example.com/tool /bin/\nCOPY . .", False),
    ("add-for-copy", "COPY . .", "ADD server.js ./\nCOPY . .", True),
    ("cache-order", "COPY package.json package-lock.json ./\n", "COPY . .\n", True),
    ("cache-mount", "RUN --mount=type=cache,target=/root/.npm npm ci", "RUN npm ci", True),
    ("stage-leak", "npm ci --omit=dev\nCOPY . .\n", "npm ci --omit=dev\nCOPY . .\nRUN npm run build\n", False),
    ("lockfile-not-kept", "npm ci --omit=dev", "npm install", True),
    ("apt-lists", "USER 10001", "RUN apt-get update && apt-get install -y curl\nUSER 10001", True),
    ("apt-update-alone", "USER 10001", "RUN apt-get update\nRUN apt-get install -y curl\nUSER 10001", True),
    ("wrong-port", "EXPOSE 3000", "EXPOSE 8080", True),
    ("no-expose", "EXPOSE 3000\n", "", True),
    ("root-user", "USER 10001:10001\n", "", True),
    ("root-user", "USER 10001:10001", "USER root", True),
    ("shell-form", 'CMD ["node", "server.js"]', "CMD node server.js", True),
    ("shell-form", 'CMD ["node", "server.js"]', "CMD migrate && node server.js", False),
    ("package-manager-pid-1", 'CMD ["node", "server.js"]', 'CMD ["npm", "start"]', True),
    ("development-server", 'CMD ["node", "server.js"]', 'CMD ["npx", "nodemon", "server.js"]', False),
    ("development-server", 'CMD ["node", "server.js"]', 'CMD ["uvicorn", "main:app", "--reload"]', True),
    ("development-server", 'CMD ["node", "server.js"]', "CMD python manage.py runserver 0.0.0.0:3000", False),
    ("development-mode", "ENV NODE_ENV=production", "ENV NODE_ENV=development", False),
    ("no-health-check", 'HEALTHCHECK CMD ["node", "-e", "process.exit(0)"]\n', "", True),
    ("health-program-missing", '["node", "-e", "process.exit(0)"]', "curl -f http://localhost:3000/", True),
    ("health-localhost", "process.exit(0)", "fetch('http://localhost:3000/')", True),
    ("health-localhost", '["node", "-e", "process.exit(0)"]', "nc -z localhost 3000", True),
    ("health-localhost", '["node", "-e", "process.exit(0)"]', '["check", "LOCALHOST:3000/health"]', True),
    ("secret", "USER 10001", "RUN <<EOF\ngit clone https://joe:hunter22@example.com/x\nEOF\nUSER 10001", False),
    ("secret-copied", "COPY . .", 'COPY [".env", "./"]\nCOPY . .', False),
    ("lockfile-not-kept", "npm ci --omit=dev", "<<EOF\nset -e\nnpm install\necho done\nEOF", True),
    ("apt-lists", "USER 10001", "RUN <<EOF\napt-get update\napt-get install -y curl\nEOF\nUSER 10001", False),
)
"""A rule, a change of a good Dockerfile, and whether the problem has a patch."""


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "package.json").write_text(package(scripts={"start": "node server.js"}))
    for name in ("package-lock.json", "server.js", ".env", "secret.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / ".dockerignore").write_text("secret.txt\n")
    return Source(path=str(tmp_path))


async def _review(ctx: Contexts, source: Source, text: str | None = None) -> DockerfileReview:
    """Review the Dockerfile without the problems of hadolint."""
    if text is not None:
        (Path(source.path) / "Dockerfile").write_bytes(text.encode())
    express = module("javascript", package_manager="npm", start_command="npm start", start_program="node server.js",
        port=3000, manifests=("package.json", "package-lock.json"), place="server.js:1")  # fmt: skip
    review = await ReviewDockerfile().execute(ctx(), source, Analysis(root=source.path, modules=(express,)))
    own = tuple(problem for problem in review.problems if not problem.rule.startswith(("DL", "SC")))
    return review.model_copy(update={"problems": own})


async def test_a_good_dockerfile_has_no_problem(ctx: Contexts, source: Source) -> None:
    assert (await _review(ctx, source, GOOD)).problems == ()


@pytest.mark.parametrize(("rule", "old", "new", "patched"), CHANGES)
async def test_one_problem_is_found_and_its_patch_removes_it(
    rule: str, old: str, new: str, patched: bool, ctx: Contexts, source: Source
) -> None:
    assert GOOD.count(old) == 1 or old == "FROM node:24-slim\n"
    review = await _review(ctx, source, new.join(GOOD.rsplit(old, 1)))
    found = [problem for problem in review.problems if problem.rule == rule]
    assert len(found) == 1
    _assert_complete(found[0])
    assert (found[0].patch is not None) is patched
    if patched:
        await ApplyPatches().execute(ctx(), source, review, PatchSelection(ids=(found[0].id,)))
        assert rule not in {problem.rule for problem in (await _review(ctx, source)).problems}


def _assert_complete(problem: DockerfileProblem) -> None:
    assert problem.id.startswith(f"{problem.rule}:{problem.line}")
    assert problem.message
    assert problem.rationale
    assert "hunter2" not in problem.model_dump_json()


async def test_a_missing_ignore_file_is_written_and_does_not_exclude_copied_files(
    ctx: Contexts, source: Source
) -> None:
    ignore = Path(source.path) / ".dockerignore"
    ignore.unlink()
    review = await _review(ctx, source, GOOD.replace("COPY . .", "COPY .env ./\nCOPY . ."))
    stage, choice = ApplyPatches(), PatchSelection(ids=("no-dockerignore:6",))
    made = await stage.execute(ctx(), source, review, choice)
    assert ".git\n" in ignore.read_text()
    left = {problem.rule for problem in (await _review(ctx, source)).problems}
    assert left == {"secret-copied"}
    await stage.rollback(ctx(), made)
    assert not ignore.exists()


async def test_two_problems_of_one_rule_on_one_line_have_different_ids(ctx: Contexts, source: Source) -> None:
    review = await _review(ctx, source, GOOD.replace("COPY . .", "COPY one two ./\nCOPY . ."))
    assert [problem.id for problem in review.problems] == ["missing-source:5", "missing-source:5.2"]


async def test_the_dockerfile_of_a_module_is_compared_with_its_folder(ctx: Contexts, tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "server.js").write_text("")
    (tmp_path / "api" / "Dockerfile").write_text("FROM node:24-slim\nCOPY server.js ./\nCOPY lost.js ./\n")
    api = module("javascript", path="api", port=3000, start_command="node server.js")
    source = Source(path=str(tmp_path), module="api")
    review = await ReviewDockerfile().execute(ctx(), source, Analysis(root=str(tmp_path), modules=(api,)))
    assert [problem.id for problem in review.problems if problem.rule == "missing-source"] == ["missing-source:3"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("COPY . .", "COPY <<EOF /etc/users\nUSER root\nEXPOSE 80\nEOF\nCOPY . ."),
        ("EXPOSE 3000", "ARG PORT=3000\nEXPOSE $PORT"),
        ("EXPOSE 3000", "EXPOSE 9090\nEXPOSE 3000-3001/tcp"),
        ("USER 10001:10001", "ARG USER=10001\nUSER ${USER}"),
        ("\nCMD [", "\nFROM final\nCMD ["),
        ('"process.exit(0)"', '"/app/localhost.js"'),
        ('"process.exit(0)"', "\"fetch('https://localhost:3000/')\""),
        ('["node", "-e", "process.exit(0)"]', "check -H 'Host: localhost' http://127.0.0.1:3000/"),
        ("FROM node:24-slim\nENV", "FROM node:24-slim\nRUN <<EOF\nrm -f /etc/motd\nEOF\nENV"),
    ],
    ids=["heredoc", "port variable", "second port", "user variable", "continued stage", "file name", "certificate",
        "host header", "script"],
)  # fmt: skip
async def test_an_equivalent_dockerfile_has_no_problem_either(
    old: str, new: str, ctx: Contexts, source: Source
) -> None:
    text = GOOD.replace(old, new, 1)
    text = text.replace("\nFROM node:24-slim\nENV", "\nFROM node:24-slim AS final\nENV")
    assert [problem.id for problem in (await _review(ctx, source, text)).problems] == []


def test_the_documentation_lists_every_rule() -> None:
    page = (Path(__file__).parents[3] / "docs" / "dockerfile.md").read_text()
    assert {rule for rule, *_ in CHANGES if f"`{rule}`" not in page} == set()


async def test_dependencies_of_the_host_that_would_be_copied_are_an_error_until_they_are_excluded(
    ctx: Contexts, source: Source
) -> None:
    (Path(source.path) / "node_modules" / "left").mkdir(parents=True)
    review = await _review(ctx, source, GOOD)
    assert [(problem.rule, problem.severity) for problem in review.problems] == [("host-folder", "error")]
    assert "**/node_modules" in review.problems[0].rationale
    (Path(source.path) / ".dockerignore").write_text("secret.txt\n**/node_modules\n")
    assert (await _review(ctx, source)).problems == ()


async def test_npm_ci_without_a_lock_file_is_an_error_whose_patch_installs_without_one(
    ctx: Contexts, source: Source
) -> None:
    (Path(source.path) / "package-lock.json").unlink()
    review = await _review(ctx, source, GOOD.replace(" package-lock.json", ""))
    found = [problem for problem in review.problems if problem.rule == "no-lockfile"]
    assert [(problem.severity, problem.patch is not None) for problem in found] == [("error", True)]
