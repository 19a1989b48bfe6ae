"""The reader of Dockerfiles without an engine. `test_dockerfile_against_buildkit.py` compares it with a builder."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.formats.dockerfile import (
    KEYWORDS,
    Heredoc,
    Instruction,
    ParsedDockerfile,
    configuration_of,
    is_dockerfile_name,
    parse_dockerfile,
)


def fault_of(text: str, path: str = "Dockerfile") -> Fault:
    with pytest.raises(StageFailure) as caught:
        parse_dockerfile(text, path).check()
    return caught.value.fault


def places(parsed: ParsedDockerfile) -> list[tuple[str, int, int]]:
    return [(one.keyword, one.line, one.last_line) for one in parsed.instructions]


def only(text: str) -> Instruction:
    """The instruction of a text, below a FROM."""
    (instruction,) = parse_dockerfile(f"FROM a\n{text}\n").stages[0].instructions
    return instruction


def test_instructions_have_their_lines_through_continuations_comments_and_blank_lines() -> None:
    parsed = parse_dockerfile(
        "# top\n\nFROM a AS one\nRUN x \\\n\n  # why\n  && y \\  \n  && z\n\nCOPY --from=one /a \\\n /b\n"
    )
    assert places(parsed) == [("FROM", 3, 3), ("RUN", 4, 8), ("COPY", 10, 11)]
    assert parsed.source_of(parsed.instructions[2]) == "COPY --from=one /a \\\n /b"
    assert [one.keyword if (one := parsed.at(line)) else None for line in (1, 2, 3, 4, 6, 8, 9, 11, 12, 99)] == [
        None, None, "FROM", "RUN", "RUN", "RUN", None, "COPY", None, None,
    ]  # fmt: skip


def test_lines_end_only_with_a_line_feed() -> None:
    parsed = parse_dockerfile("FROM a\r\nRUN x\x0cy\u2028z\x85\rw\r\nUSER b\r\n")
    assert places(parsed) == [("FROM", 1, 1), ("RUN", 2, 2), ("USER", 3, 3)]
    assert parsed.source_of(parsed.instructions[1]) == "RUN x\x0cy\u2028z\x85\rw"


def test_heredocs_belong_to_their_instruction() -> None:
    parsed = parse_dockerfile("FROM a\nRUN <<EOF\nFRMO b\nEOF\nCOPY <<-'X' 3<<Y c /d/\n\tX1\n\tX\nY\nRUN true\n")
    assert places(parsed) == [("FROM", 1, 1), ("RUN", 2, 4), ("COPY", 5, 8), ("RUN", 9, 9)]
    run, copy, _ = parsed.stages[0].instructions
    assert run.heredocs == (Heredoc("EOF", "FRMO b\n"),)
    assert (run.text, run.source, run.script) == ("<<EOF", "RUN <<EOF", "<<EOF\nFRMO b\n")
    assert copy.heredocs == (Heredoc("X", "\tX1\n"), Heredoc("Y", "", 3))
    assert (copy.sources, copy.arguments[-1]) == (("c",), "/d/")
    assert parsed.source_of(run) == "RUN <<EOF\nFRMO b\nEOF"
    parsed.check()


def test_a_heredoc_changes_neither_port_nor_user_nor_base_nor_stages() -> None:
    parsed = parse_dockerfile('FROM a:1\nRUN cat <<"E O" >x\nEXPOSE 1\nUSER root\nFROM evil\nE O\nEXPOSE 80\nUSER b\n')
    assert [stage.base for stage in parsed.stages] == ["a:1"]
    found = configuration_of(parsed, parsed.stages[-1])
    assert (found.tcp_ports(), found.user, found.lines["EXPOSE"], found.lines["USER"]) == ((80,), "b", 7, 8)


def test_arguments_are_split_as_the_instruction_needs_it() -> None:
    assert only('CMD ["a b", "c"]').arguments == ("a b", "c")
    assert only('CMD ["a b", "c"]').is_json
    assert only("CMD a  'b'").arguments == ("a  'b'",)
    assert only('ENV A=1 B="x y"').arguments == ("A", "1", "B", '"x y"')
    assert only("ENV A x y").arguments == ("A", "x y")
    assert only("EXPOSE 80 90/udp").arguments == ("80", "90/udp")
    assert only("HEALTHCHECK --interval=1s CMD a b").arguments == ("CMD", "a b")
    assert only("WHAT is this").arguments == ()


def test_flags_have_values_and_may_be_repeated() -> None:
    run = only("RUN --mount=type=cache,target=/c --network=none --mount=type=secret,id=s --flag make")
    assert run.flag_values("mount") == ("type=cache,target=/c", "type=secret,id=s")
    assert (run.flag("network"), run.flag("flag"), run.flag("mo"), run.text) == ("none", "", None, "make")


@pytest.mark.parametrize(
    ("text", "sources", "context_sources"),
    [
        ("COPY a b /c/", ("a", "b"), ("a", "b")),
        ("ADD --chown=1 https://x/y.tar a /c/", ("https://x/y.tar", "a"), ("https://x/y.tar", "a")),
        ('COPY ["a b", "/c"]', ("a b",), ("a b",)),
        ("COPY --from=x /a /c", ("/a",), ()),
        ("COPY --link --from=0 /a /c", ("/a",), ()),
        ("COPY << a /c", ("<<", "a"), ("<<", "a")),
        ("COPY <<E /c\nx\nE", (), ()),
        ('COPY ["<<E", "/c"]', ("<<E",), ("<<E",)),
        ("RUN cp a b", (), ()),
    ],
)
def test_copies_name_their_sources(text: str, sources: tuple[str, ...], context_sources: tuple[str, ...]) -> None:
    assert (only(text).sources, only(text).context_sources) == (sources, context_sources)


def test_onbuild_holds_the_instruction_that_it_defers() -> None:
    parsed = parse_dockerfile(
        "FROM a\nonbuild  COPY --from=x a /b\nONBUILD RUN <<E\nEXPOSE 1\nE\nONBUILD \\\n  env A=1\nONBUILD\n"
    )
    copy, run, env, empty = parsed.stages[0].instructions
    assert copy.arguments == ("COPY", "a", "/b")
    assert copy.trigger is not None
    assert (copy.trigger.keyword, copy.trigger.flag("from"), copy.trigger.sources) == ("COPY", "x", ("a",))
    assert run.trigger is not None
    assert (run.last_line, run.trigger.heredocs) == (5, (Heredoc("E", "EXPOSE 1\n"),))
    assert env.trigger is not None
    assert env.trigger.arguments == ("A", "1")
    assert (empty.trigger, empty.arguments) == (None, ())
    assert configuration_of(parsed, parsed.stages[0]).ports == ()


def test_stages_have_names_bases_platforms_and_their_instructions() -> None:
    parsed = parse_dockerfile(
        "ARG V=1\nFROM --platform=$BUILDPLATFORM a:$V as Build\nRUN x\nFROM build\nFROM --platform=linux/$A b\n",
        build_args={"A": "arm64"},
    )
    assert [(one.number, one.name, one.base, one.platform, one.parent) for one in parsed.stages] == [
        (0, "build", "a:1", "$BUILDPLATFORM", None),
        (1, None, "build", None, 0),
        (2, None, "b", "linux/", None),
    ]
    assert [one.keyword for one in parsed.stages[0].instructions] == ["RUN"]
    assert parsed.stages[0].of("RUN", "COPY")[0].line == 3
    assert parsed.stages[0].start.line == 2


def test_platform_variables_have_the_values_of_the_build_if_they_are_given() -> None:
    text = "FROM --platform=$BUILDPLATFORM a:$TARGETARCH\n"
    assert not parse_dockerfile(text).stages[0].is_resolved
    stage = parse_dockerfile(text, build_args={"BUILDPLATFORM": "linux/amd64", "TARGETARCH": "arm64"}).stages[0]
    assert (stage.platform, stage.base, stage.is_resolved) == ("linux/amd64", "a:arm64", True)


@pytest.mark.parametrize(
    ("text", "base", "unset"),
    [
        ("FROM a:$V", "a:", ("V",)),
        ("FROM $V", "$V", ("V",)),
        ("ARG V\nFROM ${V}:$W", ":", ("V", "W")),
        ("FROM a:${V:-1}", "a:1", ()),
        ("FROM a:${V:?no value}", "a:${V:?no", ()),
        ("ARG V=1.2\nFROM a:${V%.*}", "a:${V%.*}", ()),
    ],
)
def test_a_base_without_a_value_says_which_is_missing(text: str, base: str, unset: tuple[str, ...]) -> None:
    stage = parse_dockerfile(text).stages[-1]
    assert (stage.base, stage.unset, stage.is_resolved) == (base, unset, base == "a:1")


def test_the_base_image_is_found_through_the_stages_between() -> None:
    parsed = parse_dockerfile("FROM x AS a\nFROM y\nFROM a AS b\nRUN 1\nFROM b\nRUN 2\n")
    assert [stage.number for stage in parsed.chain(parsed.stages[3])] == [0, 2, 3]
    assert parsed.base_stage(parsed.stages[3]).start.line == 1
    assert parsed.base_stage(parsed.stages[1]).base == "y"


def test_a_variable_that_only_the_base_image_can_set_stays_as_written() -> None:
    parsed = parse_dockerfile("FROM a\nENV PATH=/x:$PATH B=${HOME}/b\nEXPOSE $PORT ${PORT:-81}\nUSER $APP_USER\n")
    found = configuration_of(parsed, parsed.stages[0])
    assert found.environment == {"PATH": "/x:$PATH", "B": "${HOME}/b"}
    assert (found.tcp_ports(), found.user) == ((81,), "$APP_USER")


def test_each_setting_has_a_line_and_a_missing_setting_has_neither_value_nor_line() -> None:
    parsed = parse_dockerfile('FROM a AS b\nENV A=1\nUSER u\nFROM b\nENV A=2 PORT=80\nCMD ["x"]\nHEALTHCHECK NONE\n')
    found = configuration_of(parsed, parsed.stages[-1])
    assert found.lines == {"ENV A": 5, "ENV PORT": 5, "USER": 3, "CMD": 6, "HEALTHCHECK": 7}
    assert (found.entrypoint, found.workdir, found.healthcheck) == (None, None, ("NONE",))


def test_ports_that_overlap_are_counted_once() -> None:
    parsed = parse_dockerfile("FROM a\nEXPOSE 5-8 80 7-9/tcp 80 81/udp 70000 8-2 x\n")
    assert configuration_of(parsed, parsed.stages[0]).tcp_ports() == (5, 6, 7, 8, 9, 80)


def test_directives_are_read_in_any_order() -> None:
    parsed = parse_dockerfile("#check=skip=all\n# Escape=`\n#syntax = x:1 \nFROM a\nUSER b`\nc\n")
    assert parsed.directives == {"check": "skip=all", "escape": "`", "syntax": "x:1"}
    assert parsed.stages[0].instructions[0].arguments == ("bc",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FROM a\nRUM x\n", "Dockerfile:2: RUM is not an instruction, RUN is"),
        ("FORM a\n", "Dockerfile:1: FORM is not an instruction, FROM is"),
        ("FROM a\nENTRYPONT x\n", "Dockerfile:2: ENTRYPONT is not an instruction, ENTRYPOINT is"),
        ("FROM a\nRUN x\n&& y\n", "Dockerfile:3: '&&' is not an instruction; end the line before with a backslash"),
        ("FROM a\nRU\x1bN x\n", "Dockerfile:2: 'RU\\x1bN' is not an instruction, RUN is"),
        ("FROM a b\n", "Dockerfile:1: FROM takes one image"),
        ("FROM a\nCOPY x\n", "Dockerfile:2: COPY needs a source and a destination"),
        ("FROM a\nENV X\n", "Dockerfile:2: ENV needs a name and a value"),
        ("FROM a\nRUN x\nCOPY <<E /x\n", "Dockerfile:3: end the here-document with a line that holds only its name"),
        ('FROM a\nRUN <<E\nE\nRUN <<"A B"\nA\n', "Dockerfile:4: end the here-document"),
        ("FROM a\nRUN [1]\n", "Dockerfile:2: use only strings in the JSON array"),
        ("FROM a\n\nENV A=1 B\n", 'Dockerfile:3: Syntax error - can\'t find = in "B"'),
        ("# escape=x\nFROM a\n", "Dockerfile:1: use a backslash or a backtick as the escape character"),
        ("", "Dockerfile:1: begin with FROM"),
        ("# nothing\n", "Dockerfile:1: begin with FROM"),
        ("ARG X\n", "Dockerfile:1: begin with FROM"),
        ("ARG X\nRUN x\nFROM a\n", "Dockerfile:2: begin with FROM"),
        ("FROM a\nUSER x\0y\n", "Dockerfile:2: remove the NUL character"),
        ("FROM a\n\nUSER \udc80\n", "Dockerfile:3: remove the character that is not valid Unicode"),
        ("FROM a\nHEALTHCHECK \u5185\u00a0x y\n", "Dockerfile:2: use only ASCII characters in HEALTHCHECK"),
    ],
)
def test_a_mistake_names_its_line_and_its_correction(text: str, says: str) -> None:
    fault = fault_of(text)
    assert fault.code == "dockerfile.syntax"
    assert fault.message.startswith(says)
    assert fault.next_actions
    line = int(says.split(":")[1])
    assert f"line {line} of Dockerfile" in fault.hint
    assert fault.evidence[0].where == f"Dockerfile:{line}"


def test_the_fault_shows_the_line_and_the_path() -> None:
    fault = fault_of("FROM a\nRUN [1]\n", "app/Dockerfile")
    assert (fault.evidence[0].where, fault.evidence[0].text) == ("app/Dockerfile:2", "RUN [1]")


def test_a_wrong_instruction_is_found_among_many_right_ones() -> None:
    right = "ENV A=1 \\\n B=2\nRUN <<E\nENV X\nE\n" * 300
    assert fault_of(f"FROM a\n{right}LABEL a\n{right}").evidence[0].where == f"Dockerfile:{300 * 5 + 2}"


@pytest.mark.parametrize(
    "name",
    [
        "Dockerfile", "dockerfile", "DOCKERFILE", "Containerfile", "containerfile", "Dockerfile.dev", "Dockerfile.prod",
        "dockerfile.dev", "Dockerfile-alpine", "Dockerfile_test", "Dockerfile.3.11", "Dockerfile.node20",
        "Containerfile.ubi", "web.Dockerfile", "web.dockerfile", "my-app.DOCKERFILE", "build.containerfile",
        "Dockerfile.py.dev", "py.Dockerfile",
    ],
)  # fmt: skip
def test_names_of_dockerfiles(name: str) -> None:
    assert is_dockerfile_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "dockerfile.py", "Dockerfile.md", "Dockerfile.MD", "dockerfile.js", "dockerfile.test.ts", "Dockerfile.rst",
        "dockerfile.go", "dockerfile.rs", "Dockerfile.java", "dockerfile-lint.js", "Dockerfile.yaml", "Dockerfile.j2",
        "Dockerfile.json", "Dockerfile.dockerignore", "Dockerfile.orig", "Dockerfile.template", "Dockerfile.txt",
        ".dockerfile", "Dockerfile.", "Dockerfiles", "MyDockerfile", "Dockerfile~", "docker-compose.yml", "Makefile",
        "", "a/Dockerfile", "Dockerfile.a b", "dockerfile.py\n",
    ],
)  # fmt: skip
def test_names_of_other_files(name: str) -> None:
    assert not is_dockerfile_name(name)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text())
def test_any_text_is_read_or_rejected_with_a_fault(text: str) -> None:
    with contextlib.suppress(StageFailure):
        parse_dockerfile(text).check()


_PIECES = [*KEYWORDS, *KEYWORDS, "\\", "\n", "\n", " ", "a", "<<E", "\nE\n", "#", "--x=y", '["a"]', "$A", "${A:-", "}"]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(_PIECES)))
def test_lines_of_instructions_are_in_the_file_and_ascend(words: list[str]) -> None:
    try:
        parsed = parse_dockerfile(text := "FROM a\n" + " ".join(words))
    except StageFailure:
        return
    last = 0
    for instruction in parsed.instructions:
        assert last < instruction.line <= instruction.last_line <= text.count("\n") + 1
        assert parsed.at(instruction.last_line) is instruction
        last = instruction.last_line
    for stage in parsed.stages:
        configuration_of(parsed, stage)


@pytest.mark.integration
@pytest.mark.timeout(200)
def test_no_text_keeps_the_reader_busy_for_long_or_takes_much_memory() -> None:
    program = Path(__file__).with_name("hostile_dockerfiles.py")
    done = subprocess.run([sys.executable, str(program)], check=True, capture_output=True, timeout=180)
    report = json.loads(done.stdout)
    assert {name: took for name, took in report["seconds"].items() if took > 2} == {}
    assert report["megabytes"] < 256
