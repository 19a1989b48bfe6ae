"""Failures of COPY and ADD to find their source: in the context, or in another stage."""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Sequence

from container_kit.stages.build.failures.pattern import Failure, edit_and_retry
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure

FILE_NOT_FOUND = FaultCode(
    "build.file_not_found",
    means="COPY or ADD names a file that is not in the build context.",
    hint="Correct the path {path} in {where}, or create the file; paths are relative to {context}.",
)
FILE_IGNORED = FaultCode(
    "build.file_ignored",
    means="COPY or ADD names a file that .dockerignore excludes.",
    hint="Add the line `!{path}` at the end of {ignore}, or remove the pattern {pattern} from it.",
)
FILE_OUTSIDE_CONTEXT = FaultCode(
    "build.file_outside_context",
    means="COPY or ADD names a file above the build context.",
    hint="Build with a context that contains the file (`context`), and write the path relative to it.",
)
FILE_NOT_FOUND_IN_STAGE = FaultCode(
    "build.file_not_found_in_stage",
    means="COPY --from names a file that the other stage or image does not have.",
    hint="Correct the path {path} in {where}, or make {stage} produce it.",
)

FAULTS = (FILE_NOT_FOUND, FILE_IGNORED, FILE_OUTSIDE_CONTEXT, FILE_NOT_FOUND_IN_STAGE)

_NOT_FOUND = re.compile(
    r"failed to compute cache key|failed to calculate checksum|no source files were specified|COPY failed|ADD failed"
    r"|lstat .*no such file|no such file or directory$|: not found$"
)


def explain(failure: Failure) -> StageFailure | None:
    """Create the fault of a COPY or ADD that did not find a source; None for other failures."""
    instruction = failure.instruction
    if instruction is None or instruction.keyword not in {"COPY", "ADD"} or not _NOT_FOUND.search(failure.error):
        return None
    stage = instruction.flag("from")
    if stage is not None:
        return _in_stage(failure, stage, instruction.sources)
    for source in instruction.sources:
        fault = _outside(failure, source) or _ignored(failure, source) or _not_found(failure, source)
        if fault is not None:
            return fault
    return None


def _in_stage(failure: Failure, stage: str, sources: Sequence[str]) -> StageFailure:
    named = next((source for source in sources if source.rsplit("/", 1)[-1] in failure.error), None)
    path = named or ", ".join(sources)
    facts = {"path": path, "stage": stage, "where": failure.where}
    repair = FILE_NOT_FOUND_IN_STAGE.hint.format(**facts)
    return FILE_NOT_FOUND_IN_STAGE(
        f"{failure.where}: {path} does not exist in {stage}",
        evidence=failure.evidence(),
        next_actions=[edit_and_retry(repair)],
        path=path,
        stage=stage,
        where=failure.where,
    )


def _outside(failure: Failure, source: str) -> StageFailure | None:
    if not posixpath.normpath(source).startswith(".."):
        return None
    above = failure.inputs.context.parent
    actions = [edit_and_retry(f"Write {source} relative to the context, or choose a context that contains it.")]
    if above.is_relative_to(failure.inputs.root) and (failure.inputs.context / source).exists():
        context = above.relative_to(failure.inputs.root).as_posix()
        actions.insert(0, NextAction(why=f"{source} is in this folder.", arguments={"context": context}))
    message = f"{failure.where}: {source} is outside the build context"
    return FILE_OUTSIDE_CONTEXT(message, evidence=failure.evidence(), next_actions=actions)


def _ignored(failure: Failure, source: str) -> StageFailure | None:
    path = _cleaned(source)
    pattern = failure.inputs.ignore.find(path) if path else None
    if pattern is None or not (failure.inputs.context / path).exists():
        return None
    ignore = failure.inputs.ignore_path
    place = f"{ignore}:{pattern.line}"
    evidence = [Evidence(kind="file", text=pattern.text, where=place), *failure.evidence()]
    repair = f"Add the line `!{path}` at the end of {ignore}, or remove `{pattern.text}` (line {pattern.line})."
    return FILE_IGNORED(
        f"{failure.where}: {path} is excluded by the pattern {pattern.text} ({place})",
        evidence=evidence,
        next_actions=[edit_and_retry(repair)],
        path=path,
        ignore=ignore,
        pattern=pattern.text,
    )


def _not_found(failure: Failure, source: str) -> StageFailure | None:
    path = _cleaned(source)
    context = failure.inputs.context
    wild = any(character in path for character in "*?[")
    if "$" in path or "://" in source or (not wild and (context / path).exists()):
        return None
    similar = _similar(failure, path)
    repair = f"Correct {path} in {failure.where}" + (
        f"; did you mean {' or '.join(similar)}?" if similar else ", or create it."
    )
    evidence = failure.evidence()
    if similar:
        evidence.insert(0, Evidence(kind="file", text=f"similar paths: {', '.join(similar)}"))
    return FILE_NOT_FOUND(
        f"{failure.where}: {path} does not exist in the build context",
        evidence=evidence,
        next_actions=[edit_and_retry(repair)],
        path=path,
        where=failure.where,
        context=str(context),
    )


def _similar(failure: Failure, path: str) -> list[str]:
    folder, _, name = path.rpartition("/")
    try:
        names = [item.name for item in (failure.inputs.context / folder).iterdir()]
    except OSError:
        return []
    return [posixpath.join(folder, match) for match in difflib.get_close_matches(name, names, 3, 0.6)]


def _cleaned(source: str) -> str:
    return posixpath.normpath("/" + source.strip("\"'")).strip("/")
