"""Custom pipelines as tools, loaded from the entry points of installed packages and from named modules."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import entry_points
from typing import Any

from pydantic import create_model

from container_kit.pipelines.catalog import names
from container_kit.pipelines.catalog import plan as from_catalog
from container_kit.pipelines.pipeline import Pipeline
from container_kit.pipelines.plan import Plan
from container_kit.stages.contract.fault import ConfigurationError
from container_kit.stages.contract.operator_policy import DEFAULT, OperatorPolicy
from container_kit.stages.deploy.targets import Targets
from container_kit.tools.builtin._fields import DryRun, Timeout
from container_kit.tools.pipeline_tool import outputs_of, runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolInput

GROUP = "container_kit.pipelines"
"""The entry point group. Each entry is a `Pipeline`, a list of pipelines, or a function that returns either."""


def load_custom_pipelines(modules: Sequence[str]) -> tuple[Pipeline, ...]:
    """Load the pipelines of installed packages and of these modules.

    Raises:
        ConfigurationError: A module or an entry point cannot be used, or a name is already taken.
    """
    pipelines: dict[str, Pipeline] = {}
    for origin, value in (*_load_entry_points(), *_load_modules(modules)):
        for pipeline in _pipelines_in(value, origin):
            if pipelines.setdefault(pipeline.name, pipeline) is not pipeline or pipeline.name in names():
                raise ConfigurationError(f"{origin}: the name {pipeline.name!r} is already taken")
    return tuple(pipelines.values())


def pipeline_finder(
    custom: Iterable[Pipeline], targets: Targets = (), policy: OperatorPolicy = DEFAULT
) -> Callable[[str], Plan]:
    """Return a function that finds a custom pipeline or one of the catalog by name.

    Args:
        targets: The targets to which pipelines of the catalog deploy.
        policy: The operator's rules for pipelines of the catalog.
    """
    by_name = {pipeline.name: pipeline.plan() for pipeline in custom}

    def find(name: str) -> Plan:
        return by_name[name] if name in by_name else from_catalog(name, targets, policy)

    return find


def custom_tool(pipeline: Pipeline) -> Tool:
    """Return the tool that runs a pipeline. Its arguments are the fields of the pipeline's inputs."""
    plan = pipeline.plan()
    outputs = outputs_of(plan)
    read_only = all(step.stage.read_only for step in plan.steps())
    stages = ", ".join(step.name for step in plan.steps())
    return Tool(
        name=pipeline.name,
        title=pipeline.name.replace("-", " ").capitalize(),
        description=f"{pipeline.summary or 'A custom pipeline.'} Stages: {stages}. "
        "Next: on failure, fix what the fault names, then send a next action.",
        input=_input_model(pipeline),
        output=result_schema(*reversed(outputs)),
        toolset="custom",
        effect="read_only" if read_only else "destructive",
        handler=runs_pipeline(pipeline.name, outputs),
        open_world=True,
    )


def _input_model(pipeline: Pipeline) -> type[ToolInput]:
    fields: dict[str, Any] = {
        name: (field.annotation, field) for kind in pipeline.inputs for name, field in kind.model_fields.items()
    }
    for name, option in (("dry_run", (DryRun, False)), ("timeout", (Timeout | None, None))):
        fields.setdefault(name, option)
    name = "".join(part.capitalize() for part in pipeline.name.split("-"))
    model: type[ToolInput] = create_model(f"{name}Input", __base__=ToolInput, **fields)
    return model


def _load_entry_points() -> Iterator[tuple[str, object]]:
    for entry in entry_points(group=GROUP):
        origin = f"entry point {entry.name!r}"
        try:
            yield origin, entry.load()
        except Exception as error:
            raise ConfigurationError(f"{origin}: {error}") from error


def _load_modules(modules: Sequence[str]) -> Iterator[tuple[str, object]]:
    for name in modules:
        try:
            module = importlib.import_module(name)
        except Exception as error:
            raise ConfigurationError(f"pipelines module {name!r}: {error}") from error
        pipelines = [value for value in vars(module).values() if isinstance(value, Pipeline)]
        if not pipelines:
            raise ConfigurationError(f"pipelines module {name!r} contains no pipeline")
        yield f"module {name!r}", pipelines


def _pipelines_in(value: object, origin: str) -> list[Pipeline]:
    if callable(value) and not isinstance(value, Pipeline):
        value = value()
    values = [value] if isinstance(value, Pipeline) else list(value) if isinstance(value, list | tuple) else []
    pipelines = [item for item in values if isinstance(item, Pipeline)]
    if not pipelines or len(pipelines) < len(values):
        raise ConfigurationError(f"{origin} is not a pipeline or a list of pipelines")
    return pipelines
