"""Each kind of failed build, provoked for real: its code, its line, its message, and a repair."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from docker import APIClient

from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage
from container_kit.stages.build.failures import FAULTS
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.docker.engine import DockerEngine
from support.engine.proxy import EngineProxy
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.usefixtures("docker_config")]

Write = Callable[..., Path]

DEBIAN = "FROM debian:bookworm-slim\n"
PYTHON = "FROM python:3.11-slim\n"
NODE = "FROM node:20-slim\nWORKDIR /a\n"
JDK = "FROM eclipse-temurin:17-jdk\n"
LOCK = (
    '{"name":"x","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{"":{"name":"x","version":"1.0.0"}}}'
)
EXTENSION = """
from setuptools import setup, Extension
setup(name="x", version="1", ext_modules=[Extension("x", ["x.c"])])
"""
ARM_PROGRAM = r'printf "\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\267\000" > /x'


@dataclass(frozen=True)
class Case:
    code: str
    dockerfile: str
    line: int
    says: str
    """What the message must contain."""
    files: dict[str, str] = field(default_factory=dict)
    options: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.code


def package(**fields: str) -> dict[str, str]:
    extra = "".join(f', "{name}": {value}' for name, value in fields.items())
    return {"package.json": f'{{"name": "x", "version": "1.0.0"{extra}}}'}


CASES = [
    # the Dockerfile
    Case("build.frontend_too_old", DEBIAN + "RUN <<EOF\necho hi\nEOF\n", 2, "here-document"),
    Case("build.frontend_too_old", DEBIAN + "COPY --link a /a\n", 2, "--link", {"a": ""}),
    Case("dockerfile.syntax", DEBIAN + "\nCOPY --fro=x a /a\n", 3, "did you mean --from?", {"a": ""}),
    Case("dockerfile.syntax", DEBIAN + "ENV A=1 B\n", 2, 'can\'t find = in "B"'),
    Case("dockerfile.syntax", DEBIAN + "EXPOSE abc\n", 2, "nvalid containerPort"),
    # the context
    Case("build.file_not_found", DEBIAN + "COPY nope.txt /x\n", 2, "nope.txt does not exist"),
    Case(
        "build.file_ignored",
        DEBIAN + "COPY conf/a.txt /x\n",
        2,
        "conf/a.txt is excluded by the pattern conf (.dockerignore:2)",
        {"conf/a.txt": "", ".dockerignore": "*.md\nconf\n"},
    ),
    Case("build.file_outside_context", DEBIAN + "COPY ../x /x\n", 2, "../x is outside"),
    Case("build.file_not_found_in_stage", DEBIAN + "COPY --from=debian:bookworm-slim /nosuch /x\n", 2, "/nosuch"),
    Case(
        "build.stage_not_found",
        "FROM debian:bookworm-slim AS build\nFROM debian:bookworm-slim\nCOPY --from=biuld /etc/passwd /p\n",
        3,
        "no stage biuld, but build",
    ),
    # the base image
    Case("build.registry_unreachable", "FROM 127.0.0.1:1/x/y:1\n", 1, "127.0.0.1:1 does not answer"),
    Case("build.registry_not_found", "FROM nosuch.invalid/x:1\n", 1, "nosuch.invalid cannot be resolved"),
    Case("build.base_invalid", "FROM Debian:bookworm\n", 1, "must be lowercase"),
    Case("build.base_empty", "ARG BASE\nFROM ${BASE}\n", 2, "${BASE} is empty"),
    Case("build.platform_invalid", "FROM --platform=a/b/c/d debian:bookworm-slim\n", 1, "a/b/c/d is not a platform"),
    Case("build.user_not_found", DEBIAN + "USER nosuch\nRUN true\n", 3, "no user nosuch"),
    Case("build.download_failed", DEBIAN + "ADD http://nosuch.invalid/x /x\n", 2, "http://nosuch.invalid/x"),
    Case("build.secret_not_found", DEBIAN + "RUN --mount=type=secret,id=s,required=true true\n", 2, "the secret s"),
    Case("build.failed", DEBIAN + "COPY a /etc/passwd/x/\n", 2, "not a directory", {"a": ""}),
    # commands
    Case("build.shell_not_found", "FROM scratch\nCOPY a /a\nRUN true\n", 3, "no shell /bin/sh", {"a": ""}),
    Case("build.command_not_found", DEBIAN + "RUN frobnicate --now\n", 2, "no command frobnicate"),
    Case(
        "build.not_executable",
        DEBIAN + "COPY s.sh /\nRUN /s.sh\n",
        3,
        "/s.sh is not executable",
        {"s.sh": "#!/bin/sh\n"},
    ),
    Case(
        "build.line_endings",
        DEBIAN + "COPY s.sh /\nRUN chmod +x /s.sh && /s.sh\n",
        3,
        "/s.sh has Windows line endings",
        {"s.sh": "#!/bin/bash\r\necho\r\n"},
    ),
    Case(
        "build.line_endings_inside",
        DEBIAN + "COPY s.sh /\nRUN sh /s.sh\n",
        3,
        "Windows line endings",
        {"s.sh": "set -e\r\n"},
    ),
    Case("build.shell_syntax", DEBIAN + "RUN echo 'a\n", 2, "Unterminated quoted string"),
    Case("build.exec_format_error", DEBIAN + f"RUN {ARM_PROGRAM} && chmod +x /x && /x\n", 2, "another architecture"),
    Case("build.process_killed", DEBIAN + 'RUN sh -c "kill -9 \\$\\$"\n', 2, "killed"),
    Case("build.disk_full", DEBIAN + "RUN dd if=/dev/zero of=/dev/full bs=1k count=1\n", 2, "no space"),
    Case("build.permission_denied", DEBIAN + "USER 1000\nRUN touch /etc/x\n", 3, "/etc/x"),
    Case("build.permission_denied", DEBIAN + "USER 1000\nRUN apt-get update\n", 3, "/var/lib/apt/lists/lock"),
    Case("build.read_only_filesystem", DEBIAN + "RUN --mount=type=bind,target=/m touch /m/x\n", 2, "/m/x"),
    Case("build.step_failed", DEBIAN + "RUN echo bye && exit 9\n", 2, "exited with code 9"),
    # apt
    Case("build.apt_not_updated", DEBIAN + "RUN apt-get install -y hello\n", 2, "did not fetch them"),
    Case(
        "build.apt_package_not_found", DEBIAN + "RUN apt-get update && apt-get install -y nosuchpkg\n", 2, "nosuchpkg"
    ),
    Case(
        "build.apt_version_not_found", DEBIAN + "RUN apt-get update && apt-get install hello=99.1\n", 2, "99.1 of hello"
    ),
    Case(
        "build.apt_source_invalid",
        DEBIAN + 'RUN echo "deb http://deb.debian.org/debian nosuch main" > /x.list'
        " && apt-get update -o Dir::Etc::sourcelist=/x.list -o Dir::Etc::sourceparts=-\n",
        2,
        "debian nosuch Release",
    ),
    Case(
        "build.apt_unsigned",
        DEBIAN + "RUN rm -rf /etc/apt/trusted.gpg.d/* /usr/share/keyrings/* && apt-get update\n",
        2,
        "no key for the repository http",
    ),
    # pip
    Case("build.package_not_found", PYTHON + "RUN pip install nosuch-package-zz-zz\n", 2, "nosuch-package-zz-zz"),
    Case("build.package_version_not_found", PYTHON + "RUN pip install six==99.0\n", 2, "six==99.0"),
    Case(
        "build.dependency_conflict",
        PYTHON + 'RUN pip install "urllib3<1.21" "requests==2.32.3"\n',
        2,
        "requirements conflict",
    ),
    Case("build.manifest_not_found", PYTHON + "RUN pip install -r r.txt\n", 2, "r.txt is not in the image yet"),
    Case(
        "build.manifest_invalid",
        PYTHON + "COPY r.txt .\nRUN pip install -r r.txt\n",
        3,
        "flask=>1 is not a requirement",
        {"r.txt": "six\nflask=>1\n"},
    ),
    Case(
        "build.runtime_unsupported",
        PYTHON + "COPY p /p\nRUN pip install /p\n",
        3,
        "needs Python >=3.99",
        {"p/pyproject.toml": '[project]\nname="x"\nversion="1"\nrequires-python=">=3.99"\n'},
    ),
    Case(
        "build.hash_mismatch",
        PYTHON + f'RUN echo "six==1.16.0 --hash=sha256:{"0" * 64}" > r && pip install -r r\n',
        2,
        "hash",
    ),
    Case("build.git_not_found", PYTHON + "RUN pip install git+https://example.invalid/x.git\n", 2, "git is required"),
    Case(
        "build.compiler_not_found",
        PYTHON + "COPY p /p\nRUN pip install setuptools wheel && pip install --no-build-isolation /p\n",
        3,
        "no gcc",
        {"p/setup.py": EXTENSION, "p/x.c": "#include <Python.h>\n"},
    ),
    # npm
    Case("build.package_not_found", NODE + "RUN npm install nosuch-package-zz-zz\n", 3, "nosuch-package-zz-zz"),
    Case("build.package_version_not_found", NODE + "RUN npm install is-odd@99.0.0\n", 3, "is-odd@99.0.0"),
    Case("build.lockfile_not_found", NODE + "COPY package.json .\nRUN npm ci\n", 4, "needs a lock file", package()),
    Case(
        "build.lockfile_outdated",
        NODE + "COPY . .\nRUN npm ci\n",
        4,
        "does not match package.json",
        {**package(dependencies='{"is-odd": "3.0.1"}'), "package-lock.json": LOCK},
    ),
    Case(
        "build.manifest_invalid",
        NODE + "COPY . .\nRUN npm install\n",
        4,
        "not valid JSON",
        {"package.json": '{"name":"x",}'},
    ),
    Case("build.manifest_not_found", NODE + "RUN npm run build\n", 3, "/a/package.json is not in the image"),
    Case("build.script_not_found", NODE + "COPY . .\nRUN npm run build\n", 4, "no script build", package()),
    Case(
        "build.dependency_conflict",
        NODE + "COPY . .\nRUN npm install\n",
        4,
        "peer dependencies",
        package(dependencies='{"react": "17.0.2", "react-dom": "18.2.0"}'),
    ),
    Case(
        "build.runtime_unsupported",
        NODE + "COPY . .\nRUN npm install --engine-strict\n",
        4,
        "Node.js",
        package(engines='{"node": ">=99"}'),
    ),
    # the network
    Case(
        "build.index_unreachable",
        NODE + "RUN npm install --fetch-retries 0 --registry http://nosuch.invalid is-odd\n",
        3,
        "http://nosuch.invalid/is-odd cannot be reached",
    ),
    Case(
        "build.index_unreachable",
        PYTHON + "RUN pip install --retries 1 --index-url http://127.0.0.1:9/simple six\n",
        2,
        "127.0.0.1 cannot be reached",
    ),
    Case(
        "build.index_unreachable",
        PYTHON
        + """RUN python -c "import socket, time; s = socket.create_server(('', 81)); time.sleep(9)" & sleep 0.3; \\
    pip install --retries 1 --timeout 0.5 --index-url http://127.0.0.1:81/simple six\n""",
        2,
        "127.0.0.1 cannot be reached",
    ),
    Case(
        "build.dns_failure",
        PYTHON + "RUN python -c \"import socket; socket.getaddrinfo('nosuch.invalid', 80)\"\n",
        2,
        "cannot be resolved",
    ),
    Case(
        "build.connection_refused",
        PYTHON + "RUN python -c \"import socket; socket.create_connection(('127.0.0.1', 9))\"\n",
        2,
        "could not be reached",
    ),
    Case(
        "build.connection_timeout",
        PYTHON + 'RUN python -c "import errno, os; raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))"\n',
        2,
        "did not answer in time",
    ),
    # code
    Case("build.module_not_found", PYTHON + 'RUN python -c "import nosuch"\n', 2, "module nosuch"),
    Case("build.module_not_found", NODE + "RUN node -e \"require('nosuch')\"\n", 3, "module nosuch"),
    Case(
        "build.source_syntax",
        PYTHON + "COPY a.py .\nRUN python -m py_compile a.py\n",
        3,
        "SyntaxError",
        {"a.py": "def f(:\n"},
    ),
    Case(
        "build.compile_error",
        JDK + "COPY A.java .\nRUN javac A.java\n",
        3,
        "A.java:1",
        {"A.java": 'class A { int x = ""; }'},
    ),
    Case(
        "build.release_unsupported",
        JDK + "COPY A.java .\nRUN javac --release 25 A.java\n",
        3,
        "Java 25",
        {"A.java": ""},
    ),
    Case(
        "build.out_of_memory",
        NODE + 'RUN node --max-old-space-size=20 -e "const a=[];for(;;)a.push({x:[1,2]})"\n',
        3,
        "out of memory",
    ),
]


