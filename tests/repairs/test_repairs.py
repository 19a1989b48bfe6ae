"""Faults are provoked by a real call, and repaired by the first next action as it stands.

Where the repair is an edit, the file that the fault names is edited before.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client

from container_kit import Workspace
from container_kit.pipelines.runs.service import RunService
from container_kit.tools.protocol.tool_adapter import TOOL_FAILURE
from container_kit.tools.results.fault import TEXT_LIMIT
from support.mcp.tools import connected

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(180)]

Files = Mapping[str, str | None]
HERE = {"path": "{app}"}
BUILT = {"Dockerfile": "FROM {base} AS built\n"}
PLAIN = {"Dockerfile": "FROM {base}\n"}
SERVE = 'CMD ["httpd", "-f", "-p", "8080", "-h", "/tmp"]\n'
FLASK = {
    "app.py": "from flask import Flask\napp = Flask(__name__)\n",
    "requirements.txt": "flask==3.0.0\n",
}


@dataclass(frozen=True)
class Case:
    """`{app}` is the folder and the application's name, `{base}` an image with busybox."""

    code: str
    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    files: Files = field(default_factory=dict)
    mend: Files = field(default_factory=dict)
    """Files as they are after the repair, None for one that is gone."""
    before: tuple[str, ...] = ()
    """Tools that are called for the folder first."""
    by: str | None = None
    """The tool of the first next action, where it is another."""

    def __str__(self) -> str:
        return self.code


def build(code: str, broken: str, mended: str | None = None, **files: str) -> Case:
    """A build that fails by its Dockerfile, and its Dockerfile as it should be."""
    mend = {"Dockerfile": f"FROM {{base}}\n{mended}\n"} if mended is not None else {}
    return Case(code, "build", HERE, {"Dockerfile": f"FROM {{base}}\n{broken}\n", **files}, mend)


