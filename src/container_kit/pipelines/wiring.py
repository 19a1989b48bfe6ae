"""Wiring: the inputs and outputs of stages, read from their signatures."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from container_kit.pipelines.artifacts import Artifacts
from container_kit.stages.contract.fault import WiringError
from container_kit.stages.contract.stage import Stage, StageContext


@dataclass(frozen=True, slots=True)
class StageInput:
    """One parameter of a stage."""

    parameter: str
    kind: type[Any]
    optional: bool
    resolved: bool = False
    """True for the result of the stage's `resolve`; all other inputs are artifacts."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs of each method of a stage, and the stage's output."""

    execute: tuple[StageInput, ...]
    validate: tuple[StageInput, ...]
    preview: tuple[StageInput, ...]
    output: type[BaseModel] | None
    resolve: tuple[StageInput, ...] = ()

    @property
    def inputs(self) -> tuple[StageInput, ...]:
        """The artifacts that the stage takes, through `resolve` or `execute`."""
        by_parameter = {item.parameter: item for item in (*self.resolve, *self.execute) if not item.resolved}
        return tuple(by_parameter.values())

    @classmethod
    def of(cls, stage: Stage[Any]) -> Signature:
        """Read a stage's signature.

        Raises:
            WiringError: A parameter or the return type is not an artifact, or cannot be resolved.
        """
        kind = type(stage)
        resolved = _resolved_type(stage) if kind.resolve is not Stage.resolve else None
        return cls(
            execute=_inputs(stage, kind.execute, resolved),
            validate=_inputs(stage, kind.validate, resolved),
            preview=_inputs(stage, kind.preview, resolved),
            output=_output(stage, kind.execute),
            resolve=_inputs(stage, kind.resolve) if resolved else (),
        )


def arguments(inputs: Iterable[StageInput], artifacts: Artifacts, resolved: object = None) -> dict[str, Any]:
    """Return the keyword arguments for a stage's method.

    Args:
        inputs: The parameters.
        artifacts: The artifacts so far.
        resolved: The result of the stage's `resolve`.

    Raises:
        KeyError: A required artifact does not exist (in a dry run, because it could not be predicted).
    """
    return {item.parameter: resolved if item.resolved else _artifact(item, artifacts) for item in inputs}


def _artifact(item: StageInput, artifacts: Artifacts) -> BaseModel | None:
    return artifacts.get(item.kind) if item.optional else artifacts[item.kind]


def _resolved_type(stage: Stage[Any]) -> type[Any]:
    hint = _hints(stage, type(stage).resolve).get("return")
    if not isinstance(hint, type) or hint is type(None):
        raise WiringError(f"{_describe(stage)}: the return annotation of resolve must be one class")
    return hint


def _inputs(stage: Stage[Any], method: Callable[..., Any], resolved: type[Any] | None = None) -> tuple[StageInput, ...]:
    hints = _hints(stage, method)
    parameters = [
        parameter
        for parameter in list(inspect.signature(method).parameters.values())[1:]
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if not parameters or hints.get(parameters[0].name) is not StageContext:
        raise WiringError(f"{_describe(stage)}: the first parameter of {method.__name__} must be the StageContext")
    return tuple(_input(stage, parameter.name, hints.get(parameter.name), resolved) for parameter in parameters[1:])


def _input(stage: Stage[Any], parameter: str, hint: Any, resolved: type[Any] | None) -> StageInput:
    if resolved is not None and hint is resolved:
        return StageInput(parameter, resolved, optional=False, resolved=True)
    optional = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [part for part in typing.get_args(hint) if part is not type(None)]
        optional = len(kinds) < len(typing.get_args(hint))
        hint = kinds[0] if len(kinds) == 1 else None
    if not _is_model(hint):
        raise WiringError(
            f"{_describe(stage)}: parameter {parameter} must be typed as one artifact (or `artifact | None`)"
        )
    return StageInput(parameter, hint, optional)


def _output(stage: Stage[Any], method: Callable[..., Any]) -> type[BaseModel] | None:
    hint = _hints(stage, method).get("return")
    if hint is type(None):
        return None
    if not _is_model(hint):
        raise WiringError(f"{_describe(stage)}: the return annotation of execute must be one artifact or None")
    return typing.cast("type[BaseModel]", hint)


def _hints(stage: Stage[Any], method: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(method)
    except NameError as error:
        raise WiringError(
            f"{_describe(stage)}: the annotations of {method.__name__} cannot be resolved ({error}); "
            "define the artifact at the top of its module and import it at run time, not under TYPE_CHECKING"
        ) from error


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def _describe(stage: Stage[Any]) -> str:
    return f"stage {stage.name!r} ({type(stage).__name__})"
