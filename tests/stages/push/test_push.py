"""PushImage from a real engine to real registries."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest
from docker import APIClient

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.push import PushedImage, PushOptions
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.push import PushImage
from support.engine.registry import Registry, SlowRegistry
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute, preview, validate

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.integration]

Images = Callable[..., Image]
Registries = Callable[..., Registry]

SCHEMA = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"


def ask(registry: Registry, path: str) -> tuple[int, bytes]:
    """What an unrelated client is given."""
    connection = http.client.HTTPConnection(registry.host, timeout=5)
    try:
        connection.request("GET", path, headers={"Accept": f"{SCHEMA}, {OCI}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def in_registry(registry: Registry, path: str, tag: str) -> str | None:
    """The digest of what a tag names, computed from its content; None where it is not there."""
    status, content = ask(registry, f"/v2/{path}/manifests/{tag}")
    return None if status == http.client.NOT_FOUND else f"sha256:{hashlib.sha256(content).hexdigest()}"


def names(api: APIClient, image: Image) -> list[str]:
    """The names of an image; Podman writes the default registry out."""
    return [name.removeprefix("docker.io/library/") for name in api.inspect_image(image.id)["RepoTags"]]


async def fault_of(stage: PushImage, ctx: Contexts, image: Image, options: PushOptions) -> Fault:
    with pytest.raises(StageFailure) as failed:
        await execute(stage, ctx(), image, options)
    assert failed.value.fault.code in {code.code for code in stage.faults}
    return failed.value.fault


@pytest.fixture
def options(unique: Callable[[], str]) -> Callable[..., PushOptions]:
    """Options with a path of the test's own: `options(registry)`."""
    path = unique()

    def make(registry: Registry | SlowRegistry | str, **more: Any) -> PushOptions:
        host = registry if isinstance(registry, str) else registry.host
        return PushOptions(repository=f"{host}/{path}/shop", **more)

    return make


async def test_the_digest_is_the_registrys_own(
    engine: DockerEngine, docker_api: APIClient, ctx: Contexts, image: Images, registry: Registries, options: Any
) -> None:
    there, made = registry(), image()
    pushed = await execute(PushImage(engine), ctx(), made, options(there, tag="v1"))
    assert pushed.digest == in_registry(there, pushed.repository, "v1")
    assert pushed.digest != made.id
    assert pushed.pinned == f"{there.host}/{pushed.repository}@{pushed.digest}"
    assert (pushed.confirmed_by, pushed.previous_digest) == ("registry", None)
    assert ctx.fractions[-1] == 1.0
    assert PushedImage.model_validate_json(pushed.model_dump_json()) == pushed
    docker_api.remove_image(pushed.reference)
    docker_api.pull(pushed.pinned)
    assert docker_api.inspect_image(pushed.pinned)["Id"] == made.id


async def test_the_tag_is_the_images_own_by_default_and_a_second_push_sends_nothing(
    engine: DockerEngine, ctx: Contexts, image: Images, registry: Registries, options: Any
) -> None:
    there, made = registry(), image()
    first = await execute(PushImage(engine), ctx(), made, options(there))
    again = await execute(PushImage(engine), ctx(), made, options(there))
    assert (first.tag, first.layers_pushed, again.digest) == ("1", 1, first.digest)
    assert (again.layers_pushed, again.layers_there_before, again.previous_digest) == (0, 1, first.digest)


async def test_a_password_is_found_in_dockers_configuration(
    engine: DockerEngine, ctx: Contexts, image: Images, registry: Registries, options: Any, log_in: Callable[..., None]
) -> None:
    there = registry({"ann": "planted-password"})
    log_in(there.host, "ann", "planted-password")
    pushed = await execute(PushImage(engine), ctx(), image(), options(there))
    assert pushed.confirmed_by == "registry"
    assert "planted-password" not in pushed.model_dump_json()


@pytest.mark.parametrize("password", [None, "wrong-password"])
async def test_no_or_wrong_credentials_are_unauthorized_before_anything_is_sent(
    engine: DockerEngine, docker_api: APIClient, ctx: Contexts, image: Images, registry: Registries, options: Any,
    log_in: Callable[..., None], password: str | None,
) -> None:  # fmt: skip
    there, made = registry({"ann": "right-password"}), image()
    if password:
        log_in(there.host, "ann", password)
    stage, wanted = PushImage(engine), options(there)
    fault = await fault_of(stage, ctx, made, wanted)
    assert (fault.code, fault.retryable) == ("push.unauthorized", False)
    assert f"docker login {there.host}" in fault.hint
    assert "wrong-password" not in fault.model_dump_json()
    with pytest.raises(StageFailure, match=r"push\.unauthorized"):
        await validate(stage, ctx(), wanted, made)
    assert there.blobs() == 0
    assert names(docker_api, made) == [made.reference]


