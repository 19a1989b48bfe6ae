"""What builders print, as Podman 4.3.1 and Docker's classic builder printed it."""

from __future__ import annotations

import json

from container_kit.stages.build.buildkit.progress import BuildLog

PODMAN = r"""
{"stream":"[1/2] STEP 1/2: FROM base:1 AS first\n"}
{"stream":"[1/2] STEP 2/2: RUN echo one\n"}
{"stream":"one\n"}
{"stream":"--> 595487191dd\n"}
{"stream":"[2/2] STEP 1/3: FROM base:1\n"}
{"stream":"[2/2] STEP 2/3: COPY --from=first /bin/echo /e\n"}
{"stream":"--> Using cache 78c223c5f99fdd36ba12158fd0d5c5c0a1e8a0ef37e8d0b4e2ad4b5b9c5f61a0\n"}
{"stream":"[2/2] STEP 3/3: RUN echo two\n"}
{"stream":"two\n"}
{"stream":"[2/2] COMMIT docker.io/library/shop:2\n"}
{"stream":"--> 542826666ae\n"}
{"stream":"Successfully tagged docker.io/library/shop:2\n"}
{"stream":"542826666ae783fb55a02d2ff7cf52430983c0246f1785be6c3cdfdee13564ab\n"}
{"aux":{"ID":"sha256:542826666ae783fb55a02d2ff7cf52430983c0246f1785be6c3cdfdee13564ab"}}
{"stream":"Successfully built 542826666ae7\n"}
"""
CLASSIC = r"""
{"stream":"Step 1/2 : FROM base:1\n"}
{"stream":" ---> 595487191ddc\n"}
{"stream":"Step 2/2 : RUN echo one"}
{"stream":"\n"}
{"stream":" ---> Running in 0123456789ab\n"}
{"stream":"one\n"}
{"stream":"Removing intermediate container 0123456789ab\n"}
{"aux":{"ID":"sha256:542826666ae783fb55a02d2ff7cf52430983c0246f1785be6c3cdfdee13564ab"}}
{"stream":"Successfully built 542826666ae7\n"}
"""


def read_log(records: str) -> tuple[BuildLog, list[str], list[str]]:
    messages: list[str] = []
    printed: list[str] = []
    log = BuildLog(lambda message, _: messages.append(message), printed.append)
    for line in records.strip().splitlines():
        log.add_record(json.loads(line), lambda _: None)
    log.close()
    return log, messages, printed


def test_podmans_steps_are_counted_over_its_stages_and_its_messages_are_not_output() -> None:
    log, messages, printed = read_log(PODMAN)
    assert [step.instruction for step in log.instructions] == [
        "FROM base:1 AS first",
        "RUN echo one",
        "FROM base:1",
        "COPY --from=first /bin/echo /e",
        "RUN echo two",
    ]
    assert [step.cached for step in log.instructions] == [False, False, False, True, False]
    assert printed == ["one", "two"]
    assert messages[-1] == "step 5/5: RUN echo two"
    assert log.image_id == "sha256:542826666ae783fb55a02d2ff7cf52430983c0246f1785be6c3cdfdee13564ab"


def test_the_classic_builders_steps_are_counted_and_its_messages_are_not_output() -> None:
    log, messages, printed = read_log(CLASSIC)
    assert messages == ["step 1/2: FROM base:1", "step 2/2: RUN echo one"]
    assert printed == ["one"]
    assert log.image_id is not None
