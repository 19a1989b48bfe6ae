from __future__ import annotations

import pytest

from container_kit import Evidence, Fault, NextAction, Workspace
from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.request import PipelineResponse, merge_input
from container_kit.pipelines.runs.service import RunService
from container_kit.stages.artifacts.analysis import Analysis, Finding, Module, Role
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import Resume
from container_kit.tools.builtin.build import BUILD
from container_kit.tools.builtin.deploy import DEPLOY
from container_kit.tools.builtin.retry_run import RETRY_RUN
from container_kit.tools.registry import ALL
from container_kit.tools.results.fault import TEXT_LIMIT, fault_result, fault_text
from container_kit.tools.results.next_actions import merge_arguments
from container_kit.tools.tool import Tool, ToolCall


@pytest.fixture
def tools() -> dict[str, Tool]:
    return {tool.name: tool for tool in ALL}


def call(workspace: Workspace, tools: dict[str, Tool], tool: Tool, **arguments: object) -> ToolCall:
    return ToolCall(tool=tool, arguments=arguments, runs=RunService(workspace), tools=tools)  # type: ignore[arg-type]


def fault(**fields: object) -> Fault:
    return Fault.model_validate({"code": "build.step_failed", "message": "pip failed", **fields})


def test_a_next_action_without_a_tool_is_the_same_call_with_the_changes(
    workspace: Workspace, tools: dict[str, Tool]
) -> None:
    action = NextAction(why="take a free port", arguments={"port": 8081})
    asked = call(workspace, tools, DEPLOY, image="shop:1", port=80)
    answered = fault_result(fault(next_actions=(action,)), asked)
    assert answered.fault is not None
    [ready] = answered.fault.next_actions
    assert (ready.tool, ready.arguments) == ("deploy", {"image": "shop:1", "port": 8081})


def test_an_action_of_another_tool_keeps_the_arguments_that_tool_accepts(
    workspace: Workspace, tools: dict[str, Tool]
) -> None:
    action = NextAction(tool="build", why="build it first")
    asked = call(workspace, tools, DEPLOY, path="shop", port=80, name="shop")
    answered = fault_result(fault(next_actions=(action,)), asked)
    assert answered.fault is not None
    [ready] = answered.fault.next_actions
    assert (ready.tool, ready.arguments) == ("build", {"path": "shop"})


def test_another_image_source_replaces_the_requested_one(workspace: Workspace, tools: dict[str, Tool]) -> None:
    action = NextAction(why="it is there", arguments={"image": "shop:2"})
    answered = fault_result(fault(next_actions=(action,)), call(workspace, tools, DEPLOY, run="abc"))
    assert answered.fault is not None
    assert answered.fault.next_actions[0].arguments == {"image": "shop:2"}


def test_an_action_that_cannot_be_called_is_omitted(workspace: Workspace, tools: dict[str, Tool]) -> None:
    actions = (NextAction(tool="reboot", why="?"), NextAction(why="?", arguments={"flavour": "plum"}))
    answered = fault_result(fault(next_actions=actions), call(workspace, tools, BUILD, path="shop"))
    assert answered.fault is not None
    assert answered.fault.next_actions == ()


def test_values_of_env_are_never_repeated(workspace: Workspace, tools: dict[str, Tool]) -> None:
    action = NextAction(why="take a free port", arguments={"port": 8081})
    asked = call(workspace, tools, DEPLOY, image="shop:1", env={"COLOUR": "planted-value"})
    broken = fault(next_actions=(action,), resume=Resume(run_id="r1", stage="deploy"))
    answered = fault_result(broken, asked)
    assert "planted-value" not in answered.text
    assert "planted-value" not in str(answered.data)


def test_a_retryable_fault_leads_to_a_retry_of_the_run(workspace: Workspace, tools: dict[str, Tool]) -> None:
    broken = fault(retryable=True, retry_after=5, resume=Resume(run_id="r1", stage="build"))
    answered = fault_result(broken, call(workspace, tools, BUILD, path="shop"))
    assert answered.fault is not None
    [ready] = answered.fault.next_actions
    assert (ready.tool, ready.arguments) == ("retry-run", {"run": "r1"})
    assert "the same call may succeed after 5 s" in answered.text


