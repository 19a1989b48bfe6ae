"""The server beside a bare MCP server with one trivial tool: cold start, call, memory, in one run.

    python benchmarks/server.py [--starts 5] [--calls 300]

Prints medians and ratios. Targets: cold start 1.15, call 1.3, memory 1.3.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BARE = """\
from mcp.server import MCPServer
server = MCPServer("bare")
@server.tool()
def echo(text: str) -> dict[str, str]:
    return {"text": text}
server.run("stdio")
"""
OURS = [sys.executable, "-m", "container_kit.server.main", "serve"]
TARGETS = {"cold start": 1.15, "call": 1.3, "memory": 1.3}


class Server:
    """A server on standard input and output, spoken to without a client library."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        self._process = process
        self._sends, self._receives = process.stdin, process.stdout
        self._number = 0

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            message: dict[str, Any] = json.loads(self._receives.readline())
            if message.get("id") == self._number:
                return message

    def greet(self) -> None:
        """Shake hands."""
        client = {"name": "benchmark", "version": "1"}
        self.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=client)
        self._send({"method": "notifications/initialized"})

    def hang_up(self) -> None:
        """Let it end."""
        self._sends.close()

    def memory(self) -> float:
        """Resident MiB."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS")

    def _send(self, message: dict[str, Any]) -> None:
        self._sends.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._sends.flush()


@contextmanager
def started(command: list[str], folder: str) -> Iterator[Server]:
    """A server that was just started."""
    environment = {**os.environ, "CONTAINER_KIT_HOME": f"{folder}/home", "CONTAINER_KIT_WORKSPACE": folder}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        server = Server(process)
        yield server
        server.hang_up()


def measure(command: list[str], tool: str, arguments: dict[str, Any], calls: int, folder: str) -> dict[str, float]:
    """One start and some calls: seconds to the first answer, milliseconds a call, MiB."""
    began = time.perf_counter()
    with started(command, folder) as server:
        server.greet()
        cold = time.perf_counter() - began
        memory = server.memory()
        times = []
        for _ in range(calls):
            before = time.perf_counter()
            answer = server.ask("tools/call", name=tool, arguments=arguments)
            times.append(time.perf_counter() - before)
            if "result" not in answer:
                raise RuntimeError(str(answer))
    return {"cold start": cold, "call": statistics.median(times) * 1000, "memory": memory}


def main() -> int:
    """Measure both by turns and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--calls", type=int, default=300)
    asked = parser.parse_args()
    ours: list[dict[str, float]] = []
    bare: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(asked.starts):
            bare.append(measure([sys.executable, "-c", BARE], "echo", {"text": "x"}, asked.calls, folder))
            ours.append(measure(OURS, "get-run", {"run": "0" * 24}, asked.calls, folder))
    missed = 0
    for name, target in TARGETS.items():
        a, b = (statistics.median(run[name] for run in runs) for runs in (ours, bare))
        missed += a / b > target
        print(f"{name:10} ours {a:8.2f}  bare {b:8.2f}  ratio {a / b:.2f}  target {target}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