BUILDS = (
    build("build.file_not_found", "COPY nope.txt /tmp/", "COPY page.txt /tmp/", **{"page.txt": "hello"}),
    build("build.command_not_found", "RUN mispelt", "RUN true"),
    build("build.step_failed", "RUN false", "RUN true"),
    build("build.shell_syntax", "RUN if true; then", "RUN if true; then true; fi"),
    build("build.not_executable", "COPY go.sh /tmp/\nRUN /tmp/go.sh", "RUN true", **{"go.sh": "#!/bin/sh\n"}),
    build("build.user_not_found", "USER nobody-here\nRUN true", "RUN true"),
    build("build.file_not_found_in_stage", "COPY --from={base} /nope /tmp/", "COPY --from={base} /bin/sh /tmp/"),
    build("dockerfile.syntax", "RUNN true", "RUN true"),
    Case("dockerfile.syntax", "build", HERE, {"Dockerfile": "RUN true\n"}, {"Dockerfile": "FROM {base}\n"}),
    Case("build.base_invalid", "build", HERE, {"Dockerfile": "FROM Bad\n"}, {"Dockerfile": "FROM {base}\n"}),
    Case(
        "build.file_ignored",
        "build",
        {"path": "{app}"},
        {"Dockerfile": "FROM {base}\nCOPY page.txt /tmp/\n", ".dockerignore": "*.txt\n", "page.txt": "hello"},
        {".dockerignore": "*.log\n"},
    ),
    Case(
        "build.target_not_found", "build", {"path": "{app}", "target": "bilt"}, {"Dockerfile": "FROM {base} AS built\n"}
    ),
    Case("image.reference_invalid", "build", {"path": "{app}", "tag": "{app}:NOT OK"}, PLAIN),
    Case(
        "build.secret_not_found",
        "build",
        {"path": "{app}", "secrets": {"key": "file:key.txt"}},
        {"Dockerfile": "FROM {base}\n"},
        {"key.txt": "planted"},
    ),
)
SOURCES = (
    Case("path.not_found", "analyze", {"path": "{app}x"}, FLASK),
    Case("path.not_a_directory", "analyze", {"path": "{app}/app.py"}, FLASK),
    Case("analyze.empty", "analyze", HERE, mend=FLASK),
    Case("analyze.module_missing", "analyze", {"path": "{app}", "module": "api"}, FLASK),
    Case("dockerfile.not_found", "build", HERE, FLASK, by="write-dockerfile"),
    Case("dockerfile.exists", "write-dockerfile", HERE, {**FLASK, "Dockerfile": "FROM x\n"}),
    Case("request.invalid", "analyze", {"pth": "{app}"}, FLASK),
)
SERVING = {"Dockerfile": "FROM {base}\nEXPOSE 8080\n" + SERVE}
DEPLOYMENTS = (
    Case("image.not_built", "deploy", {"path": "{app}", "name": "{app}"}, SERVING, by="build"),
    Case("image.not_found", "deploy", {"image": "{app}:lates", "name": "{app}"}, SERVING, before=("build",)),
    Case("deploy.option_invalid", "deploy", {"path": "{app}", "name": "{app}!"}, SERVING, before=("build",)),
    Case(
        "deploy.env_file_not_found",
        "deploy",
        {"path": "{app}", "name": "{app}", "env_file": "nope.env"},
        SERVING,
        before=("build",),
    ),
    Case(
        "deploy.env_file_invalid",
        "deploy",
        {"path": "{app}", "name": "{app}", "env_file": "app.env"},
        {**SERVING, "app.env": "no equals sign\n"},
        {"app.env": "COLOUR=blue\n"},
        before=("build",),
    ),
    Case(
        "deploy.wrong_port",
        "deploy",
        {"path": "{app}", "name": "{app}", "container_port": 9999, "health_timeout": 3},
        SERVING,
        before=("build",),
    ),
    Case("deploy.port_in_use", "deploy", {"path": "{app}", "name": "{app}", "port": 0}, SERVING, before=("build",)),
)
PORTS = 'CMD ["sh", "-c", "httpd -p 8081 -h /tmp; exec httpd -f -p 8080 -h /tmp"]\n'
HOG = 'CMD ["sh", "-c", "dd if=/dev/zero of=/dev/null bs=48M count=1 && exec httpd -f -p 8080 -h /tmp"]\n'
SICK = r"""EXPOSE 8080
RUN mkdir -p /www/cgi-bin && cd /www/cgi-bin \
 && printf '#!/bin/sh\nprintf "Status: 503 Broken\\r\\n\\r\\n"\n' >health && chmod 755 health
CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]
"""
NAMED = {"path": "{app}", "name": "{app}"}
SOON = {**NAMED, "health_timeout": 8}


def served(code: str, wrong: str) -> Case:
    """A deployment that fails by its Dockerfile; once that is mended, it is built and deployed anew."""
    image = {"Dockerfile": f"FROM {{base}}\n{wrong}\n"}
    return Case(code, "deploy", NAMED, image, SERVING, before=("build",), by="full-deployment")


BUILT_ANEW = (
    served("deploy.exited", 'EXPOSE 8080\nCMD ["false"]'),
    served("deploy.command_not_found", 'EXPOSE 8080\nCMD ["/nowhere/run"]'),
    served("deploy.loopback_only", 'EXPOSE 8080\nCMD ["httpd", "-f", "-p", "127.0.0.1:8080", "-h", "/tmp"]'),
    Case(
        "deploy.unhealthy",
        "deploy",
        {**SOON, "health_path": "/cgi-bin/health"},
        {"Dockerfile": "FROM {base}\n" + SICK},
        SERVING,
        before=("build",),
        by="full-deployment",
    ),
    Case(
        "deploy.port_not_found",
        "deploy",
        SOON,
        {"Dockerfile": 'FROM {base}\nCMD ["sleep", "600"]\n'},
        SERVING,
        before=("build",),
        by="full-deployment",
    ),
)
ASKED_ANEW = (
    Case("deploy.port_not_found", "deploy", NAMED, {"Dockerfile": "FROM {base}\n" + PORTS}, before=("build",)),
    Case(
        "deploy.out_of_memory",
        "deploy",
        {**NAMED, "memory_mb": 32},
        {"Dockerfile": "FROM {base}\nEXPOSE 8080\n" + HOG},
        before=("build",),
    ),
    Case("run.timeout", "build", {**HERE, "timeout": 10}, {"Dockerfile": "FROM {base}\nRUN sleep 600\n"}, PLAIN),
)
RUNS = (
    Case("run.not_found", "get-run", {"run": "0" * 24}, by="list-runs"),
    Case("run.no_image", "deploy", {"run": "{run}"}, {**SERVING, "app.py": ""}, before=("analyze",), by="build"),
    Case("run.stage_not_found", "get-run", {"run": "{run}", "stage": "analyse"}, FLASK, before=("analyze",)),
)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(RunService(Workspace([tmp_path]))) as client:
        yield client


