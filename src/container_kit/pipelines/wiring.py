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
    kind: type[BaseModel]
    optional: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """What a stage needs for each of its methods, and what it makes."""

    execute: tuple[StageInput, ...]
    validate: tuple[StageInput, ...]
    preview: tuple[StageInput, ...]
    output: type[BaseModel] | None

    @classmethod
    def of(cls, stage: Stage[Any]) -> Signature:
        """Read a stage's signature.

        Raises:
            WiringError: A parameter or the return type is not an artifact, or cannot be resolved.
        """
        kind = type(stage)
        execute = _needs(stage, kind.execute)
        return cls(
            execute=execute,
            validate=_needs(stage, kind.validate),
            preview=_needs(stage, kind.preview),
            output=_product(stage, kind.execute),
        )


def arguments(needs: Iterable[StageInput], made: Artifacts) -> dict[str, BaseModel | None]:
    """The keyword arguments for a stage's method.

    Raises:
        KeyError: A need that is not optional has not been made (in a dry run, where it could not be foretold).
    """
    return {need.parameter: made.get(need.kind) if need.optional else made[need.kind] for need in needs}


def _needs(stage: Stage[Any], method: Callable[..., Any]) -> tuple[StageInput, ...]:
    hints = _hints(stage, method)
    parameters = [
        parameter
        for parameter in list(inspect.signature(method).parameters.values())[1:]
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if not parameters or hints.get(parameters[0].name) is not StageContext:
        raise WiringError(f"{_named(stage)}: the first parameter of {method.__name__} must be the StageContext")
    return tuple(_need(stage, parameter.name, hints.get(parameter.name)) for parameter in parameters[1:])


def _need(stage: Stage[Any], parameter: str, hint: Any) -> StageInput:
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
