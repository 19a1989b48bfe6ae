"""Reading Dockerfiles without an engine."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_kit.stages.build.ca_certificates import EXPORT, MOUNT, inject, shown
from container_kit.stages.build.dockerfile import INSTRUCTIONS, parse
from container_kit.stages.contract.fault import StageFailure


def test_instructions_know_their_lines_through_continuations_comments_and_blank_lines() -> None:
    parsed = parse("# top\n\nFROM a AS one\nRUN x \\\n\n  # why\n  && y \\  \n  && z\n\nCOPY --from=one /a \\\n /b\n")
    assert [(i.word, i.line, i.last_line, i.rest) for i in parsed.instructions] == [
        ("FROM", 3, 3, "a AS one"),
        ("RUN", 4, 8, "x && y && z"),
        ("COPY", 10, 11, "--from=one /a /b"),
    ]


def test_the_escape_directive_changes_how_lines_continue() -> None:
    parsed = parse("# escape=`\nFROM a\nRUN dir c:\\ `\n  && x\n")
    assert parsed.instructions[1].rest == "dir c:\\ && x"


def test_here_documents_are_no_instructions() -> None:
    parsed = parse("FROM a\nRUN <<EOF\nFRMO b\nEOF\nCOPY <<-'X' <<Y /\n\tX1\n\tX\nY\nRUN true\n")
    assert [(i.word, i.line) for i in parsed.instructions] == [("FROM", 1), ("RUN", 2), ("COPY", 5), ("RUN", 9)]
    parsed.check()


def test_stages_have_names_bases_and_their_instructions() -> None:
    stages = parse("ARG V=1\nFROM --platform=linux/amd64 a:$V as Build\nRUN x\nFROM Build\n").stages
    assert [(s.name, s.base, len(s.instructions)) for s in stages] == [("Build", "a:$V", 2), (None, "Build", 1)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("FROM a\nRUM x\n", "Dockerfile:2: RUM is not an instruction, RUN is"),
        ("FORM a\n", "Dockerfile:1: FORM is not an instruction, FROM is"),
        ("FROM a\nENTRYPONT x\n", "Dockerfile:2: ENTRYPONT is not an instruction, ENTRYPOINT is"),
        ("FROM a\nRUN x\n&& y\n", "Dockerfile:3: '&&' is not an instruction; end the line before with a backslash"),
        ("FROM a b\n", "Dockerfile:1: FROM takes one image"),
        ("FROM a\nRUN\n", "Dockerfile:2: RUN needs an argument"),
        ("FROM a\nCOPY x\n", "Dockerfile:2: COPY needs a source and a destination"),
        ("FROM a\nENV X\n", "Dockerfile:2: ENV needs a name and a value"),
    ],
)
def test_a_mistake_names_its_line_and_the_nearest_right_word(content: str, says: str) -> None:
    with pytest.raises(StageFailure) as caught:
        parse(content).check()
    fault = caught.value.fault
    assert fault.code == "dockerfile.syntax"
    assert fault.message.startswith(says)
    assert fault.next_actions


@pytest.mark.parametrize("content", ["", "# nothing\n", "ARG X\n", "RUN x\nFROM a\n"])
def test_a_dockerfile_without_a_base_image_is_a_fault(content: str) -> None:
    with pytest.raises(StageFailure) as caught:
        parse(content).check()
    assert caught.value.fault.code == "dockerfile.no_base"


@given(st.text())
def test_any_text_is_read_or_refused_with_a_fault(text: str) -> None:
    parsed = parse(text)
    with contextlib.suppress(StageFailure):
        parsed.check()


@given(st.lists(st.sampled_from([*INSTRUCTIONS, "\\", "\n", " ", "a", "<<EOF", "EOF", "#", "--x=y"])))
def test_lines_of_instructions_lie_in_the_file_and_never_go_back(words: list[str]) -> None:
    text = " ".join(words)
    lines = len(text.splitlines())
    last = 0
    for instruction in parse(text).instructions:
        assert last < instruction.line <= instruction.last_line <= lines
        last = instruction.last_line


def test_progress_shows_an_instruction_as_its_author_wrote_it() -> None:
    assert shown(f"RUN {MOUNT}{EXPORT}pip install x") == "RUN pip install x"
    expanded = EXPORT.replace("${JAVA_TOOL_OPTIONS:+$JAVA_TOOL_OPTIONS }", "-Xmx1g ")
    assert shown(f"RUN {MOUNT}{expanded}mvn package") == "RUN mvn package"


def test_trust_in_an_authority_is_put_into_each_run_and_nowhere_else() -> None:
    content = 'FROM a\nRUN x && y\nRUN --mount=type=cache,target=/c \\\n  # why\n  pip install\nRUN ["x"]\nCMD run\n'
    changed = inject(content, parse(content))
    assert changed.splitlines() == [
        "FROM a",
        f"RUN {MOUNT}{EXPORT}x && y",
        f"RUN {MOUNT}--mount=type=cache,target=/c \\",
        "  # why",
        f"  {EXPORT}pip install",
        f'RUN {MOUNT}["x"]',
        "CMD run",
    ]
