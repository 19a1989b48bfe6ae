"""The command `container-kit`. Each subcommand is imported when it is called, so that `--help` is fast.

Exit codes: 0 success, 1 a run failed or a problem was found, 2 invalid usage or settings, 130 interrupted.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from container_kit.stages.contract.fault import ConfigurationError

CLIENTS = (
    "amp",
    "claude-code",
    "claude-desktop",
    "cline",
    "codex",
    "copilot-cli",
    "cursor",
    "gemini-cli",
    "opencode",
    "qwen-code",
    "vscode",
    "windsurf",
    "zed",
)
"""The names of the clients, without an import of their files."""
_SCOPE = "user: your file (default); project: the file in the current directory, which teams commit"


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute a command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _execute(words)
    except ConfigurationError as error:
        print(f"container-kit: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 130


def _execute(words: list[str]) -> int:
    if words[:1] == ["run"]:  # its options depend on the tool
        from container_kit.server.cli.run import run

        return run(words[1:])
    options = _parser().parse_args(words)
    if options.command == "serve":
        gc.disable()  # imports create no garbage; collections would only slow the start
        from container_kit.server.cli.serve import serve

        return serve(options)
    if options.command == "worker":
        from container_kit.server.cli.worker import work

        return work()
    if options.command == "install":
        from container_kit.server.cli.install import install, list_clients

        if options.client == "list":
            return list_clients()
        return install(options.client, scope=options.scope, only_print=options.print, workspace=options.workspace)
    if options.command == "uninstall":
        from container_kit.server.cli.install import uninstall

        return uninstall(options.client, scope=options.scope)
    from container_kit.server.cli.doctor import doctor

    return doctor(as_json=options.json, anonymous=options.report)


class _PrintVersion(argparse.Action):
    """Print the version. The action of argparse would read it at each start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import container_kit

        print(f"{parser.prog} {container_kit.__version__}")  # noqa: T201
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="container-kit",
        description="Container pipelines as AI tools, and on the command line.",
        epilog="exit codes: 0 success, 1 failure, 2 invalid usage or settings, 130 interrupted",
    )
    parser.add_argument("--version", action=_PrintVersion, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve the tools over MCP")
    serve.add_argument("--transport", choices=("stdio", "sse", "http"), default="stdio")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on, 0 for any free port (default 8000)")
    serve.add_argument(
        "--no-token",
        action="store_true",
        default=None,
        help="let every program on this machine call the tools over HTTP, without a token",
    )
    serve.add_argument("--toolsets", metavar="NAMES", help="comma-separated toolsets, `default` or `all`")
    serve.add_argument("--tools", metavar="NAMES", help="further tools, from any toolset")
    serve.add_argument("--exclude-tools", metavar="NAMES", help="tools to leave out")
    serve.add_argument("--read-only", action="store_true", default=None, help="only tools that change nothing")
    serve.add_argument(
        "--disable-destructive",
        action="store_true",
        default=None,
        help="no tools that may replace or remove existing things",
    )
    serve.add_argument("--pipelines", metavar="MODULES", help="modules whose pipelines become tools")

    commands.add_parser("run", help="run a tool from the command line")

    commands.add_parser("worker", help="execute runs that servers enqueue on the same store")

    install = commands.add_parser("install", help="register this server with a client")
    install.add_argument("client", choices=(*CLIENTS, "list"), help="the client; list: print the files of each")
    install.add_argument("--scope", choices=("user", "project"), default="user", help=_SCOPE)
    install.add_argument("--workspace", type=Path, help="the folder of your repositories, which the server may access")
    install.add_argument("--print", action="store_true", help="print the entry without writing it")

    uninstall = commands.add_parser("uninstall", help="remove this server from a client's configuration")
    uninstall.add_argument("client", choices=CLIENTS)
    uninstall.add_argument("--scope", choices=("user", "project"), default="user", help=_SCOPE)

    doctor = commands.add_parser("doctor", help="check this machine's prerequisites")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.add_argument("--report", action="store_true", help="print an anonymous block for bug reports")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
