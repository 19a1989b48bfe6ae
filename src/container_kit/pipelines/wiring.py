"""Wiring: what each stage needs and makes, read from its signature, and the proof that the parts fit."""

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
    """What a stage needs for each of its methods, and what it makes."""

    execute: tuple[StageInput, ...]
    validate: tuple[StageInput, ...]
    preview: tuple[StageInput, ...]
    output: type[BaseModel] | None
    resolve: tuple[StageInput, ...] = ()

    @property
    def inputs(self) -> tuple[StageInput, ...]:
        """The artifacts that the stage takes, through `resolve` or `execute`."""
        by_parameter = {need.parameter: need for need in (*self.resolve, *self.execute) if not need.resolved}
        return tuple(by_parameter.values())

    @classmethod
    def of(cls, stage: Stage[Any]) -> Signature:
        """Read a stage's signature.

        Raises:
            WiringError: A parameter or the return type is not an artifact, or cannot be resolved.
        """
        kind = type(stage)
        resolved = _resolved(stage) if kind.resolve is not Stage.resolve else None
        return cls(
            execute=_needs(stage, kind.execute, resolved),
            validate=_needs(stage, kind.validate, resolved),
            preview=_needs(stage, kind.preview, resolved),
            output=_product(stage, kind.execute),
            resolve=_needs(stage, kind.resolve) if resolved else (),
        )


def arguments(needs: Iterable[StageInput], made: Artifacts, resolved: object = None) -> dict[str, Any]:
    """Return the keyword arguments for a stage's method.

    Args:
        resolved: The result of the stage's `resolve`.

    Raises:
        KeyError: A required artifact does not exist (in a dry run, because it could not be predicted).
    """
    return {need.parameter: resolved if need.resolved else _artifact(need, made) for need in needs}


def _artifact(need: StageInput, made: Artifacts) -> BaseModel | None:
    return made.get(need.kind) if need.optional else made[need.kind]


def _resolved(stage: Stage[Any]) -> type[Any]:
    hint = _hints(stage, type(stage).resolve).get("return")
    if not isinstance(hint, type) or hint is type(None):
        raise WiringError(f"{_named(stage)}: resolve must return one class, and say so in its annotation")
    return hint


def _needs(stage: Stage[Any], method: Callable[..., Any], resolved: type[Any] | None = None) -> tuple[StageInput, ...]:
    hints = _hints(stage, method)
    parameters = [
        parameter
        for parameter in list(inspect.signature(method).parameters.values())[1:]
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if not parameters or hints.get(parameters[0].name) is not StageContext:
        raise WiringError(f"{_named(stage)}: the first parameter of {method.__name__} must be the StageContext")
    return tuple(_need(stage, parameter.name, hints.get(parameter.name), resolved) for parameter in parameters[1:])


def _need(stage: Stage[Any], parameter: str, hint: Any, resolved: type[Any] | None) -> StageInput:
    if resolved is not None and hint is resolved:
        return StageInput(parameter, resolved, optional=False, resolved=True)
    optional = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [part for part in typing.get_args(hint) if part is not type(None)]
        optional = len(kinds) < len(typing.get_args(hint))
        hint = kinds[0] if len(kinds) == 1 else None
    if not _is_model(hint):
        raise WiringError(
            f"{_named(stage)}: parameter {parameter} must be typed as one artifact (or `artifact | None`)"
        )
    return StageInput(parameter, hint, optional)


def _product(stage: Stage[Any], method: Callable[..., Any]) -> type[BaseModel] | None:
    hint = _hints(stage, method).get("return")
    if hint is type(None):
        return None
    if not _is_model(hint):
        raise WiringError(f"{_named(stage)}: execute must return one artifact or None, and say so in its annotation")
    return typing.cast("type[BaseModel]", hint)


def _hints(stage: Stage[Any], method: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(method)
    except NameError as error:
        raise WiringError(
            f"{_named(stage)}: the annotations of {method.__name__} cannot be resolved ({error}); "
            "define the artifact at the top of its module and import it at run time, not under TYPE_CHECKING"
        ) from error


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def _named(stage: Stage[Any]) -> str:
    return f"stage {stage.name!r} ({type(stage).__name__})"