async def _failing(stage: BuildImage, ctx: Contexts, root: Path, **options: object) -> Fault:
    with pytest.raises(StageFailure) as caught:
        await execute(stage, ctx(), Source(path=str(root)), BuildOptions(**options))  # type: ignore[arg-type] # fields
    return caught.value.fault


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_failed_build_says_what_to_repair_and_where(
    case: Case, stage: BuildImage, ctx: Contexts, write: Write, unique: Callable[[], str]
) -> None:
    root = write(Dockerfile=case.dockerfile, **case.files)
    fault = await _failing(stage, ctx, root, tag=unique(), **case.options)
    assert (fault.code, case.says in fault.message) == (case.code, True), fault
    place = f"Dockerfile:{case.line}"
    assert fault.message.startswith(f"{place}: ")
    assert any(evidence.kind == "instruction" and evidence.where == place for evidence in fault.evidence)
    assert "{" not in fault.hint.replace("${", "")
    assert fault.next_actions or fault.code == "build.failed"


@pytest.fixture
def pushed(docker_api: APIClient, tiny_image: str) -> Callable[..., str]:
    """Pushes the tiny image to a registry: `pushed("HOST:PORT")` gives its name there."""

    def push(registry: str, auth: dict[str, str] | None = None, path: str = "app") -> str:
        name = f"{registry}/{path}"
        docker_api.tag(tiny_image, name, "1")
        said = docker_api.push(name, "1", auth_config=auth)
        docker_api.remove_image(f"{name}:1")
        assert "error" not in said, said
        return f"{name}:1"

    return push


