from __future__ import annotations

import uuid

import anyio
import pytest

from container_kit import StageFailure
from container_kit.stages.deploy.local.lock import hold_lock

pytestmark = pytest.mark.anyio


async def test_a_second_deployment_of_an_application_is_reported_that_it_is_busy_and_comes_next() -> None:
    app = f"ck-test-{uuid.uuid4().hex[:10]}"
    with anyio.fail_after(30):
        async with hold_lock("unix:///none", app):
            with pytest.raises(StageFailure) as refused:
                async with hold_lock("unix:///none", app, wait=0):
                    pass
        async with hold_lock("unix:///none", app, wait=0):
            pass
    assert refused.value.fault.code == "deploy.busy"
    assert refused.value.fault.retryable
