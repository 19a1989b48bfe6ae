"""Each pipeline requires approval before it changes a protected target."""

from __future__ import annotations

import pytest

from container_kit.pipelines import catalog
from container_kit.pipelines.artifacts import Artifacts
from container_kit.stages.artifacts.target import Target

CHANGE_NO_TARGET = {
    *("choose-target", "analyze", "write-dockerfile", "build", "generate-image-sbom", "scan-image"),
    *("describe-deployment", "describe-rollout", "describe-rollback", "describe-removal"),
    *("describe-control", "describe-command"),
    *("find-image", "find-built-image", "find-deployment", "find-rollout"),
    *("verify", "verify-kubernetes", "list-deployments", "read-logs"),
}
WITH_TARGET = [
    name for name in catalog.names() if any(s.name == "choose-target" for s in catalog.pipeline(name).steps())
]


@pytest.mark.parametrize("name", WITH_TARGET)
def test_approval_is_required_before_the_first_stage_that_changes_a_target(name: str) -> None:
    pipeline = catalog.plan(name)
    changing = [
        number
        for number, group in enumerate(pipeline.groups)
        if any(step.name not in CHANGE_NO_TARGET for step in group)
    ]
    approving = [number for number, points in pipeline.approvals.items() if any(p.name == "consent" for p in points)]
    assert bool(changing) == bool(approving)
    assert approving[:1] <= changing[:1]


@pytest.mark.parametrize("protected", [True, False])
def test_only_a_protected_target_requires_approval(protected: bool) -> None:
    [(point,)] = catalog.plan("remove-deployment").approvals.values()
    assert point.when is not None
    assert point.when(Artifacts([Target(name="prod", protected=protected)])) is protected
