"""The server next to a bare MCP server with one trivial tool: cold start, call, memory, in one run.

    python benchmarks/server.py [--json] [--starts 7] [--calls 300]

Both are started and called by turns, so that whatever else the machine does meets both alike; ratios are of medians.
Our compared call is a success, `list-runs` without a run; the call that ends in a fault is reported separately.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

BARE = """\
import sys
from mcp.server import MCPServer
server = MCPServer("bare")
@server.tool()
def echo(text: str) -> dict[str, str]:
    return {"text": text}
if "http" in sys.argv:
    server.run("streamable-http", port=int(sys.argv[-1]))
else:
    server.run("stdio")
"""
COMMANDS = {
    "bare": [sys.executable, "-c", BARE],
    "ours": [sys.executable, "-m", "container_kit.server.cli.main", "serve"],
}
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "bare": ("echo", {"text": "x"}),
    "ours": ("list-runs", {}),
    "fault": ("get-run", {"run": "0" * 24}),
}
BARS = {"cold start": 1.15, "memory": 1.3, "call over stdio": 1.3, "call over http": 1.3}
UNITS = {"cold start": "s", "cpu of a start": "s", "memory": "MiB"}

Sample = dict[str, dict[str, list[float]]]
"""Values by figure and by who was measured."""


class Client:
    """Speaks to a server without a client library."""

    _number = 0

    def send(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a message; the answer of a request."""
        raise NotImplementedError

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        self._number += 1
        return self.send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})

    def greet(self) -> None:
        """Shake hands."""
        client = {"name": "benchmark", "version": "1"}
        self.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=client)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def timed_call(self, tool: str, arguments: dict[str, Any]) -> float:
        """Milliseconds of one call."""
        before = time.perf_counter()
        answer = self.ask("tools/call", name=tool, arguments=arguments)
        took = time.perf_counter() - before
        if "result" not in answer:
            raise RuntimeError(str(answer))
        return took * 1000


class Stdio(Client):
    """Over standard input and output."""

    def __init__(self, sends: IO[bytes], receives: IO[bytes]) -> None:
        self._sends, self._receives = sends, receives

    def send(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a message; the answer of a request."""
        self._sends.write(json.dumps(message).encode() + b"\n")
        self._sends.flush()
        while "id" in message:
            answer: dict[str, Any] = json.loads(self._receives.readline())
            if answer.get("id") == message["id"]:
                return answer
        return {}


class Http(Client):
    """Over streamable HTTP, on one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}

    def send(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a message; the answer of a request."""
        self._connection.request("POST", "/mcp", json.dumps(message), self._headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if session := answer.headers.get("mcp-session-id"):
            self._headers["Mcp-Session-Id"] = session
        if "id" not in message:
            return {}
        found = re.search(r"^data: (\{.*)$", text, re.MULTILINE)
        parsed: dict[str, Any] = json.loads(found[1] if found else text)
        return parsed


@contextmanager
def started(who: str, folder: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server that was just started, and is ended afterwards."""
    settings = {"HOME": f"{folder}/home", "WORKSPACE": folder, "CALLS_PER_MINUTE": "1000000"}
    environment = {**os.environ, **{f"CONTAINER_KIT_{name}": value for name, value in settings.items()}}
    command = [*COMMANDS[who], *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def over_stdio(process: subprocess.Popen[bytes]) -> Stdio:
    """A client on a server's pipes."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipes")
    return Stdio(process.stdin, process.stdout)


def start(who: str, folder: str, sample: Sample) -> None:
    """One start until the first answer."""
    began = time.perf_counter()
    with started(who, folder) as process:
        client = over_stdio(process)
        client.greet()
        sample["cold start"][who].append(time.perf_counter() - began)
        ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        sample["cpu of a start"][who].append(sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"))
        resident = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        sample["memory"][who].append(int(resident[1]) / 1024 if resident else 0)


def call(figure: str, clients: dict[str, Client], calls: int, sample: Sample) -> None:
    """Call both by turns, after some uncounted calls: a success next to the bare one, then a fault."""
    for kind in ("ours", "fault"):
        for number in range(calls + calls // 10):
            for each in ("bare", kind):
                tool, arguments = CALLS[each]
                took = clients["bare" if each == "bare" else "ours"].timed_call(tool, arguments)
                if number >= calls // 10:
                    sample[figure][each].append(took)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def when_listening(port: int) -> Http:
    """A client on a server, as soon as it listens."""
    for _ in range(600):
        try:
            client = Http(port)
            client.greet()
        except OSError:
            time.sleep(0.1)
        else:
            return client
    raise RuntimeError(f"nobody listens on {port}")


def measure(starts: int, calls: int) -> Sample:
    """All figures."""
    sample: Sample = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for _ in range(starts):
            for who in COMMANDS:
                start(who, folder, sample)
        piped: dict[str, Client] = {who: over_stdio(stack.enter_context(started(who, folder))) for who in COMMANDS}
        for client in piped.values():
            client.greet()
        call("call over stdio", piped, calls, sample)
        ports = {who: free_port() for who in COMMANDS}
        stack.enter_context(started("bare", folder, "http", str(ports["bare"])))
        stack.enter_context(started("ours", folder, "--transport", "http", "--no-token", "--port", str(ports["ours"])))
        call("call over http", {who: when_listening(port) for who, port in ports.items()}, calls, sample)
    return sample


def figures(sample: Sample) -> Iterator[dict[str, Any]]:
    """Each figure, and the ratio of ours to the bare server's."""
    for name, values in sample.items():
        medians = {kind: statistics.median(of) for kind, of in values.items()}
        for kind, value in medians.items():
            unit = UNITS.get(name, "ms")
            yield {"figure": f"{name}, {kind}", "value": round(value, 3), "unit": unit, "bar": None, "holds": None}
        for kind in medians.keys() - {"bare"}:
            bar = BARS.get(name) if kind == "ours" else None
            ratio = round(medians[kind] / medians["bare"], 3)
            holds = None if bar is None else ratio <= bar
            told = name if kind == "ours" else f"{name}, {kind}"
            yield {"figure": f"{told} over bare", "value": ratio, "unit": "ratio", "bar": bar, "holds": holds}


def main() -> int:
    """Measure both by turns and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print a list of figures")
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--calls", type=int, default=300)
    asked = parser.parse_args()
    found = list(figures(measure(asked.starts, asked.calls)))
    if asked.json:
        print(json.dumps(found, indent=2))
    else:
        for figure in found:
            bar = "" if figure["bar"] is None else f"  bar {figure['bar']}{'' if figure['holds'] else '  MISSED'}"
            print(f"{figure['figure']:32} {figure['value']:9.3f} {figure['unit']}{bar}")
    return 1 if any(figure["holds"] is False for figure in found) else 0


if __name__ == "__main__":
    raise SystemExit(main())