async def test_a_base_image_that_the_registry_does_not_have(
    stage: BuildImage, ctx: Contexts, write: Write, registry: Callable[..., str]
) -> None:
    fault = await _failing(stage, ctx, write(Dockerfile=f"\nFROM {registry()}/nosuch:9\n"))
    assert fault.code == "build.base_not_found"
    assert "nosuch:9" in fault.message
    assert fault.message.startswith("Dockerfile:2: ")


async def test_a_base_image_without_the_platform(
    stage: BuildImage, ctx: Contexts, write: Write, registry: Callable[..., str], pushed: Callable[..., str]
) -> None:
    host = registry()
    pushed(host)
    _list_as_arm_only(host)
    fault = await _failing(stage, ctx, write(Dockerfile=f"FROM {host}/app:arm\nRUN true\n"))
    assert fault.code == "build.base_platform_unavailable"


def _list_as_arm_only(host: str) -> None:
    """Make a list of platforms, `app:arm`, that offers `app:1` for arm64 alone."""
    one = "application/vnd.docker.distribution.manifest.v2+json"
    many = "application/vnd.docker.distribution.manifest.list.v2+json"
    got = requests.get(f"http://{host}/v2/app/manifests/1", headers={"Accept": one}, timeout=10)
    entry = {
        "mediaType": one,
        "size": len(got.content),
        "digest": got.headers["Docker-Content-Digest"],
        "platform": {"os": "linux", "architecture": "arm64"},
    }
    body = {"schemaVersion": 2, "mediaType": many, "manifests": [entry]}
    url = f"http://{host}/v2/app/manifests/arm"
    requests.put(url, data=json.dumps(body), headers={"Content-Type": many}, timeout=10).raise_for_status()


