"""Targets from the file and from variables, and invalid settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from container_kit import ConfigurationError
from container_kit.server import settings
from container_kit.server.tool_selection import configured_tools
from container_kit.stages.artifacts.target import Limits, Target

FILE = """
[targets.shop]
protected = true
limits = { memory_mb = 256, cpus = 0.5 }

[targets.prod]
kind = "kubernetes"
context = "prod"
namespace = "shop"
"""


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_defines_targets_with_kind_protection_and_limits(here: Path) -> None:
    (here / "container-kit.toml").write_text(FILE)
    assert settings.load().deployment_targets == (
        Target(name="shop", protected=True, limits=Limits(memory_mb=256, cpus=0.5)),
        Target(name="prod", kind="kubernetes", context="prod", namespace="shop"),
    )


def test_variables_extend_and_override_the_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "container-kit.toml").write_text(FILE)
    monkeypatch.setenv("CONTAINER_KIT_TARGETS__PROD__PROTECTED", "true")
    monkeypatch.setenv("CONTAINER_KIT_TARGETS__PROD__NAMESPACE", "other")
    prod = settings.load().targets["prod"]
    assert (prod.protected, prod.namespace, prod.context) == (True, "other", "prod")
    monkeypatch.setenv("CONTAINER_KIT_TARGETS", '{"lab": {"limits": {"memory_mb": 64}}}')
    assert settings.load().targets["lab"].limits.memory_mb == 64


def test_pipelines_deploy_to_the_configured_targets(here: Path) -> None:
    (here / "container-kit.toml").write_text(FILE)
    _, find = configured_tools(settings.load())
    assert find("deploy") is find("deploy")
    assert next(find("deploy").steps()).name == "choose-target"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('[targets.x]\nkind = "swarm"', "targets.x.kind"),
        ('[targets.x]\ncontext = "prod"', "context, namespace and registry belong to"),
        ('[targets."Not a name"]', "targets.Not a name"),
        ("[targets.x.limits]\nmemory_mb = 1", "targets.x.limits.memory_mb"),
        ("[targets.x]\nproteced = true", "targets.x.proteced"),
        ("targets = 3", "targets"),
    ],
)
def test_an_invalid_setting_is_named(here: Path, text: str, names: str) -> None:
    (here / "container-kit.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=names):
        settings.load()
