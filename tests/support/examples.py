"""Running the examples of the documentation."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path


def python_blocks(page: Path) -> list[str]:
    """The Python examples of a page."""
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


async def run_example(code: str) -> None:
    """Run code with `await` at its top level, as a notebook does."""
    compiled = compile(code, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, {"__name__": "example"})  # noqa: S307 - our own documentation
    if inspect.isawaitable(result):
        await result
