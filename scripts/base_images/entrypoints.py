"""Entrypoint scripts that run an interpreter unless they are given another program."""

from __future__ import annotations

from pathlib import Path

_SCRIPT = """#!/bin/sh
# Run {program} with the arguments, unless the first of them is a program.
set -e
is_program() {{
    case $1 in -*) return 1 ;; esac
    command -v "$1" >/dev/null 2>&1 || return 1
    [ ! -f "$1" ] || [ -x "$1" ]
}}
if [ $# -gt 0 ] && ! is_program "$1"; then
    set -- {program} "$@"
fi
exec "$@"
"""


def write_entrypoint(context: Path, program: str, name: str = "docker-entrypoint.sh") -> None:
    """Write the script that runs the program unless it is given another one."""
    script = context / name
    script.write_text(_SCRIPT.format(program=program))
    script.chmod(0o755)
