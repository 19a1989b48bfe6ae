"""Why an analysis does not suffice for a Dockerfile: each fault with the one question that would settle it."""

from __future__ import annotations

from typing import TypeVar

from container_kit.stages.artifacts.analysis import Finding, Module, Risk
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure

T = TypeVar("T")

MODULE_MISSING = FaultCode(
    "dockerfile.module_missing",
    means="The analysis knows no module at that path.",
    hint="Give one of the modules that the analysis found: {modules}.",
)
NOTHING_TO_RUN = FaultCode(
    "dockerfile.nothing_to_run",
    means="The module is a library: it offers nothing that a container would run.",
    hint="Give start_command if it can be run after all, or choose another module.",
)
LANGUAGE_UNKNOWN = FaultCode(
    "dockerfile.language_unknown",
    means="The module's language is unknown, or there is no recipe for it.",
    hint="Write a Dockerfile for this module; recipes exist for {languages}.",
)
START_UNKNOWN = FaultCode(
    "dockerfile.start_unknown",
    means="The command that starts the application is unknown, or it cannot be parsed.",
    hint="Give start_command, the command that starts the application in {path}.",
)
PORT_UNKNOWN = FaultCode(
    "dockerfile.port_unknown",
    means="The module serves on a port that the analysis did not find.",
    hint="Give port, the TCP port that the application listens on.",
)

NAME_UNUSABLE = FaultCode(
    "dockerfile.name_unusable",
    means="A name in the repository has no place in a Dockerfile: what reads it would take it for something else.",
    hint="Rename the {what} so that it is of letters, digits and ordinary punctuation.",
)

MANIFEST_MALFORMED = FaultCode(
    "dockerfile.manifest_malformed",
    means="A manifest of the module cannot be read, so its dependencies could not be installed in an image either.",
    hint="Correct {path} at the line that the evidence names, then retry the run.",
)

FAULTS = (
    MODULE_MISSING,
    NOTHING_TO_RUN,
    LANGUAGE_UNKNOWN,
    START_UNKNOWN,
    PORT_UNKNOWN,
    NAME_UNUSABLE,
    MANIFEST_MALFORMED,
)


def start_unknown(module: Module, message: str) -> StageFailure:
    """Return the fault for an unknown start command."""
    return START_UNKNOWN(ask(module.start_command, message), evidence=evidence(module.start_command), path=module.path)


def malformed(path: str, risk: Risk) -> StageFailure:
    """Return the fault for a broken manifest."""
    broken = [Evidence(kind="file", text=risk.message, where=risk.place)]
    again = NextAction(why=f"Correct {risk.place or path}, then retry the run.")
    return MANIFEST_MALFORMED(risk.message, evidence=broken, next_actions=[again], path=path)


def ask(finding: Finding[T], message: str) -> str:
    """Return a message with the question whose answer resolves it."""
    return f"{message}: {finding.question}" if finding.question else message


def evidence(finding: Finding[T]) -> list[Evidence]:
    """Return the locations of a value, and its alternatives."""
    found = [Evidence(kind="file", text=str(finding.value), where=place) for place in finding.locations]
    others = [
        Evidence(
            kind="file", text=f"also possible: {other.value}", where=other.locations[0] if other.locations else None
        )
        for other in finding.alternatives
    ]
    return found + others
