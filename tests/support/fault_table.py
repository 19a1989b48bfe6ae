"""The generated page docs/faults.md: all fault codes, from the code."""

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

Every failure of a tool, a command or a run is a fault with one of these codes. A tool returns it as an error result:
as text in the first content block, and as structured content. The `_meta` key `io.modelcontextprotocol/toolFailure`
has the same fields.

| field | content |
|---|---|
| `code` | one of the codes below; stable |
| `message` | what happened, with the names and numbers of this case |
| `stage`, `attempts` | the stage that failed, and its number of attempts |
| `retryable`, `retry_after` | whether the same call may succeed later, and after how many seconds |
| `evidence` | observed facts: `file:line`, the failing instruction, the end of a log, an exit code |
| `hint` | what to do about this code |
| `next_actions` | calls that are ready to send: `tool`, `arguments`, `why` (names the file to edit first) |
| `resume` | the run and the stage from which `retry-run` continues |
| `rolled_back` | the stages whose effects were undone |
| `trace_id` | the id of the run's trace |

The tables are generated from the code: `pytest tests/contract --update-snapshots` updates them.
"""


def all_codes() -> dict[str, FaultCode]:
    """Return every fault code that a module declares, by its text."""
    codes: dict[str, FaultCode] = {}
    for module in pkgutil.walk_packages(container_kit.__path__, "container_kit."):
        for code in _codes_in(vars(importlib.import_module(module.name))):
            codes[code.code] = code
    return codes


def constants() -> dict[tuple[str, str], str]:
    """Return the texts of the codes by module and constant."""
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
    """Return the stages of the catalog that declare each code."""
    stages: dict[str, list[str]] = defaultdict(list)
    for name in catalog.names():
        for step in catalog.pipeline(name).steps():
            for code in step.stage.faults:
                if step.name not in stages[code.code]:
                    stages[code.code].append(step.name)
    return stages


def page() -> str:
    """Return the expected docs/faults.md."""
    codes, stages = all_codes(), raised_by()
    lines = [HEAD]
    for family, members in groupby(sorted(codes), key=lambda code: code.partition(".")[0]):
        lines += [f"\n## {family}\n", "| code | meaning | what to do | stages |", "|---|---|---|---|"]
        for code in members:
            retry = " (retryable)" if codes[code].retryable else ""
            hint = codes[code].hint if " " in codes[code].hint else "depends on the observed facts"
            cells = (f"`{code}`{retry}", codes[code].means, hint, ", ".join(stages.get(code, ())))
            lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
