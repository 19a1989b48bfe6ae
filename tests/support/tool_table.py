"""The generated part of docs/tools.md: the table of tools, from the registry."""

from __future__ import annotations

from itertools import groupby

from container_kit.tools.registry import ALL, DEFAULT_TOOLSETS
from container_kit.tools.tool import Tool

BEGIN = "<!-- The table is generated from the registry: pytest tests/contract --update-snapshots -->"
END = "<!-- End of the generated table -->"
EFFECTS = {"read_only": "nothing", "additive": "adds", "destructive": "may replace or remove"}


def page(current: str) -> str:
    """Return docs/tools.md with the table up to date.

    Args:
        current: The current text of the page, whose other parts stay.
    """
    before, _, rest = current.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def table() -> str:
    """Return one table of tools for each toolset, the default toolsets first."""
    sections = []
    by_toolset = sorted(ALL, key=lambda tool: (tool.toolset not in DEFAULT_TOOLSETS, tool.toolset))
    for toolset, tools in groupby(by_toolset, key=lambda tool: tool.toolset):
        default = " (default)" if toolset in DEFAULT_TOOLSETS else ""
        rows = "\n".join(map(_row, tools))
        sections.append(f"### `{toolset}`{default}\n\n| tool | changes | purpose |\n|---|---|---|\n{rows}")
    return "\n\n".join(sections)


def _row(tool: Tool) -> str:
    """Return one row. The purpose is the first sentence of the description, which a model reads too."""
    purpose = tool.description.split(". ")[0].removesuffix(".")
    return f"| `{tool.name}` | {EFFECTS[tool.effect]} | {purpose} |"
