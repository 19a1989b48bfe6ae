"""The table of all fault codes, from the code itself."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby

import container_kit
from container_kit.pipelines import catalog
from container_kit.stages.contract.fault import FaultCode

HEAD = """\
# Faults

Every failure of a tool, a command or a run is a fault with one of these codes. It comes as an error result: all of it
as text in the first block, the same fields as structured content and under the `_meta` key
`io.modelcontextprotocol/toolFailure`.

| field | what it holds |
|---|---|
| `code` | one of the codes below; stable |
| `message` | what happened, with the names and numbers of this case |
| `stage`, `attempts` | where, and how often it was tried |
| `retryable`, `retry_after` | whether the same call may succeed later, and after how many seconds |
| `evidence` | what was seen: `file:line`, the failing instruction, the end of a log, an exit code |
| `hint` | what to do; the code decides it |
| `next_actions` | calls that are ready to send: `tool`, `arguments`, `why` (names the file to edit first) |
| `resume` | the run and the stage where `retry-run` goes on |
| `rolled_back` | the stages whose effects were undone |
| `trace_id` | where the run was traced |

The table is made from the code: `CONTAINER_KIT_WRITE=1 pytest tests/contract/test_faults.py` writes it anew.
"""


def all_codes() -> dict[str, FaultCode]:
    """Every fault code that any module declares, by its text."""
    codes: dict[str, FaultCode] = {}
    for module in pkgutil.walk_packages(container_kit.__path__, "container_kit."):
        for found in _codes_in(vars(importlib.import_module(module.name))):
            codes[found.code] = found
    return codes


def constants() -> dict[tuple[str, str], str]:
    """The codes' texts by the modules and names of the constants that hold them."""
    return {
        (module.name, name): value.code
        for module in pkgutil.walk_packages(container_kit.__path__, "container_kit.")
        for name, value in vars(importlib.import_module(module.name)).items()
        if isinstance(value, FaultCode)
    }


def _codes_in(names: dict[str, object]) -> Iterator[FaultCode]:
    for value in names.values():
        if isinstance(value, FaultCode):
            yield value
        elif isinstance(value, dict):
            yield from (item for item in value.values() if isinstance(item, FaultCode))
        elif isinstance(value, tuple | list):
            yield from (item for item in value if isinstance(item, FaultCode))


def raised_by() -> dict[str, list[str]]:
    """The stages of the catalog that declare each code."""
    stages: dict[str, list[str]] = defaultdict(list)
    for name in catalog.names():
        for step in catalog.pipeline(name).steps():
            for code in step.stage.faults:
                if step.name not in stages[code.code]:
                    stages[code.code].append(step.name)
    return stages


def page() -> str:
    """docs/faults.md as it should be."""
    codes, stages = all_codes(), raised_by()
    lines = [HEAD]
    for family, members in groupby(sorted(codes), key=lambda code: code.partition(".")[0]):
        lines += [f"\n## {family}\n", "| code | means | what to do | stages |", "|---|---|---|---|"]
        for code in members:
            retry = " (may pass)" if codes[code].retryable else ""
            hint = codes[code].hint if " " in codes[code].hint else "decided by what was seen"
            cells = (f"`{code}`{retry}", codes[code].means, hint, ", ".join(stages.get(code, ())))
            lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
