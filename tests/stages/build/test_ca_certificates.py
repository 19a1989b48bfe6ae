"""A private CA is trusted by real programs inside a real build, and the image keeps no trace of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from docker import APIClient

from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage
from container_kit.stages.build.ca_certificates import EXPORT, MOUNT, SECRET_ID, inject, original
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.formats.dockerfile import parse_dockerfile
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

Write = Callable[..., Path]

PYTHON_SERVER = """
import http.server, ssl
class Index(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), Index)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem", "server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
open("/tmp/ready", "w").close()
server.serve_forever()
"""
NODE_SERVER = """
const fs = require("fs");
const read = { cert: fs.readFileSync("server.pem"), key: fs.readFileSync("server.key") };
const versions = { "1.2.3": { name: "thing", version: "1.2.3" } };
const thing = { name: "thing", "dist-tags": { latest: "1.2.3" }, versions };
require("https").createServer(read, (_, answer) => answer.end(JSON.stringify(thing)))
  .listen(8443, "127.0.0.1", () => fs.writeFileSync("/tmp/ready", ""));
"""
JAVA = """
import com.sun.net.httpserver.*;
import java.io.FileInputStream;
import java.net.*;
import java.net.http.*;
import java.security.KeyStore;
import javax.net.ssl.*;

public class Fetch {
    public static void main(String[] arguments) throws Exception {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        keys.load(new FileInputStream("server.p12"), "secret".toCharArray());
        KeyManagerFactory managers = KeyManagerFactory.getInstance("SunX509");
        managers.init(keys, "secret".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(managers.getKeyManagers(), null, null);
        HttpsServer server = HttpsServer.create(new InetSocketAddress("127.0.0.1", 8443), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(context));
        server.createContext("/", exchange -> { exchange.sendResponseHeaders(204, -1); exchange.close(); });
        server.start();
        try {
            HttpRequest request = HttpRequest.newBuilder(URI.create("https://localhost:8443/")).build();
            int status = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
            System.out.println("java was answered " + status);
            System.exit(0);
        } catch (Exception error) {
            error.printStackTrace();
            System.exit(1);
        }
    }
}
"""
WAIT = "until [ -e /tmp/ready ]; do sleep 0.1; done"
PIP = (
    "pip --isolated --no-cache-dir --retries 0 download --no-deps --index-url https://localhost:8443/simple thing "
    "&& echo pip was answered"
)
APT = (
    "echo 'deb [trusted=yes] https://localhost:8443/apt ./' > /etc/apt/sources.list.d/own.list "
    "&& apt-get update -o Dir::Etc::sourcelist=sources.list.d/own.list -o Dir::Etc::sourceparts=- "
    "-o APT::Update::Error-Mode=any && echo apt was answered"
)
NPM = "npm view thing version --fetch-retries 0 --registry https://localhost:8443/ && echo npm was answered"
CASES = {
    "pip": (f"FROM python:3.11-slim\nWORKDIR /w\nCOPY . .\nRUN python server.py & {WAIT}; {PIP}\n", "pip was answered"),
    "apt": (f"FROM python:3.11-slim\nWORKDIR /w\nCOPY . .\nRUN python server.py & {WAIT}; {APT}\n", "apt was answered"),
    "npm": (f"FROM node:20-slim\nWORKDIR /w\nCOPY . .\nRUN node server.js & {WAIT}; {NPM}\n", "npm was answered"),
    "java": ("FROM eclipse-temurin:17-jdk\nWORKDIR /w\nCOPY . .\nRUN java Fetch.java\n", "java was answered 204"),
}
"""A Dockerfile whose RUN is both the server and its client, and what the client says when it trusts the server."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority of this test's own, `ca.pem`, and a server's key and certificate signed by it."""
    folder = tmp_path_factory.mktemp("authority")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    new = "openssl req -newkey rsa:2048 -nodes -days 2"
    for command in (
        f"{new} -x509 -keyout ca.key -out ca.pem -subj /CN=Own-CA -addext basicConstraints=critical,CA:TRUE",
        f"{new} -keyout server.key -out server.csr -subj /CN=localhost",
        "openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out server.pem",
        "openssl pkcs12 -export -in server.pem -inkey server.key -out server.p12 -passout pass:secret",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


def _source(write: Write, authority: Path, dockerfile: str) -> Source:
    """A source tree with the server in three languages, a package index, an apt repository, and the authority."""
    root = write(
        Dockerfile=dockerfile,
        **{
            "server.py": PYTHON_SERVER,
            "server.js": NODE_SERVER,
            "Fetch.java": JAVA,
            "simple/thing/index.html": '<a href="../../thing-1.0-py3-none-any.whl">thing-1.0-py3-none-any.whl</a>',
            "apt/Packages": "",
        },
    )
    for name in ("ca.pem", "server.pem", "server.key", "server.p12"):
        (root / name).write_bytes((authority / name).read_bytes())
    wheel = "import zipfile; z = zipfile.ZipFile('thing-1.0-py3-none-any.whl', 'w'); "
    wheel += "z.writestr('thing-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: thing\\nVersion: 1.0\\n'); "
    wheel += (
        "z.writestr('thing-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'); "
    )
    wheel += "z.writestr('thing-1.0.dist-info/RECORD', ''); z.close()"
    subprocess.run(["python3", "-c", wheel], cwd=root, check=True)
    return Source(path=str(root))


@pytest.mark.anyio
@pytest.mark.engine
@pytest.mark.timeout(480)
@pytest.mark.parametrize("program", CASES)
async def test_a_program_trusts_the_ca_that_the_fault_of_its_first_build_requests(
    program: str,
    ctx: Contexts,
    stage: BuildImage,
    write: Write,
    authority: Path,
    unique: Callable[[], str],
    docker_api: APIClient,
) -> None:
    dockerfile, says = CASES[program]
    source = _source(write, authority, dockerfile)
    with pytest.raises(StageFailure) as raised:
        await execute(stage, ctx(), source, BuildOptions(tag=unique()))
    assert raised.value.fault.code == "build.tls_untrusted"
    assert "ca_file" in raised.value.fault.next_actions[0].arguments
    image = await execute(stage, ctx(), source, BuildOptions(tag=unique(), ca_file="ca.pem"))
    assert any(says in line for line in ctx.lines)
    assert SECRET_ID not in " ".join(ctx.messages)
    assert (Path(source.path) / "Dockerfile").read_text() == dockerfile
    assert not any("trustStore" in variable for variable in docker_api.inspect_image(image.id)["Config"]["Env"])


def test_progress_shows_an_instruction_as_its_author_wrote_it() -> None:
    assert original(f"RUN {MOUNT}{EXPORT}pip install x") == "RUN pip install x"
    expanded = EXPORT.replace("${JAVA_TOOL_OPTIONS:+$JAVA_TOOL_OPTIONS }", "-Xmx1g ")
    assert original(f"RUN {MOUNT}{expanded}mvn package") == "RUN mvn package"


def test_trust_is_inserted_into_each_run_and_nowhere_else() -> None:
    content = 'FROM a\nRUN x && y\nRUN --mount=type=cache,target=/c \\\n  # why\n  pip install\nRUN ["x"]\nCMD run\n'
    changed = inject(content, parse_dockerfile(content))
    assert changed.splitlines() == [
        "FROM a",
        f"RUN {MOUNT}{EXPORT}x && y",
        f"RUN {MOUNT}--mount=type=cache,target=/c \\",
        "  # why",
        f"  {EXPORT}pip install",
        f'RUN {MOUNT}["x"]',
        "CMD run",
    ]
