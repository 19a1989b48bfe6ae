"""The files of `.github` and the Compose example, checked against their published schemas."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from container_kit.server.cli.main import main
from container_kit.server.settings import Settings

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
COMPOSE = ROOT / "examples/compose/compose.yaml"
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "custom.github-workflows-require-timeout": WORKFLOWS,
    "vendor.github-issue-forms": FORMS,
    "vendor.github-issue-config": [GITHUB / "ISSUE_TEMPLATE/config.yml"],
    "vendor.dependabot": [GITHUB / "dependabot.yml"],
    "vendor.compose-spec": [COMPOSE],
}


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return content


def steps_of(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_each_file_fits_its_schema(schema: str) -> None:
    files = SCHEMAS[schema]
    assert files
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_schema_of_workflows_rejects_a_wrong_workflow(tmp_path: Path) -> None:
    workflow = load(WORKFLOWS[0])
    next(iter(workflow["jobs"].values()))["run-on"] = "ubuntu-24.04"
    path = tmp_path / "wrong.yml"
    path.write_text(yaml.safe_dump(workflow))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 1


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_workflow_grants_few_permissions_and_pins_each_action_to_a_version(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    actions = [step["uses"] for step in steps_of(workflow) if "uses" in step]
    assert actions
    assert [action for action in actions if not re.search(r"(@(release/)?v\d+|:\d+\.\d+\.\d+)$", action)] == []
    checkouts = [step for step in steps_of(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_script_of_a_workflow_contains_an_expression(path: Path) -> None:
    """Expressions in scripts are a way to inject commands; environment variables are not."""
    assert [step["run"] for step in steps_of(load(path)) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_file_that_a_workflow_runs_exists(path: Path) -> None:
    words = [word for step in steps_of(load(path)) for word in shlex.split(step.get("run", ""))]
    files = [word for word in words if re.match(r"(scripts|tests|\.ci)/", word)]
    assert files
    assert [word for word in files if not (ROOT / word).exists()] == []


def test_each_workflow_job_waits_for_jobs_that_exist() -> None:
    for path in WORKFLOWS:
        jobs = load(path)["jobs"]
        needs = [job["needs"] for job in jobs.values() if "needs" in job]
        assert {name for value in needs for name in ([value] if isinstance(value, str) else value)} <= jobs.keys()


def test_the_compose_example_uses_settings_and_commands_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    services = {name: service for name, service in load(COMPOSE)["services"].items() if name != "postgres"}
    settings = {f"CONTAINER_KIT_{name.upper()}" for name in Settings.model_fields}
    for service in services.values():
        assert service["environment"].keys() <= settings
        with pytest.raises(SystemExit) as exit_:
            main([*service["command"], "--help"])
        assert exit_.value.code == 0, capsys.readouterr().err


def test_every_variable_of_the_compose_example_is_set_in_its_readme_or_has_a_default() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", COMPOSE.read_text("utf-8")))
    readme = (COMPOSE.parent / "README.md").read_text("utf-8")
    assert required == set(re.findall(r"(?:export| )\s*([A-Z_]+)=(?=\$\(|/)", readme)) - {"CONTAINER_KIT_WORKSPACE"}
