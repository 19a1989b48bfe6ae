"""Which line of the Dockerfile made a layer."""

from __future__ import annotations

import pytest

from container_kit.stages.scan.remediation.layers import Configuration, Origin, find_origins
from container_kit.stages.scan.remediation.lineage import read_lineage


def of(*history: str, empty: tuple[int, ...] = ()) -> Configuration:
    """A configuration whose layers are `L0`, `L1`, …"""
    layers = [f"L{number}" for number in range(len(history) - len(empty))]
    steps = [{"created_by": text, "empty_layer": number in empty} for number, text in enumerate(history)]
    return Configuration.model_validate({"history": steps, "rootfs": {"diff_ids": layers}})


def traced(content: str, *history: str, empty: tuple[int, ...] = ()) -> list[tuple[int | None, bool | None]]:
    found = find_origins(of(*history, empty=empty), read_lineage(content))
    return [(origin.line, origin.from_base) for origin in found.values()]


BASE = (None, True)
UNKNOWN = (None, None)


def test_the_classic_builder_is_understood() -> None:
    dockerfile = "FROM base\nENV A=b\nCOPY . /app\nRUN make \\\n    all\nCMD run\n"
    history = (
        "/bin/sh -c #(nop) ADD file:1 in / ",
        "/bin/sh -c #(nop)  ENV A=b",
        "/bin/sh -c #(nop) COPY dir:2 in /app ",
        "/bin/sh -c make     all",
        '/bin/sh -c #(nop)  CMD ["/bin/sh" "-c" "run"]',
    )
    assert traced(dockerfile, *history, empty=(1, 4)) == [BASE, (3, False), (4, False)]


def test_buildkit_is_understood() -> None:
    dockerfile = (
        "ARG V=1\nFROM base:$V\nARG TOKEN\nRUN --mount=type=cache,target=/c pip install x\nWORKDIR /app\nUSER app\n"
    )
    history = (
        "ADD rootfs.tar / # buildkit",
        "ARG TOKEN",
        "RUN |1 TOKEN=hunter2 /bin/sh -c pip install x # buildkit",
        "WORKDIR /app",
        "USER app",
    )
    assert traced(dockerfile, *history, empty=(1, 4)) == [BASE, (4, False), (5, False)]


@pytest.mark.parametrize(
    "created_by",
    [
        "RUN |2 TOKEN=hunter2 B=c d /bin/bash -o pipefail -c pip install x # buildkit",
        "|1 TOKEN=hunter2 /bin/sh -c pip install x",
        "RUN |2 TOKEN=hunter2 B= pip install x # buildkit",
    ],
)
def test_values_of_build_arguments_are_not_shown(created_by: str) -> None:
    assert find_origins(of(created_by), None)["L0"] == Origin("RUN pip install x")


def test_labels_that_the_builder_adds_do_not_confuse() -> None:
    assert traced("FROM base\nCOPY a b\n", "x", "COPY a b # buildkit", "LABEL run=1", empty=(2,)) == [BASE, (2, False)]


def test_a_stage_on_a_stage_counts_both() -> None:
    dockerfile = "FROM base AS one\nRUN first\nFROM other AS two\nRUN aside\nFROM one\nRUN second\n"
    assert traced(dockerfile, "base", "RUN /bin/sh -c first", "RUN /bin/sh -c second") == [BASE, (2, False), (6, False)]


@pytest.mark.parametrize(
    "history", [("base", "RUN /bin/sh -c quite another thing"), ("COPY a b", "RUN /bin/sh -c make", "COPY c d"), ()]
)
def test_a_dockerfile_that_does_not_match_the_history_is_not_used(history: tuple[str, ...]) -> None:
    found = traced("FROM base\nCOPY a b\nRUN make\n", *history)
    assert found == [UNKNOWN] * len(history)


def test_layers_that_do_not_fit_the_history_are_left_only() -> None:
    odd = Configuration.model_validate({"history": [{"created_by": "x"}], "rootfs": {"diff_ids": ["L0", "L1"]}})
    assert find_origins(odd, None) == {}


@pytest.mark.parametrize(
    ("content", "target", "arguments", "base", "line"),
    [
        ("FROM a\n", None, {}, "a", 1),
        ("ARG V=1\nFROM --platform=linux/amd64 a:${V} AS x\n", None, {}, "a:1", 2),
        ("ARG V=1\nFROM a:$V\n", None, {"V": "2"}, "a:2", 2),
        ("FROM a:${V:-3}\n", None, {}, "a:3", 1),
        ("FROM a AS one\nFROM b AS two\n", "one", {}, "a", 1),
        ("FROM a AS one\nFROM b AS two\n", "ONE", {}, "a", 1),
        ("FROM a AS one\nFROM b\n", "0", {}, "a", 1),
        ("FROM a AS a\nFROM a\n", None, {}, "a", 1),
    ],
)
def test_the_base_image_is_found(
    content: str, target: str | None, arguments: dict[str, str], base: str, line: int
) -> None:
    found = read_lineage(content, target, arguments)
    assert found is not None
    assert (found.base, found.base_line) == (base, line)


@pytest.mark.parametrize(("content", "target"), [("", None), ("RUN x\n", None), ("FROM a\n", "missing")])
def test_a_dockerfile_without_the_stage_has_no_lineage(content: str, target: str | None) -> None:
    assert read_lineage(content, target) is None
