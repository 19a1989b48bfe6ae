"""Finding a cluster: several files, contexts, credentials, and what is told when there is none."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api import connect
from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import read_config
from support.kubernetes.api_server import ApiServer

pytestmark = pytest.mark.anyio


def config(path: Path, name: str, *, current: bool = True, server: str = "http://127.0.0.1:1", **user: Any) -> Path:
    content = {
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [{"name": name, "user": user or {"token": "t"}}],
        **({"current-context": name} if current else {}),
    }
    path.write_text(yaml.safe_dump(content))
    return path


def refused(context: str | None, kubeconfig: str) -> Any:
    with pytest.raises(StageFailure) as caught:
        read_config(context, kubeconfig)
    return caught.value.fault


def test_several_files_are_one(tmp_path: Path) -> None:
    one, two = config(tmp_path / "one", "one", current=False), config(tmp_path / "two", "two")
    both = os.pathsep.join((str(one), str(tmp_path / "missing"), str(two)))
    assert read_config(None, both).context_name == "two"
    assert read_config("one", both).cluster.server == "http://127.0.0.1:1"
    assert read_config("one", both).namespace == "default"


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path) -> None:
    below = tmp_path / "a"
    below.mkdir()
    one = config(tmp_path / "one", "one")
    two = config(below / "two", "two", **{"client-certificate": "me.crt", "client-key": "me.key"})
    found = read_config("two", f"{one}{os.pathsep}{two}")
    assert found.user is not None
    assert found.user.client_cert == str(below / "me.crt")


def test_no_file_is_a_fault_that_names_if_it_was_looked_for(tmp_path: Path) -> None:
    fault = refused(None, str(tmp_path / "nowhere"))
    assert fault.code == "kubernetes.kubeconfig_not_found"
    assert "nowhere" in fault.hint


def test_an_unknown_context_is_a_fault_that_names_the_known_ones(tmp_path: Path) -> None:
    fault = refused("three", str(config(tmp_path / "one", "one")))
    assert fault.code == "kubernetes.context_not_found"
    assert "one" in fault.hint


def test_no_current_context_is_a_fault(tmp_path: Path) -> None:
    assert refused(None, str(config(tmp_path / "one", "one", current=False))).code == "kubernetes.context_not_found"


@pytest.mark.parametrize(
    "content",
    [
        "a: [",
        "[]",
        "clusters: 3",
        "contexts: [{name: x, context: 3}]",
        "\x00",
        "contexts: [{name: x, context: {}}]\ncurrent-context: x",
    ],
)
def test_a_file_that_is_not_a_kubeconfig_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    fault = refused(None, str(path))
    assert fault.code in ("kubernetes.kubeconfig_invalid", "kubernetes.context_not_found")
    assert fault.code == "kubernetes.context_not_found" or str(path) in fault.hint


def plugin(path: Path, body: str) -> str:
    path.write_text(f"#!{sys.executable}\n{body}")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return str(path)


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_a_credential_plugin_of_either_version_signs_in(version: str, cluster: ApiServer, tmp_path: Path) -> None:
    api_version = f"client.authentication.k8s.io/{version}"
    answer = json.dumps({"kind": "ExecCredential", "apiVersion": api_version, "status": {"token": "from-plugin"}})
    body = f"import os\nassert '{api_version}' in os.environ['KUBERNETES_EXEC_INFO']\nprint('''{answer}''')"
    command = plugin(tmp_path / "plugin", body)
    path = config(
        tmp_path / "c",
        "c",
        server=f"http://127.0.0.1:{cluster.port}",
        exec={"apiVersion": api_version, "command": command},
    )
    async with connect(None, str(path)) as api:
        assert (await api.get("/version"))["gitVersion"] == "v1.36.0"
    assert cluster.tokens[-1] == "Bearer from-plugin"


async def test_a_credential_plugin_that_fails_is_a_fault_with_its_words(cluster: ApiServer, tmp_path: Path) -> None:
    command = plugin(tmp_path / "plugin", "import sys\nsys.exit('session expired')")
    entry = {"apiVersion": "client.authentication.k8s.io/v1", "command": command}
    path = config(tmp_path / "c", "c", server=f"http://127.0.0.1:{cluster.port}", exec=entry)
    with pytest.raises(StageFailure) as caught:
        async with connect(None, str(path)) as api:
            await api.get("/version")
    assert caught.value.fault.code == "kubernetes.unauthenticated"
    assert "session expired" in caught.value.fault.evidence[0].text


async def test_a_credential_plugin_that_is_not_installed_is_a_fault(cluster: ApiServer, tmp_path: Path) -> None:
    entry = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin-at-all"}
    path = config(tmp_path / "c", "c", server=f"http://127.0.0.1:{cluster.port}", exec=entry)
    with pytest.raises(StageFailure) as caught:
        async with connect(None, str(path)) as api:
            await api.get("/version")
    assert caught.value.fault.code == "kubernetes.unauthenticated"


async def test_a_certificate_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    path = config(tmp_path / "c", "c", **{"client-certificate": "me.crt", "client-key": "me.key"})
    with pytest.raises(StageFailure) as caught:
        async with connect(None, str(path)):
            pass
    assert caught.value.fault.code == "kubernetes.certificate"


async def test_a_server_that_speaks_no_tls_is_a_fault(cluster: ApiServer, tmp_path: Path) -> None:
    path = config(tmp_path / "c", "c", server=f"https://127.0.0.1:{cluster.port}")
    with pytest.raises(StageFailure) as caught:
        async with connect(None, str(path)) as api:
            await api.get("/version")
    assert caught.value.fault.code == "kubernetes.unreachable"


def test_lightkube_is_imported_only_when_it_is_used() -> None:
    import subprocess

    code = (
        "import sys; import container_kit.stages.deploy.kubernetes.deploy;"
        "import container_kit.stages.deploy.kubernetes.preflight;"
        "import container_kit.stages.deploy.kubernetes.verify;"
        "import container_kit.stages.deploy.kubernetes.manifests.make_manifests;"
        "print([m for m in ('lightkube', 'httpx2', 'yaml', 'docker') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_extra_it_is_said_how_to_install_it(tmp_path: Path) -> None:
    """In a process of its own that cannot import lightkube, as where the extra is not installed."""
    program = (
        "import sys; sys.modules['lightkube'] = None\n"
        "from container_kit.stages.contract.fault import StageFailure\n"
        "from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import read_config\n"
        "try: read_config(None, sys.argv[1])\n"
        "except StageFailure as failure: print(failure.fault.code, failure.fault.hint)\n"
    )
    there = config(tmp_path / "one", "one")
    said = subprocess.run([sys.executable, "-c", program, str(there)], capture_output=True, text=True, check=True)
    code, _, hint = said.stdout.strip().partition(" ")
    assert code == "kubernetes.client_not_found"
    assert "pip install 'container-kit[kubernetes]'" in hint