# the user `tester` with the password `letmein`, as htpasswd writes it
USERS = "tester:$2y$04$ZRaFv/b2VCu7o8sKvyI.B.kpJDetv.RrWwCwhZ0dmhop62xaKBDZe\n"


AUTHS = '{"auths": {"%s": {"auth": "dGVzdGVyOmxldG1laW4="}}}'


def _log_in_with_docker(folder: Path, host: str) -> None:
    (folder / "config.json").write_text(AUTHS % host)


def _log_in_with_podman(folder: Path, host: str) -> None:
    (folder / "containers").mkdir()
    (folder / "containers" / "auth.json").write_text(AUTHS % f"{host}/team")


@pytest.mark.parametrize("log_in_with", [_log_in_with_docker, _log_in_with_podman])
@pytest.mark.parametrize("podman", [False, True], ids=["session", "classic"])
async def test_a_private_base_image_builds_with_a_login_of_docker_or_podman(
    proxy: Callable[..., EngineProxy],
    ctx: Contexts,
    write: Write,
    unique: Callable[[], str],
    registry: Callable[..., str],
    pushed: Callable[..., str],
    docker_config: Path,
    log_in_with: Callable[[Path, str], None],
    podman: bool,
) -> None:
    host = registry(users=USERS)
    base = pushed(host, {"username": "tester", "password": "letmein"}, path="team/base")
    root = write(Dockerfile=f"FROM {base}\nRUN true\n")
    stage = BuildImage(DockerEngine(proxy(podman=podman).host))
    fault = await _failing(stage, ctx, root)
    assert fault.code == "build.base_unauthorized"
    log_in_with(docker_config, host)
    image = await execute(stage, ctx(), Source(path=str(root)), BuildOptions(tag=unique()))
    assert image.builder == ("classic" if podman else "buildkit-session")