@pytest.fixture
def taken_port() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("case", [*BUILDS, *SOURCES, *DEPLOYMENTS, *BUILT_ANEW, *ASKED_ANEW, *RUNS], ids=str)
async def test_the_first_next_action_repairs_the_fault(
    case: Case, client: Client, tmp_path: Path, tiny_image: str, unique: Callable[[], str], taken_port: int
) -> None:
    names = {"app": unique(), "base": tiny_image}
    folder = tmp_path / names["app"]
    folder.mkdir()
    put(folder, case.files, names)
    for tool in case.before:
        made = await call(client, tool, {"path": names["app"]})
        names["run"] = made.structured_content["run"]
    arguments = filled(case.arguments, names)
    if arguments.get("port") == 0:
        arguments["port"] = taken_port

    failed = await call(client, case.tool, arguments)
    fault = failed.structured_content
    assert failed.is_error
    assert fault["code"] == case.code, failed.content[0].text
    assert failed.meta[TOOL_FAILURE] == fault
    told(failed.content[0].text, fault)

    put(folder, case.mend, names)
    action = fault["next_actions"][0]
    assert action["tool"] in {case.by or case.tool, "retry-run"}
    assert (action["tool"], action["arguments"]) != (case.tool, arguments)  # never the identical call
    mended = await call(client, action["tool"], action["arguments"])
    assert not mended.is_error, mended.content[0].text


def told(text: str, fault: dict[str, Any]) -> None:
    """The text holds what the structure holds."""
    assert len(text) <= TEXT_LIMIT
    assert text.startswith(f"{fault['code']}: ")
    for field_name in ("message", "hint"):
        assert fault[field_name] in text
    for action in fault["next_actions"]:
        assert action["why"] in text
    assert not {"{", "}"} & set(fault["hint"].replace("${", "").replace('{"', ""))


async def call(client: Client, tool: str, arguments: dict[str, Any]) -> Any:
    with anyio.fail_after(120):
        return await client.call_tool(tool, arguments)


def put(folder: Path, files: Files, names: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        if text is None:
            path.unlink()
        else:
            path.write_text(replaced(text, names))


def filled(arguments: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {key: replaced(value, names) if isinstance(value, str) else value for key, value in arguments.items()}


def replaced(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


@pytest.mark.parametrize("size", [100, 1_000_000])
async def test_a_faults_text_fits_and_holds_the_end_of_the_log_whatever_the_log(
    size: int, client: Client, tmp_path: Path, tiny_image: str, unique: Callable[[], str]
) -> None:
    name = unique()
    (tmp_path / name).mkdir()
    step = f"RUN yes 'a line of a long log' | head -c {size}; echo the end of the log; exit 7"
    (tmp_path / name / "Dockerfile").write_text(f"FROM {tiny_image}\n{step}\n")
    failed = await call(client, "build", {"path": name})
    text = failed.content[0].text
    assert len(text) <= TEXT_LIMIT
    assert "the end of the log" in text
    assert "Dockerfile:2" in text
    assert "exited with code 7" in text
    assert text.splitlines()[0].startswith("build.step_failed: ")
    assert failed.meta[TOOL_FAILURE] == failed.structured_content