@pytest.mark.parametrize(
    ("host", "code", "retryable"),
    [("registry.invalid", "push.registry_not_found", False), ("127.0.0.1:1", "push.registry_unreachable", True)],
)
async def test_a_registry_that_is_not_there(
    engine: DockerEngine, docker_api: APIClient, ctx: Contexts, image: Images, options: Any, host: str, code: str,
    retryable: bool,
) -> None:  # fmt: skip
    made = image()
    fault = await fault_of(PushImage(engine), ctx, made, options(host))
    assert (fault.code, fault.retryable) == (code, retryable)
    assert host in fault.hint
    assert names(docker_api, made) == [made.reference]


async def test_an_image_that_is_not_there(
    engine: DockerEngine, ctx: Contexts, registry: Registries, options: Any, unique: Callable[[], str]
) -> None:
    missing = Image(id="", reference=f"{unique()}:1")
    fault = await fault_of(PushImage(engine), ctx, missing, options(registry()))
    assert (fault.code, missing.reference in fault.hint) == ("image.not_found", True)


@pytest.fixture
def lost_in_the_middle(
    engine: DockerEngine, docker_api: APIClient, ctx: Contexts, image: Images, options: Any
) -> Callable[..., Any]:
    """Pushes while a registry goes away, sees that the push is lost and left nothing, and pushes when it is back."""

    async def check(there: Registry, leave: Callable[[], object], come_back: Callable[[], object], within: int) -> None:
        made = image(megabytes=60)
        faults: list[Fault] = []

        async def push() -> None:
            faults.append(await fault_of(PushImage(engine), ctx, made, options(there)))

        with anyio.fail_after(within):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(push)
                while not there.uploading():
                    await anyio.sleep(0.005)
                leave()
        assert (faults[0].code, faults[0].retryable) == ("push.registry_connection_lost", True)
        assert names(docker_api, made) == [made.reference]
        come_back()
        pushed = await execute(PushImage(engine), ctx(), made, options(there))
        assert pushed.digest == in_registry(there, pushed.repository, "1")

    return check


async def test_a_registry_that_dies_in_the_middle_is_retryable_and_nothing_is_reported_as_pushed(
    registry: Registries, lost_in_the_middle: Callable[..., Any]
) -> None:
    there = registry()
    await lost_in_the_middle(there, there.kill, there.start, within=45)


