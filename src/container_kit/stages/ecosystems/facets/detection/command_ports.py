"""The ports that the options of commands name."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re

PORT_OPTION = re.compile(
    r"(?:--port[= ]|--bind[= ]\S*?:|\s-b[= ]?\S*?:|\s-p[= ]?|-Dserver\.port=|--server\.port[= ]|:\$\{PORT:-|\bPORT=|\s(?:\[::\]|0\.0\.0\.0|\*):)(\d{2,5})\b"  # noqa: E501 - one expression
)
"""An option for the port, or for an address with a port."""


def port_of_command(command: str) -> int | None:
    """Return the port that an option of a command names."""
    option = PORT_OPTION.search(f" {command}")
    return int(option[1]) if option else None
