"""The command line `container-kit`. Each command is imported when it is called, for help must come at once.

Exit codes: 0 success, 1 a run failed or a defect was found, 2 wrong usage or settings, 130 interrupted.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence

from container_kit.stages.contract.fault import WiringError


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _carry_out(words)
    except WiringError as error:
        print(f"container-kit: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 130


def _carry_out(words: list[str]) -> int:
    if words[:1] == ["run"]:  # its options depend on the pipeline
        from container_kit.server.cli.run import run

        return run(words[1:])
    asked = _parser().parse_args(words)
    if asked.command == "serve":
        gc.disable()  # what a start makes stays: nothing is gained by looking through it again and again
        from container_kit.server.cli.serve import serve

        return serve(asked)
    if asked.command == "worker":
        from container_kit.server.cli.worker import work

        return work()
    if asked.command == "install":
        from container_kit.server.cli.install import install

        return install(asked.client, only_print=asked.print)
    from container_kit.server.cli.doctor import doctor

    return doctor(as_json=asked.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="container-kit",
        description="Container pipelines as AI tools, and on the command line.",
        epilog="exit codes: 0 success, 1 failure, 2 wrong usage or settings, 130 interrupted",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="offer the tools to an assistant over MCP")
    serve.add_argument("--transport", choices=("stdio", "sse", "http"), default="stdio")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on, 0 for any free one (default 8000)")
    serve.add_argument("--toolsets", metavar="NAMES", help="offer these toolsets: default, all, or some by name")
    serve.add_argument("--tools", metavar="NAMES", help="offer these tools, whatever their toolset")
    serve.add_argument("--exclude-tools", metavar="NAMES", help="do not offer these")
    serve.add_argument("--read-only", action="store_true", default=None, help="offer only what changes nothing")
    serve.add_argument(
        "--disable-destructive", action="store_true", default=None, help="offer nothing that may replace what is there"
    )
    serve.add_argument("--pipelines", metavar="MODULES", help="offer the pipelines of these modules too")

    commands.add_parser("run", help="do a tool's work here, with live progress")

    commands.add_parser("worker", help="carry out the runs that servers ask for on the same store")

    install = commands.add_parser("install", help="have a client start this server")
    install.add_argument("client", choices=("claude-code", "claude-desktop", "vscode", "cursor", "codex"))
    install.add_argument("--print", action="store_true", help="print the entry, write nothing")

    doctor = commands.add_parser("doctor", help="say what is there, what is missing and how to get it")
    doctor.add_argument("--json", action="store_true", help="for machines")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
