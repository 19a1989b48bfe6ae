"""Each way in which a new version can fail: its fault, its evidence, its repair, and the old version that serves on."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.artifacts.analysis import Analysis, Finding, Module, Role, Variable
from container_kit.stages.artifacts.deployment import DeployOptions
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import Limits, Target
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.deploy.local.diagnose import FailureSnapshot, unhealthy
from container_kit.stages.deploy.local.ports import container_socket_tables
from container_kit.stages.deploy.local.probe import ProbeResult
from container_kit.stages.deploy.local.spec import ContainerSpec
from container_kit.stages.docker.engine import DockerEngine
from support.engine.deployments import App, get
from support.engine.private_engine import PrivateEngine
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute, validate

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

Web = Callable[..., Image]


async def _refused(app: App, web: Web, image: Image, **options: Any) -> Fault:
    """Deploy a good version, then this one, and see that the good one serves on alone."""
    good = await app.deploy(web("v1"))
    with pytest.raises(StageFailure) as failure:
        await app.deploy(image, **{"health_timeout": 3.0} | options)
    assert get(good.host_port) == "v1"
    assert [one["Id"] for one in app.containers()] == [good.container_id]
    return failure.value.fault


def _evidence(fault: Fault, kind: str) -> str:
    return "\n".join(one.text for one in fault.evidence if one.kind == kind)


def _arguments(fault: Fault) -> dict[str, Any]:
    return dict(fault.next_actions[0].arguments)


async def test_a_container_that_exits_shows_its_exit_code_and_its_last_words(app: App, web: Web) -> None:
    fault = await _refused(app, web, web("exits", ["8000", "exits"]))
    assert fault.code == "deploy.exited"
    assert _evidence(fault, "exit_code") == "1"
    assert "no configuration: giving up" in _evidence(fault, "log")


async def test_a_container_that_is_never_healthy_shows_the_last_answer(app: App, web: Web) -> None:
    fault = await _refused(app, web, web("sick", ["8000", "sick"]))
    assert fault.code == "deploy.unhealthy"
    assert "503" in _evidence(fault, "http")


async def test_a_server_error_shows_the_exception_behind_it(app: App, web: Web) -> None:
    fault = await _refused(app, web, web("raises", ["8000", "raises"]), health_timeout=8.0)
    assert fault.code == "deploy.server_error"
    assert "prices of today" in fault.message
    assert fault.next_actions


@pytest.mark.parametrize(
    ("status", "log", "code"),
    [
        (401, "", "deploy.health_unauthorized"),
        (
            400,
            "Invalid HTTP_HOST header: '127.0.0.1'. You may need to add it to ALLOWED_HOSTS.",
            "deploy.host_not_allowed",
        ),
    ],
)
def test_an_answer_that_refuses_the_probe_is_explained(status: int, log: str, code: str) -> None:
    spec = ContainerSpec("shop", "shop:1", "", 8000, "65534", "/", DeployOptions(), {}, Redactor())
    snapshot = FailureSnapshot(spec, "0" * 64, {}, log)
    fault = unhealthy(snapshot, None, ProbeResult(False, str(status), status)).fault
    assert fault.code == code
    assert fault.next_actions


async def test_a_wrong_port_is_found_and_the_right_one_offered(app: App, web: Web) -> None:
    image = web("elsewhere", ["9000"])
    fault = await _refused(app, web, image)
    assert fault.code == "deploy.wrong_port"
    assert _arguments(fault) == {"container_port": 9000}
    made = await app.deploy(image, **_arguments(fault))
    assert get(made.host_port) == "elsewhere"


async def test_listening_on_loopback_only_is_found(app: App, web: Web) -> None:
    fault = await _refused(app, web, web("loopback", ["8000", "loopback"]))
    assert fault.code == "deploy.loopback_only"
    assert "--host" in fault.hint


async def test_what_listens_is_asked_of_the_container_where_the_engine_counts_processes_in_another_namespace(
    app: App, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "container_kit.stages.deploy.local.diagnose.container_socket_tables",
        lambda _, pid: container_socket_tables("f" * 64, pid),
    )
    fault = await _refused(app, web, web("loopback", ["8000", "loopback"]))
    assert fault.code == "deploy.loopback_only"


async def test_listening_nowhere_is_found(app: App, web: Web) -> None:
    fault = await _refused(app, web, web("silent", ["8000", "silent"]))
    assert fault.code == "deploy.not_listening"
    assert _arguments(fault) == {"health_timeout": 12.0}


async def test_running_out_of_memory_offers_more(app: App, web: Web) -> None:
    fault = await _refused(app, web, web("hog", ["8000", "hog"]), memory_mb=48)
    assert fault.code == "deploy.out_of_memory"
    assert _evidence(fault, "exit_code") == "137"
    assert _arguments(fault) == {"memory_mb": 96}


async def test_a_missing_start_command_is_named(app: App, web: Web) -> None:
    fault = await _refused(app, web, web("no-command", Cmd=["/nowhere/run"]))
    assert fault.code == "deploy.command_not_found"
    assert "/nowhere/run" in _evidence(fault, "log")


async def test_writing_to_the_read_only_root_offers_what_works(app: App, web: Web) -> None:
    fault = await _refused(app, web, web("writes", ["8000", "writes"]))
    assert fault.code == "deploy.read_only_file_system"
    assert "/var/lib/state" in fault.message
    assert _arguments(fault) == {"read_only": False}
    made = await app.deploy(web("writes"), read_only=False, user="0:0")
    assert get(made.host_port) == "writes"


async def test_a_denied_file_is_reported_with_the_user(app: App, web: Web) -> None:
    fault = await _refused(app, web, web("denied", ["8000", "denied"]))
    assert fault.code == "deploy.permission_denied"
    assert "65534" in fault.message


async def test_another_protocol_than_http_offers_the_tcp_probe(app: App, web: Web) -> None:
    fault = await _refused(app, web, web("not-http", ["8000", "not-http"]))
    assert fault.code == "deploy.unhealthy"
    assert _arguments(fault) == {"probe": "tcp"}


async def test_a_program_for_another_processor_is_reported(app: App, web: Web) -> None:
    # An ELF header for another machine: e_machine 0xB7 is AArch64 (System V ABI, ELF header).
    header = "\\x7fELF\\x02\\x01\\x01" + "\\x00" * 9 + "\\x02\\x00\\xb7\\x00\\x01\\x00\\x00\\x00" + "\\x00" * 40
    command = ["sh", "-c", f"printf '{header}' >/tmp/x; chmod +x /tmp/x; cp /tmp/x /dev/shm/x; exec /dev/shm/x"]
    fault = await _refused(app, web, web("aarch64", Cmd=command))
    assert fault.code in ("deploy.wrong_architecture", "deploy.not_executable")


async def test_a_missing_variable_is_named(app: App, web: Web) -> None:
    module = Module(
        path=".", name="web", role=Finding[Role](value="web"), language=Finding[str](value="python"),
        variables=(Variable(name="DATABASE_URL", required=True),),
    )  # fmt: skip
    analysis = Analysis(root="/", modules=(module,))
    with pytest.raises(StageFailure) as failure:
        await execute(
            app.stage, app.ctx(), web("needs", ["8000", "needs"]), DeployOptions(name=app.name), None, analysis
        )
    assert failure.value.fault.code == "deploy.variable_not_found"
    assert "DATABASE_URL" in _arguments(failure.value.fault)["env"]
    assert app.containers() == []


async def test_a_port_in_use_names_its_holder_and_a_free_one(app: App, web: Web) -> None:
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(StageFailure) as failure:
            await app.deploy(web("v1"), port=holder.getsockname()[1])
    fault = failure.value.fault
    assert fault.code == "deploy.port_in_use"
    assert "process" in fault.message
    made = await app.deploy(web("v1"), **_arguments(fault))
    assert get(made.host_port) == "v1"
    other = App(f"{app.name}-b", app.engine, app.api, app.ctx)
    with pytest.raises(StageFailure) as failure:
        await other.deploy(web("v1"), port=made.host_port)
    assert made.container_name in failure.value.fault.message


async def test_a_port_that_is_taken_while_the_candidate_starts_puts_the_old_version_back(app: App, web: Web) -> None:
    good = await app.deploy(web("v1"))
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        options = DeployOptions(name=app.name, port=holder.getsockname()[1])
        with pytest.raises(StageFailure) as failure:  # `validate`, which would have found it, is left out
            await execute(app.stage, app.ctx(), web("v2"), options)
    assert failure.value.fault.code == "deploy.port_in_use"
    assert get(good.host_port) == "v1"
    assert app.running() == [good.container_name]


async def test_an_image_that_is_gone_is_a_fault(app: App) -> None:
    with pytest.raises(StageFailure) as failure:
        await app.deploy(Image(id="sha256:" + "0" * 64, reference="ck-test-absent:1", ports=(80,)))
    assert failure.value.fault.code == "image.not_found"
    assert app.containers() == []


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"name": "No Good"}, "deploy.option_invalid"),
        ({"name": "-x"}, "deploy.option_invalid"),
        ({"name": "a" * 41}, "deploy.option_invalid"),
        ({"name": "x;rm -rf"}, "deploy.option_invalid"),
        ({"health_path": "no-slash"}, "deploy.option_invalid"),
        ({"health_path": "/x\r\nHost: evil"}, "deploy.option_invalid"),
        ({"user": "--privileged"}, "deploy.option_invalid"),
        ({"volumes": {"/etc": "/host"}}, "deploy.option_invalid"),
        ({"volumes": {"data": "relative"}}, "deploy.option_invalid"),
        ({"volumes": {"data": "/x:ro,z"}}, "deploy.option_invalid"),
        ({"env": {"A=B": "x"}}, "deploy.env_invalid"),
        ({"env": {"A": "x\0y"}}, "deploy.env_invalid"),
        ({"env_file": "absent.env"}, "deploy.env_file_not_found"),
        ({"env_file": "../outside.env"}, "path.outside_workspace"),
    ],
)
async def test_bad_options_are_faults_before_anything_is_made(app: App, options: dict[str, Any], code: str) -> None:
    image = Image(id="sha256:" + "0" * 64, reference="ck-test-absent:1", ports=(80,))
    with pytest.raises(StageFailure) as failure:
        await validate(app.stage, app.ctx(), image, DeployOptions(**{"name": app.name} | options))
    assert failure.value.fault.code == code


async def test_a_bad_line_of_the_file_is_named_and_not_shown(app: App, tmp_path: Path) -> None:
    (tmp_path / "prod.env").write_text("GOOD=1\nthis is the s3cret without a name\n")
    image = Image(id="sha256:" + "0" * 64, reference="ck-test-absent:1", ports=(80,))
    options = DeployOptions(name=app.name, env_file="prod.env")
    with pytest.raises(StageFailure) as failure:
        await validate(app.stage, app.ctx(), image, options, Source(path=str(tmp_path)))
    fault = failure.value.fault
    assert fault.code == "deploy.env_file_invalid"
    assert "prod.env:2" in fault.message
    assert "s3cret" not in fault.model_dump_json()


async def test_more_than_the_target_allows_is_refused_and_a_default_is_lowered_to_it(app: App, web: Web) -> None:
    small = Target(name="small", limits=Limits(memory_mb=64, cpus=0.5))
    image = web("v1")
    with pytest.raises(StageFailure) as failure:
        await validate(app.stage, app.ctx(), image, DeployOptions(name=app.name, memory_mb=65), small)
    fault = failure.value.fault
    assert fault.code == "target.over_limit"
    assert fault.next_actions[0].arguments == {"memory_mb": 64}
    made = await execute(app.stage, app.ctx(), image, DeployOptions(name=app.name), small)
    host = app.api.inspect_container(made.container_id)["HostConfig"]
    assert (host["Memory"], host["NanoCpus"]) == (64 << 20, 500_000_000)


async def test_a_port_that_nothing_shows_is_requested(app: App, web: Web) -> None:
    silent = web("silent", ["8000", "silent"]).model_copy(update={"ports": ()})
    with pytest.raises(StageFailure) as failure:
        await app.deploy(silent, health_timeout=2.0)
    assert failure.value.fault.code == "deploy.port_not_found"
    assert "EXPOSE" in failure.value.fault.next_actions[0].why
    assert app.containers() == []


async def test_of_several_ports_that_nothing_shows_each_is_offered(app: App, web: Web) -> None:
    program = "import http.server, socket, sys, runpy\nother = socket.create_server(('0.0.0.0', 9001))\n"
    program += "sys.argv = ['/app.py', '9000']\nrunpy.run_path('/app.py', run_name='__main__')"
    both = web("both", Cmd=["python", "-c", program])
    with pytest.raises(StageFailure) as failure:
        await app.deploy(both.model_copy(update={"ports": ()}), health_timeout=60.0)
    fault = failure.value.fault
    assert fault.code == "deploy.port_not_found"
    assert [action.arguments for action in fault.next_actions] == [{"container_port": 9000}, {"container_port": 9001}]
    made = await app.deploy(both, **_arguments(fault))
    assert get(made.host_port) == "both"


async def test_a_candidate_that_somebody_removes_before_it_takes_over_leaves_the_old_version(
    app: App, web: Web
) -> None:
    good = await app.deploy(web("v1"))

    def remove_it(message: str, _: float | None) -> None:
        if message.startswith("healthy after"):
            (candidate,) = [one["Id"] for one in app.containers() if one["Id"] != good.container_id]
            app.api.remove_container(candidate, force=True)

    with pytest.raises(StageFailure) as failure:
        await execute(app.stage, app.ctx(on_progress=remove_it), web("v2"), DeployOptions(name=app.name))
    assert (failure.value.fault.code, failure.value.fault.retryable) == ("deploy.swap_failed", True)
    assert get(good.host_port) == "v1"
    await app.deploy(web("v2"))
    assert get(good.host_port) == "v2"


async def test_a_version_that_falls_ill_on_the_public_port_gives_it_back(app: App, web: Web) -> None:
    good = await app.deploy(web("v1"))
    with pytest.raises(StageFailure) as failure:
        await app.deploy(web("shy", ["8000", "shy"]))
    assert failure.value.fault.code == "deploy.swap_failed"
    assert "503" in _evidence(failure.value.fault, "http")
    assert get(good.host_port) == "v1"


async def test_a_way_back_that_somebody_removed_is_reported(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"))
    second = await app.deploy(web("v2"))
    app.api.remove_container(first.container_id, force=True)
    with pytest.raises(StageFailure) as failure:
        await app.stage.rollback(app.ctx(), second)
    assert failure.value.fault.code == "deployment.version_not_found"
    assert app.name in failure.value.fault.hint
    assert get(second.host_port) == "v2"


async def test_a_proxy_that_hangs_is_started_again_with_the_old_version_and_takes_the_next_one(
    app: App, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await app.deploy(web("v1"), zero_downtime=True)
    (proxy,) = [one["Id"] for one in app.containers() if one["Id"] != first.container_id]
    app.api.kill(proxy, "SIGSTOP")
    with monkeypatch.context() as patched:
        # a stopped proxy never reloads
        patched.setattr("container_kit.stages.deploy.local.proxied.proxy._RELOAD_SECONDS", 1.0)
        with pytest.raises(StageFailure) as failure:
            await app.deploy(web("v2"), zero_downtime=True)
    assert failure.value.fault.code == "deploy.proxy_failed"
    assert get(first.host_port) == "v1"
    assert {one["Id"] for one in app.containers()} == {proxy, first.container_id}
    await app.deploy(web("v2"), zero_downtime=True)
    assert get(first.host_port) == "v2"


@pytest.mark.integration
async def test_without_haproxy_and_a_way_to_get_it_nothing_is_deployed(
    private_engine: Callable[..., PrivateEngine], ctx: Contexts
) -> None:
    alone = private_engine()
    alone.import_tiny("web:1")
    with closing(DockerEngine(alone.host)) as engine:
        app = App("web", engine, alone.api, ctx)
        with pytest.raises(StageFailure) as failure:
            await app.deploy(Image(id="", reference="web:1", ports=(8080,)), zero_downtime=True)
    assert failure.value.fault.code == "deploy.proxy_not_found"
    assert "zero_downtime=false" in failure.value.fault.hint
    assert app.containers() == []
