"""The description of an engine's environment, from what engines report of themselves."""

from __future__ import annotations

import platform
from typing import Any

import pytest

from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.doctor.environment import describe

LOCAL = "unix:///var/run/docker.sock"
# `docker info` of these programs, reduced to the fields that are read
DESKTOP = {"OperatingSystem": "Docker Desktop", "Name": "docker-desktop", "KernelVersion": "6.10.14-linuxkit"}
COLIMA = {"OperatingSystem": "Ubuntu 24.04.1 LTS", "Name": "colima", "KernelVersion": "6.8.0-50-generic"}
ROOTLESS = {
    "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
    "KernelVersion": platform.release(),
    "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"],
    "CgroupVersion": "1",
}


def detail(info: dict[str, Any], host: str = LOCAL, **headers: str) -> dict[str, str]:
    return {check.name: check.detail for check in describe(DockerEngine(host), info, headers)}


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (DESKTOP, "virtual machine of Docker Desktop"),
        (COLIMA, "virtual machine of Colima"),
        ({"KernelVersion": platform.release(), "OperatingSystem": "Debian"}, "native"),
        ({"KernelVersion": "5.4.0-other", "OperatingSystem": "Debian"}, "in a virtual machine or on another machine"),
        (ROOTLESS, "rootless"),
    ],
)
def test_where_the_engine_runs_is_reported(info: dict[str, Any], words: str) -> None:
    assert words in detail(info)["engine kind"]


def test_podman_is_reported_by_its_header() -> None:
    headers = {"libpod-api-version": "4.3.1"}
    [kind, *_] = describe(DockerEngine(LOCAL), {"KernelVersion": platform.release()}, headers)
    assert kind.detail.startswith("Podman")


def test_a_rootless_engine_without_limits_has_a_remedy() -> None:
    [kind, *_] = describe(DockerEngine(LOCAL), ROOTLESS, {})
    assert kind.outcome == "problem"
    assert "delegated" in kind.get


def test_a_remote_engine_has_the_command_that_forwards_a_port() -> None:
    found = detail({"OperatingSystem": "Debian"}, "ssh://me@far.example")
    assert "remote" in found["engine kind"]
    assert "ssh -N -L 8080:127.0.0.1:8080 me@far.example" in found["ports"]


def test_an_engine_with_selinux_says_so() -> None:
    assert "selinux" in detail({"SecurityOptions": ["name=selinux"]})
    assert "selinux" not in detail({})