def test_an_edit_leads_to_a_retry_of_the_run_and_never_to_the_identical_call(
    workspace: Workspace, tools: dict[str, Tool]
) -> None:
    edit = NextAction(why="Correct Dockerfile:2. Then retry the run.")
    broken = fault(next_actions=(edit,), resume=Resume(run_id="r1", stage="build"))
    answered = fault_result(broken, call(workspace, tools, BUILD, path="shop"))
    assert answered.fault is not None
    [ready] = answered.fault.next_actions
    assert (ready.tool, ready.arguments) == ("retry-run", {"run": "r1"})
    without_run = fault_result(fault(next_actions=(edit,)), call(workspace, tools, BUILD, path="shop"))
    assert without_run.fault is not None
    assert without_run.fault.next_actions == ()


def test_a_failed_retry_leads_to_a_retry_of_the_new_run(workspace: Workspace, tools: dict[str, Tool]) -> None:
    action = NextAction(why="allow more", arguments={"memory_mb": 64})
    broken = fault(next_actions=(action,), resume=Resume(run_id="new", stage="deploy"))
    response = PipelineResponse(id="new", pipeline="deploy", status="failed", stages=(), seconds=1.0)
    answered = fault_result(broken, call(workspace, tools, RETRY_RUN, run="old"), response)
    assert answered.fault is not None
    [ready] = answered.fault.next_actions
    assert (ready.tool, ready.arguments) == ("retry-run", {"run": "new", "input": {"memory_mb": 64}})


def test_a_variable_is_added_to_those_that_were_sent() -> None:
    sent, more = {"build_args": {"A": "1"}}, {"build_args": {"B": "2"}}
    assert merge_arguments(sent, more, BUILD)["build_args"] == {"A": "1", "B": "2"}
    assert merge_input(sent, more) == {"build_args": {"A": "1", "B": "2"}}
    assert merge_input(sent, {"build_args": {"A": None}}) == {"build_args": {}}


def test_a_timeout_leads_to_a_call_with_more_time(workspace: Workspace, tools: dict[str, Tool]) -> None:
    answered = fault_result(fault(code="run.timeout"), call(workspace, tools, BUILD, path="shop", timeout=60))
    assert answered.fault is not None
    assert answered.fault.next_actions[0].arguments == {"path": "shop", "timeout": 120}


def test_the_text_keeps_the_hint_the_actions_and_the_end_of_the_log_within_the_limit() -> None:
    log = "\n".join(f"line {number}" for number in range(20_000))
    evidence = (
        Evidence(kind="instruction", where="Dockerfile:7", text="RUN pip install"),
        Evidence(kind="log", text=log),
    )
    text = fault_text(
        fault(hint="Correct the name.", evidence=evidence, next_actions=(NextAction(tool="build", why="again"),))
    )
    assert len(text) <= TEXT_LIMIT
    assert "hint: Correct the name." in text
    assert "next 1: build {}: again" in text
    assert "Dockerfile:7: RUN pip install" in text
    assert text.endswith("line 19999")


def test_the_structured_fault_has_the_fields_of_the_text(workspace: Workspace, tools: dict[str, Tool]) -> None:
    answered = fault_result(fault(hint="Correct the name."), call(workspace, tools, BUILD, path="shop"))
    assert answered.data["code"] == "build.step_failed"
    assert answered.data["hint"] == "Correct the name."


def test_a_fault_in_a_tree_with_several_modules_names_the_module(workspace: Workspace, tools: dict[str, Tool]) -> None:
    source, modules = Source(path="shop"), (_module("services/api"), _module("services/web"))
    analysis = Analysis(root="/shop", modules=modules)
    failed = PipelineResponse(id="r1", pipeline="build", status="failed", stages=(), seconds=1.0)
    both, one_module = Artifacts([source, analysis]), Artifacts([source])
    asked = call(workspace, tools, BUILD, path="shop")
    several = fault_result(fault(), asked, failed.with_artifacts(both))
    one = fault_result(fault(), asked, failed.with_artifacts(one_module))
    assert several.data["message"] == "pip failed (module services/api)"
    assert one.data["message"] == "pip failed"


def _module(path: str) -> Module:
    return Module(path=path, name=path, role=Finding[Role](value="web"), language=Finding[str](value="python"))
