"""A team's own pipelines as tools: found in installed packages and named modules, offered with no further code."""

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
from container_kit.stages.contract.fault import WiringError
from container_kit.stages.deploy.targets import Targets
from container_kit.tools.builtin._fields import DryRun, Timeout
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, products_of, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput

GROUP = "container_kit.pipelines"
"""The entry point group; each entry is a `Pipeline`, a list of them, or a function that returns either."""


def own_pipelines(modules: Sequence[str]) -> tuple[Pipeline, ...]:
    """The pipelines of installed packages, and those that stand in these modules.

    Raises:
        WiringError: A module or an entry point cannot be used, or a name is taken.
    """
    found: dict[str, Pipeline] = {}
    for where, value in (*_installed(), *_in_modules(modules)):
        for pipeline in _pipelines(value, where):
            if found.setdefault(pipeline.name, pipeline) is not pipeline or pipeline.name in names():
                raise WiringError(f"{where}: the name {pipeline.name!r} is taken")
    return tuple(found.values())


def finder(own: Iterable[Pipeline], targets: Targets = ()) -> Callable[[str], Plan]:
    """Finds a pipeline by its name, the team's own ones and those of the catalog, which deploy to these targets."""
    by_name = {pipeline.name: pipeline.plan() for pipeline in own}

    def find(name: str) -> Plan:
        return by_name[name] if name in by_name else from_catalog(name, targets)

    return find


def offer_of(pipeline: Pipeline) -> Tool:
    """A pipeline as a tool: its given artifacts' fields are the arguments, what it makes is the answer."""
    products = products_of(pipeline.plan())
    reads = all(step.stage.read_only for step in pipeline.steps())
    stages = ", ".join(step.name for step in pipeline.steps())

    async def planned(_: ToolCall, asked: ToolInput) -> PipelineCall:
        return pipeline_call(pipeline.name, asked)

    return Tool(
        name=pipeline.name,
        title=pipeline.name.replace("-", " ").capitalize(),
        description=f"{pipeline.summary or 'A pipeline of this team.'} Stages: {stages}. "
        "Next: on failure mend what the fault names and send a next action.",
        input=_input(pipeline),
        output=answer_schema(*reversed(products)),
        toolset="custom",
        effect="read_only" if reads else "destructive",
        work=runs_pipeline(planned, products),
        open_world=True,
    )


def _input(pipeline: Pipeline) -> type[ToolInput]:
    fields: dict[str, Any] = {
        name: (field.annotation, field) for kind in pipeline.inputs for name, field in kind.model_fields.items()
    }
    for name, option in (("dry_run", (DryRun, False)), ("timeout", (Timeout | None, None))):
        fields.setdefault(name, option)
    name = "".join(part.capitalize() for part in pipeline.name.split("-"))
    model: type[ToolInput] = create_model(f"{name}Input", __base__=ToolInput, **fields)
    return model


def _installed() -> Iterator[tuple[str, object]]:
    for entry in entry_points(group=GROUP):
        where = f"entry point {entry.name!r}"
        try:
            yield where, entry.load()
        except Exception as error:
            raise WiringError(f"{where}: {error}") from error


def _in_modules(modules: Sequence[str]) -> Iterator[tuple[str, object]]:
    for name in modules:
        try:
            module = importlib.import_module(name)
        except Exception as error:
            raise WiringError(f"pipelines module {name!r}: {error}") from error
        found = [value for value in vars(module).values() if isinstance(value, Pipeline)]
        if not found:
            raise WiringError(f"pipelines module {name!r} holds no pipeline")
        yield f"module {name!r}", found


def _pipelines(value: object, where: str) -> list[Pipeline]:
    if callable(value) and not isinstance(value, Pipeline):
        value = value()
    found = [value] if isinstance(value, Pipeline) else list(value) if isinstance(value, list | tuple) else []
    pipelines = [item for item in found if isinstance(item, Pipeline)]
    if not pipelines or len(pipelines) < len(found):
        raise WiringError(f"{where} is no pipeline and no list of them")
    return pipelines