async def test_credentials_that_cannot_be_read_are_the_fault_of_a_private_base_image(
    stage: BuildImage,
    ctx: Contexts,
    write: Write,
    registry: Callable[..., str],
    pushed: Callable[..., str],
    docker_config: Path,
) -> None:
    base = pushed(registry(users=USERS), {"username": "tester", "password": "letmein"})
    (docker_config / "config.json").write_text('{"credsStore": "missing"}')
    fault = await _failing(stage, ctx, write(Dockerfile=f"FROM {base}\n"))
    assert fault.code == "registry.credential_helper_failed"


async def test_registries_without_trusted_tls(
    stage: BuildImage, ctx: Contexts, write: Write, registry: Callable[..., str], certificate: tuple[Path, Path]
) -> None:
    outside = _own_address()
    plain = await _failing(stage, ctx, write(Dockerfile=f"FROM {registry(host=outside)}/x:1\n"))
    cert, key = certificate
    unknown = await _failing(stage, ctx, write(Dockerfile=f"FROM {registry(host=outside, cert=cert, key=key)}/x:1\n"))
    assert (plain.code, unknown.code) == ("build.registry_insecure", "build.registry_tls")


def _own_address() -> str:
    """An address of this machine that the engine does not take for a local one."""
    return subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()[0]


SERVER = """
import http.server, ssl, sys
class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404); self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", 8443), Index)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
FETCH = """
import urllib.request, urllib.error
try:
    urllib.request.urlopen("https://localhost:8443/")
except urllib.error.HTTPError as error:
    print("answered", error.code)
"""


async def test_an_untrusted_certificate_inside_the_build_is_repaired_by_the_action_that_the_fault_offers(
    stage: BuildImage,
    ctx: Contexts,
    write: Write,
    unique: Callable[[], str],
    certificate: tuple[Path, Path],
    docker_api: APIClient,
) -> None:
    cert, key = certificate
    root = write(
        Dockerfile=PYTHON + "COPY . .\nRUN \\\n  python server.py & \\\n  # wait\n  sleep 1; python fetch.py\n",
        **{"server.py": SERVER, "fetch.py": FETCH, "cert.pem": cert.read_text(), "key.pem": key.read_text()},
    )
    fault = await _failing(stage, ctx, root, tag=unique())
    assert fault.code == "build.tls_untrusted"
    assert list(fault.next_actions[0].arguments) == ["ca_file"]
    image = await execute(stage, ctx(), Source(path=str(root)), BuildOptions(tag=unique(), ca_file="cert.pem"))
    assert "answered 404" in ctx.lines
    assert "/run/secrets" not in " ".join(ctx.messages)
    inside = docker_api.inspect_image(image.id)["Config"]["Env"]
    assert not any("container-kit" in variable for variable in inside)


def test_every_kind_of_failure_is_provoked_here_or_recorded() -> None:
    provoked = {case.code for case in CASES}
    text = Path(__file__).read_text() + Path(__file__).with_name("test_recorded_failures.py").read_text()
    missing = [code.code for code in FAULTS if code.code not in provoked and f'"{code.code}"' not in text]
    assert missing == []
