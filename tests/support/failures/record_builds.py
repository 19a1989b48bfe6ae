"""Provoke builds that fail with the real programs, and keep what they print.

    python tests/support/failures/record_builds.py [NAME…]

It writes one file for each failure to `tests/stages/build/recordings`: TOML with the command, its exit code
and the end of the output. Programs that are not installed are skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TESTS = Path(__file__).parents[2]
sys.path.insert(0, str(TESTS))

from support.failures import build_cases, other_cases, python_cases  # noqa: E402
from support.failures.build_cases import Provoked  # noqa: E402

RECORDINGS = TESTS / "stages" / "build" / "recordings"
_LINES = 160
_TIMEOUT = 150
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def cases() -> list[Provoked]:
    """Return all failures."""
    groups = [vars(module) for module in (build_cases, python_cases, other_cases)]
    found = [value for names in groups for value in names.values() if isinstance(value, tuple)]
    return [case for group in found for case in group if isinstance(case, Provoked)]


class Index(BaseHTTPRequestHandler):
    """Answers `/STATUS/…` with that status; else it is an index of packages that has almost none."""

    def do_GET(self) -> None:
        first = self.path.split("/")[1]
        if first in {"401", "403", "404", "503"}:
            self.send_response(int(first))
            if first == "401":
                self.send_header("WWW-Authenticate", 'Basic realm="shop"')
            self._finish(b"")
            return
        pages = {
            "/cargo/config.json": f'{{"dl": "http://{self.headers["Host"]}/404"}}',
            "/cargo/ha/ve/have": '{"name":"have","vers":"1.0.0","deps":[],"cksum":"00","features":{},"yanked":false}\n',
            "/gems/versions": "created_at: 2024-01-01T00:00:00Z\n---\n",
            "/gems/names": "---\n",
        }
        page = pages.get(self.path)
        self.send_response(404 if page is None else 200)
        self._finish((page or "").encode())

    do_HEAD = do_POST = do_GET  # noqa: N815 - the names of the base class

    def _finish(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def variables(folder: Path, index: str) -> dict[str, str]:
    """Return the environment of the commands."""
    node = Path(os.environ.get("CK_NODE_TOOLS", "/tmp/fx/npmtools")) / "node_modules"
    tools = {
        "PNPM7": f"node {node}/pnpm7/bin/pnpm.cjs", "PNPM8": f"node {node}/pnpm8/bin/pnpm.cjs",
        "PNPM9": f"node {node}/pnpm9/bin/pnpm.cjs", "PNPM10": f"node {node}/pnpm10/bin/pnpm.cjs",
        "YARN1": f"node {node}/yarn1/bin/yarn.js", "YARN4": f"node {node}/yarn4/bin/yarn.js",
        "BUN": f"{node}/.bin/bun", "PY": sys.executable, "PIP": f"{sys.executable} -m pip",
    }  # fmt: skip
    own = {"REG": index, "CI": "1", "NO_COLOR": "1", "COLUMNS": "200", "npm_config_update_notifier": "false",
           "YARN_ENABLE_COLORS": "0", "YARN_ENABLE_TELEMETRY": "0", "GIT_TERMINAL_PROMPT": "0",
           "PIP_NO_INPUT": "1", "HOME_OF_CASE": str(folder)}  # fmt: skip
    return {**os.environ, **tools, **own}


def run(case: Provoked, index: str) -> tuple[int, str] | None:
    """Provoke a failure; return its exit code and output, or None if its program is not installed."""
    folder = Path(tempfile.mkdtemp(prefix="shop-"))
    try:
        for name, text in case.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        place = folder if case.image is None else "/app"
        script = f"{{ {case.prepare or 'true'} ; }} >/dev/null 2>&1; cd {place}; {case.command}"
        command = ["bash", "-c", script]
        environment = variables(folder, index)
        if case.image is not None:
            command = ["docker", "run", "--rm", "--network", "host", "-v", f"{folder}:/app", "-w", "/app",
                       "-e", f"REG={index}", "-e", "CI=1", "-e", "NO_COLOR=1", "-e", "COMPOSER_ALLOW_SUPERUSER=1",
                       *proxies(), "--entrypoint", "sh", case.image, "-c", script]  # fmt: skip
        # shell variables inside a variable, such as $PNPM7, are words of the command
        command = [re.sub(r"\$(PNPM\d+|YARN\d|BUN|PY|PIP)\b", lambda m: environment[m[1]], word) for word in command]
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=_TIMEOUT, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        sys.stderr.write(f"{case.name}: timed out\n")
        return None
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=False)
    return done.returncode, clean(done.stdout.decode(errors="replace"), folder, index)


def proxies() -> list[str]:
    """Return the options that pass the proxy settings of this machine to a container."""
    return [
        word
        for name, value in os.environ.items()
        if name.lower().endswith("_proxy")
        for word in ("-e", f"{name}={value}")
    ]


def clean(text: str, folder: Path, index: str) -> str:
    """Return the last lines without what differs from run to run."""
    text = _CONTROL.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    text = text.replace(str(folder), "/app").replace(folder.name, "app").replace(index, "http://index.shop.example")
    text = text.replace(sys.prefix, "/usr/local").replace(str(Path.home()), "/root").replace("'''", '"""')
    text = re.sub(r"/tmp/fx/npmtools/node_modules", "/usr/local/lib/node_modules", text)
    text = re.sub(r"/tmp/(?:pip|uv|tmp|shop|\.tmp)[-\w.]*", "/tmp/x", text)
    text = re.sub(r"/root/\.pyenv/versions/[^/]+", "/usr/local", text)
    lines = [line[:1500].rstrip() for line in text.splitlines()]
    return "\n".join(lines[-_LINES:]).strip("\n")


def write(case: Provoked, exit_code: int, output: str) -> None:
    """Write a recording."""
    made = " ".join(f"{case.prepare + '; ' if case.prepare else ''}{case.command}".split())
    where = f"in {case.image}" if case.image else "on Debian 12"
    RECORDINGS.mkdir(exist_ok=True)
    (RECORDINGS / f"{case.name}.toml").write_text(
        f"# Made {where} by:\n# {made}\nexit_code = {exit_code}\noutput = '''\n{output}\n'''\n"
    )


def main() -> None:
    """Record all failures, or the named ones."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    index = f"http://127.0.0.1:{server.server_port}"
    for case in cases():
        if sys.argv[1:] and not any(re.fullmatch(name, case.name) for name in sys.argv[1:]):
            continue
        if case.image is not None and shutil.which("docker") is None:
            continue
        result = run(case, index)
        if result is None or result[0] == 0:
            sys.stderr.write(f"{case.name}: did not fail: {result and result[1][-300:]}\n")
            continue
        write(case, *result)
        sys.stderr.write(f"{case.name}: {result[0]}\n")
    server.shutdown()


if __name__ == "__main__":
    main()
