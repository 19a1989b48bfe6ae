"""checkov on generated manifests. It brings a hundred packages, so it has its own environment and runs on demand."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.artifacts.kubernetes import ClusterImage, KubernetesOptions, Manifests
from container_kit.stages.deploy.kubernetes.manifests.application import combine
from container_kit.stages.deploy.kubernetes.manifests.generate import objects
from container_kit.stages.deploy.kubernetes.manifests.layouts import render_layout

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(600)]

IMAGE = ClusterImage(reference="registry.test/shop/web:1.4@sha256:" + "0123456789abcdef" * 4)


@pytest.fixture(scope="module")
def checkov(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program that CHECKOV names, else one that is installed for these tests."""
    if named := os.environ.get("CHECKOV"):
        return named
    folder = tmp_path_factory.mktemp("checkov")
    venv.create(folder, with_pip=True)
    command = [str(folder / "bin/python"), "-m", "pip", "install", "-q", "checkov>=3.3,<4"]
    subprocess.run(command, check=True, timeout=500)
    return str(folder / "bin/checkov")


@pytest.mark.parametrize(
    ("options", "accepted"),
    [
        (
            KubernetesOptions(port=8080, health_path="/health", host="a.example.com", tls_secret="tls", max_replicas=5),
            set(),
        ),
        (
            KubernetesOptions(port=80, secret_env={"DATABASE_URL": "db/url"}, writable_paths=("/app/cache",)),
            {"CKV_K8S_35"},  # secrets as files rather than variables: applications read the variable that they read
        ),
    ],
)
def test_checkov_finds_nothing_else(
    options: KubernetesOptions, accepted: set[str], checkov: str, tmp_path: Path
) -> None:
    found = objects(combine(options, IMAGE, "shop", None, None))
    manifests = Manifests(name="web", namespace="shop", objects=tuple(found))
    folder = tmp_path / "manifests"
    folder.mkdir()
    for name, text in render_layout(manifests, "files").files.items():
        (folder / name).write_text(text)
    report = run(checkov, folder)
    assert report["summary"]["passed"] > 60
    assert {check["check_id"] for check in report["results"]["failed_checks"]} == accepted


def run(checkov: str, folder: Path) -> dict[str, Any]:
    command = [checkov, "-d", str(folder), "--framework", "kubernetes", "-o", "json", "--soft-fail", "--skip-download"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True).stdout
    report: dict[str, Any] = json.loads(printed)
    return report