async def test_a_registry_that_falls_silent_in_the_middle_is_lost_in_bounded_time_and_takes_the_push_later(
    registry: Registries, lost_in_the_middle: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("container_kit.stages.push.upload._CHECK_AFTER", 0.5)
    monkeypatch.setattr("container_kit.stages.push.registry._TIMEOUTS", (2.0, 2.0))
    there = registry()
    await lost_in_the_middle(there, there.freeze, there.thaw, within=60)


async def test_a_registry_that_is_slow_is_waited_for(
    engine: DockerEngine,
    ctx: Contexts,
    image: Images,
    registry: Registries,
    options: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("container_kit.stages.push.upload._CHECK_AFTER", 0.2)
    there, asked = registry(), 0
    with SlowRegistry(there, silent_for=2.0) as slow:
        pushed = await execute(PushImage(engine), ctx(), image(), options(slow))
        asked = slow.asked_for_life
    assert asked > 3, "it was silent for ten times as long as it takes to be doubted"
    assert pushed.digest == in_registry(there, pushed.repository, "1")


async def test_cancelling_stops_the_engine_and_leaves_nothing_behind(
    engine: DockerEngine, docker_api: APIClient, ctx: Contexts, image: Images, registry: Registries, options: Any
) -> None:
    there, made = registry(), image(megabytes=60)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(execute, PushImage(engine), ctx(), made, options(there))
            while not there.uploading():
                await anyio.sleep(0.005)
            before = anyio.current_time()
            tasks.cancel_scope.cancel()
    assert anyio.current_time() - before < 2
    assert names(docker_api, made) == [made.reference]
    path = options(there).repository.partition("/")[2]
    assert in_registry(there, path, "1") is None


async def test_rollback_removes_a_tag_that_was_free(
    engine: DockerEngine, docker_api: APIClient, ctx: Contexts, image: Images, registry: Registries, options: Any
) -> None:
    there, made, stage = registry(), image(), PushImage(engine)
    pushed = await execute(stage, ctx(), made, options(there))
    await stage.rollback(ctx(), pushed)
    assert in_registry(there, pushed.repository, pushed.tag) is None
    assert names(docker_api, made) == [made.reference]
    await stage.rollback(ctx(), pushed)  # once more, as after a crash


async def test_rollback_lets_the_tag_name_again_what_it_named_before(
    engine: DockerEngine, ctx: Contexts, image: Images, registry: Registries, options: Any
) -> None:
    there, stage = registry(), PushImage(engine)
    first = await execute(stage, ctx(), image(), options(there, tag="live"))
    second = await execute(stage, ctx(), image(), options(there, tag="live"))
    assert second.previous_digest == first.digest
    await stage.rollback(ctx(), second)
    assert in_registry(there, second.repository, "live") == first.digest
    assert in_registry(there, second.repository, second.digest) is None


async def test_rollback_takes_no_other_tag_with_it(
    engine: DockerEngine, ctx: Contexts, image: Images, registry: Registries, options: Any
) -> None:
    there, stage, made = registry(), PushImage(engine), image()
    kept = await execute(stage, ctx(), made, options(there, tag="kept"))
    other = await execute(stage, ctx(), made, options(there, tag="other"))
    with pytest.raises(StageFailure, match=r"push\.cannot_undo"):  # this registry cannot delete a tag alone
        await stage.rollback(ctx(), other)
    assert in_registry(there, kept.repository, "kept") == kept.digest


async def test_rollback_leaves_what_somebody_else_pushed_since(
    engine: DockerEngine, ctx: Contexts, image: Images, registry: Registries, options: Any
) -> None:
    there, stage = registry(), PushImage(engine)
    ours = await execute(stage, ctx(), image(), options(there, tag="live"))
    theirs = await execute(stage, ctx(), image(), options(there, tag="live"))
    await stage.rollback(ctx(), ours)
    assert in_registry(there, theirs.repository, "live") == theirs.digest


async def test_a_registry_that_forbids_deletion_is_a_fault(
    engine: DockerEngine, ctx: Contexts, image: Images, registry: Registries, options: Any
) -> None:
    there, stage = registry(delete=False), PushImage(engine)
    pushed = await execute(stage, ctx(), image(), options(there))
    with pytest.raises(StageFailure) as failed:
        await stage.rollback(ctx(), pushed)
    assert failed.value.fault.code == "push.cannot_undo"
    assert in_registry(there, pushed.repository, pushed.tag) == pushed.digest


async def test_rollback_with_the_registry_gone_can_be_tried_again(
    engine: DockerEngine, ctx: Contexts, image: Images, registry: Registries, options: Any
) -> None:
    there, stage = registry(), PushImage(engine)
    pushed = await execute(stage, ctx(), image(), options(there))
    there.kill()
    with pytest.raises(StageFailure) as failed:
        await stage.rollback(ctx(), pushed)
    assert (failed.value.fault.code, failed.value.fault.retryable) == ("push.registry_unreachable", True)


async def test_a_dry_run_says_if_it_would_push(
    engine: DockerEngine, ctx: Contexts, registry: Registries, options: Any
) -> None:
    there = registry()
    predicted = await preview(PushImage(engine), ctx(dry_run=True), options(there), Image(id="", reference="shop:3"))
    assert predicted.changes == (f"push shop:3 to {options(there).repository}:3",)
    assert json.loads(ask(there, "/v2/_catalog")[1]) == {"repositories": []}


def _at_the_reading_back(happens: Callable[[], object]) -> Callable[[str, float | None], None]:
    """Lets something happen when the engine has pushed, and before the digest is read back."""

    def told(message: str, _: float | None) -> None:
        if message.startswith("reading the digest"):
            happens()

    return told


async def test_a_tag_that_somebody_else_pushes_at_the_same_time_is_not_reported_as_ours(
    engine: DockerEngine, ctx: Contexts, image: Images, registry: Registries, options: Any
) -> None:
    there, stage = registry(), PushImage(engine)
    theirs = await execute(stage, ctx(), image(), options(there, tag="theirs"))
    content = ask(there, f"/v2/{theirs.repository}/manifests/theirs")[1]
    kind = json.loads(content).get("mediaType", OCI)  # which an OCI manifest need not tell of itself

    def push_theirs() -> None:
        connection = http.client.HTTPConnection(there.host, timeout=30)
        with contextlib.closing(connection):
            path = f"/v2/{theirs.repository}/manifests/live"
            connection.request("PUT", path, content, {"Content-Type": kind})
            assert connection.getresponse().status == http.client.CREATED

    with pytest.raises(StageFailure) as failed:
        await execute(stage, ctx(on_progress=_at_the_reading_back(push_theirs)), image(), options(there, tag="live"))
    fault = failed.value.fault
    assert fault.code == "push.digest_mismatch"
    assert theirs.digest in fault.message
    assert in_registry(there, theirs.repository, "live") == theirs.digest
    own = await execute(stage, ctx(), image(), options(there, tag="own"))
    assert in_registry(there, own.repository, "own") == own.digest


async def test_a_registry_that_dies_before_the_digest_is_read_back_is_not_taken_for_a_success(
    engine: DockerEngine, docker_api: APIClient, ctx: Contexts, image: Images, registry: Registries, options: Any
) -> None:
    there, stage, made = registry(), PushImage(engine), image()
    with pytest.raises(StageFailure) as failed:
        await execute(stage, ctx(on_progress=_at_the_reading_back(there.kill)), made, options(there))
    assert (failed.value.fault.code, failed.value.fault.retryable) == ("push.not_confirmed", True)
    assert names(docker_api, made) == [made.reference]
    there.start()
    pushed = await execute(stage, ctx(), made, options(there))
    assert pushed.digest == in_registry(there, pushed.repository, "1")
