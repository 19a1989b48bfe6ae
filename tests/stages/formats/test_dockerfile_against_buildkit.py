"""The reader of Dockerfiles against BuildKit: the same text is built for real, and the results are compared.

An engine whose BuildKit does not know here-documents must reject them. `scripts/compat.py docker` with this file runs
it on an engine that knows them.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.formats.dockerfile import ImageConfiguration, configuration_of, parse_dockerfile
from support.buildkit import BuildKit

pytestmark = pytest.mark.engine

Case = tuple[str, str | None, dict[str, str]]

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SCRATCH = "FROM scratch\n"
TWO = "FROM scratch AS one\nUSER a\nFROM scratch AS Two\nUSER b\n"


@pytest.fixture
def buildkit(engine: DockerEngine, docker_api: APIClient, tmp_path: Path, unique: Callable[[], str]) -> BuildKit:
    folder = tmp_path / "context"
    folder.mkdir()
    return BuildKit(engine, docker_api, folder, unique)


def case(text: str, target: str | None = None, **build_args: str) -> Case:
    return text, target, build_args


def read(text: str, target: str | None = None, build_args: dict[str, str] | None = None) -> ImageConfiguration:
    parsed = parse_dockerfile(text, build_args=build_args)
    parsed.check()
    stage = parsed.stage(target)
    assert stage is not None
    return configuration_of(parsed, stage)


def as_inspected(found: ImageConfiguration, path: str = DEFAULT_PATH) -> dict[str, Any]:
    """A configuration in the terms of an engine."""
    ports = {f"{number}/{one.protocol}" for one in found.ports for number in range(one.first, one.last + 1)}
    return {
        "ports": ports,
        "environment": {"PATH": path} | dict(found.environment),
        "user": found.user or "",
        "workdir": found.workdir or "/",
        "entrypoint": list(found.entrypoint or ()),
        "command": list(found.command or ()),
        "healthcheck": list(found.healthcheck or ()),
    }


def inspected(configuration: Any) -> dict[str, Any]:
    """The same of an image."""
    return {
        "ports": set(configuration.get("ExposedPorts") or ()),
        "environment": dict(one.partition("=")[::2] for one in configuration.get("Env") or ()),
        "user": configuration.get("User") or "",
        "workdir": configuration.get("WorkingDir") or "/",
        "entrypoint": configuration.get("Entrypoint") or [],
        "command": configuration.get("Cmd") or [],
        "healthcheck": (configuration.get("Healthcheck") or {}).get("Test") or [],
    }


FORMS = [
    "FROM\tscratch\nUSER\ta\nEXPOSE\t1\t2",
    "FROM\x0bscratch\x0cAS\tx\nUSER a",
    "from scratch\nuser a\nexpose 8",
    "  FROM scratch\n\tUSER a\n",
    "\ufeffFROM scratch\nUSER a",
    "\ufeff# escape=`\nFROM scratch\nUSER a`\nb",
    "FROM scratch\r\nUSER a\r\nEXPOSE 8\r\n",
    "FROM scratch\r\nUSER \\\r\n# comment\r\n  a\r\n",
    "FROM scratch\nUSER a\\",
    "FROM scratch\nUSER a \\\n",
    "FROM scratch\nCMD a \\\n\n\n",
    "FROM scratch\nEXPOSE 1 \\\n 2 \\",
    "FROM scratch\r\nUSER a \\\r\n",
    "# escape=`\nFROM scratch\nUSER a `",
    "FROM scratch\nUSER \\\n# comment\n\n  # another\n a",
    "FROM scratch\nUSER a\\\nb",
    "FROM scratch\nUSER a \\ \t\n b",
    "FROM scratch\n\\\nUSER a",
    "FROM scratch AS\\\n x\nUSER a",
    "FR\\\nOM scratch\nUSER a",
    "FROM scratch\nUSER a \\x\nEXPOSE 1",
    "FROM scratch\nUSER a \\\\\nEXPOSE 1",
    "FROM scratch\nUSER a # no comment",
    "FROM scratch\nUSER x\u2028EXPOSE 1",
    "# escape=`\nFROM scratch\nUSER a`\nb\nCMD c\\",
    "#ESCAPE = `\nFROM scratch\nUSER a`\nb",
    " # escape=`\nFROM scratch\nUSER a`\nb",
    "\n# escape=`\nFROM scratch\nUSER a`\nEXPOSE 1",
    "# comment\n# escape=`\nFROM scratch\nUSER a`\nEXPOSE 1",
    "#!/usr/bin/env docker\nFROM scratch\nUSER a",
    "FROM --platform=$BUILDPLATFORM scratch\nUSER a",
    "FROM --platform=${TARGETPLATFORM} scratch AS x\nFROM --platform=linux/amd64 x\nUSER a",
]

VARIABLES = [
    case(SCRATCH + "ARG A=2\nENV A=1\nUSER $A"),
    case(SCRATCH + "ENV A=1\nARG A=2\nUSER $A"),
    case(SCRATCH + "ARG A=2\nENV A=${A}x\nUSER $A"),
    case("ARG A=g\n" + SCRATCH + "USER x$A"),
    case("ARG A=g\n" + SCRATCH + "ARG A\nUSER x$A"),
    case("ARG A=g\n" + SCRATCH + "ARG A=l\nUSER x$A"),
    case("ARG A=g\n" + SCRATCH + "ARG A=l\nUSER x$A", A="b"),
    case(SCRATCH + "USER x$A", A="b"),
    case(SCRATCH + "ARG A\nUSER x$A", A="$b"),
    case("FROM scratch AS x\nARG A=1\nENV E=2\nFROM x\nUSER $A-$E"),
    case("FROM scratch AS x\nARG A=1\n" + SCRATCH + "USER x$A"),
    case(SCRATCH + "ENV A=1 B=$A\nUSER x$B"),
    case(SCRATCH + "ENV A=1\nENV A=2 B=$A\nUSER $B"),
    case(SCRATCH + 'ENV A "x y" z\nUSER $A'),
    case(SCRATCH + 'ENV A="x y" B=c\\ d C=\nUSER $A$B$C'),
    case(SCRATCH + "ENV A='$B'\nUSER $A"),
    case(SCRATCH + 'ENV A="\\$B \\x"\nUSER $A'),
    case(SCRATCH + "ENV A=a\"b c\"d'e f'\nUSER $A"),
    case(SCRATCH + "ARG N=K\nENV ${N}X=1\nUSER $KX"),
    case(SCRATCH + "ENV PATH=/x:$PATH\nUSER $PATH"),
    case(SCRATCH + "USER $A:${B:-2}"),
    case(SCRATCH + "ARG A=\nUSER x${A:-2}${A:+3}${B:+4}${PATH:+5}"),
    case(SCRATCH + "ARG A=1\nUSER ${A:-${B:-2}}${B:-${C:-3}}"),
    case(SCRATCH + "USER ${A:-'q r'\"s\"}"),
    case("# escape=`\n" + SCRATCH + "ARG A=1\nUSER `$A\\$A"),
]

INSTRUCTIONS = [
    case(SCRATCH + "EXPOSE 80/udp 1-3 90/TCP 80 8080:81 127.0.0.1:9:10 5/"),
    case(SCRATCH + "ENV P=1 Q=2\nEXPOSE $P$Q ${P}/udp"),
    case(SCRATCH + 'ENV P="1 2"\nEXPOSE $P "90"'),
    case(SCRATCH + "EXPOSE ${P:-3000} $P"),
    case(SCRATCH + "WORKDIR a\nWORKDIR b"),
    case(SCRATCH + "WORKDIR /a\nWORKDIR ../c"),
    case(SCRATCH + "ARG D=/q\nWORKDIR $D/./x//"),
    case(SCRATCH + 'WORKDIR "/a b"'),
    case(SCRATCH + "WORKDIR $UNSET"),
    case(SCRATCH + "CMD echo $A 'x'  y"),
    case(SCRATCH + "CMD\nENTRYPOINT"),
    case(SCRATCH + 'CMD  [ "$A" ]  \nENTRYPOINT []'),
    case(SCRATCH + "CMD [\"a\", 'b']"),
    case(SCRATCH + 'CMD ["a"]\nCMD []'),
    case(SCRATCH + 'CMD ["c"]\nENTRYPOINT ["f"]'),
    case(SCRATCH + 'CMD a\nSHELL ["/s"]\nENTRYPOINT b'),
    case('FROM scratch AS x\nSHELL ["/s","-x"]\nFROM x\nCMD c d'),
    case('FROM scratch AS x\nUSER a\nENTRYPOINT ["e"]\nCMD ["c"]\nFROM x\nENTRYPOINT ["f"]'),
    case('FROM scratch AS x\nENTRYPOINT ["e"]\nFROM x\nCMD ["c"]'),
    case("FROM scratch AS x\nHEALTHCHECK CMD q\nFROM x\nHEALTHCHECK NONE"),
    case(SCRATCH + "HEALTHCHECK none"),
    case(SCRATCH + "healthcheck --interval=1s --retries=4 cmd x \\\n y"),
    case(SCRATCH + 'HEALTHCHECK CMD ["a","b"]'),
    case(SCRATCH + "ONBUILD EXPOSE 80\nONBUILD FOO x\nEXPOSE 81"),
    case("FROM scratch AS x\nONBUILD USER t\nFROM x\nEXPOSE 1"),
    case("FROM scratch AS x\nONBUILD ARG P=1\nONBUILD EXPOSE $P\nFROM x AS y\nUSER u\nFROM y\nEXPOSE 2"),
]

STAGES = [
    case(TWO),
    case(TWO, "one"),
    case(TWO, "ONE"),
    case(TWO, "two"),
    case("FROM scratch AS x\nUSER a\nFROM scratch AS x\nUSER b\nFROM x\nEXPOSE 1"),
    case("ARG base=x\nFROM scratch AS x\nUSER u\nFROM $base\n"),
    case("FROM scratch AS x\nUSER u\nFROM x AS scratch\nEXPOSE 1\nFROM scratch\nEXPOSE 2"),
    case("FROM scratch AS a\nUSER u\nFROM a AS b\nEXPOSE 1\nFROM b AS a\nEXPOSE 2\nFROM a\nEXPOSE 3"),
    case("FROM scratch as A.b_c-d\nUSER a\nFROM a.b_c-d\nEXPOSE 1"),
]


@pytest.mark.parametrize(
    ("text", "target", "build_args"), [*map(case, FORMS), *VARIABLES, *INSTRUCTIONS, *STAGES], ids=repr
)
def test_the_reader_finds_the_configuration_that_buildkit_gives_the_image(
    text: str, target: str | None, build_args: dict[str, str], buildkit: BuildKit
) -> None:
    built = buildkit.build(text, target, build_args)
    assert built.error == ""
    assert as_inspected(read(text, target, build_args)) == inspected(built.configuration)


@pytest.mark.parametrize(
    ("text", "build_args"),
    [
        ("ARG V=1\nFROM {image}:$V", {}),
        ("ARG V=1\nFROM {image}:${{V}}", {}),
        ("ARG V\nFROM {image}:${{V:-2}}", {}),
        ("ARG V=\nFROM {image}:${{V:-2}}", {}),
        ("ARG V=1\nFROM {image}${{V:+:plus}}", {}),
        ("ARG V=a\nARG W=$V-b\nFROM {image}:$W", {}),
        ("ARG V=a W=$V-b\nFROM {image}:$W", {}),
        ("ARG W=$V-b\nARG V=a\nFROM {image}:x$W", {}),
        ("ARG V=\"a\"\nFROM '{image}':$V", {}),
        ("ARG V=1\nFROM scratch AS z\nARG V=2\nFROM {image}:$V", {}),
        ("ARG V=1\nARG W=$V\nFROM {image}:$W", {"V": "9"}),
        ("FROM {image}:x$V", {"V": "9"}),
        ("ARG V=1\nFROM {image}:${{V:-${{W:-x}}}}${{W:-${{Y:-z}}}}", {}),
        ("FROM {image}:y AS base\nFROM base AS middle\nFROM middle", {}),
        ("FROM {image}:y AS base\nFROM scratch\nFROM base", {}),
        ("ARG TARGETARCH=q\nFROM {image}:$TARGETARCH", {}),
        ("FROM\t{image}:1\tas\tx", {}),
        ("FROM \\\n# which\n {image}:1", {}),
        ("# escape=`\nFROM `\n {image}:1`\n2", {}),
    ],
)
def test_the_base_image_is_the_one_that_buildkit_requests(
    text: str, build_args: dict[str, str], buildkit: BuildKit
) -> None:
    text = text.format(image="127.0.0.1:1/x")  # nothing listens there
    parsed = parse_dockerfile(text, build_args=build_args)
    built = buildkit.build(text, build_args=build_args)
    requested = re.search(r"127\.0\.0\.1:1/v2/x/manifests/([\w.-]+)", built.error)
    assert requested, built.error
    assert parsed.base_stage(parsed.stages[-1]).base == f"127.0.0.1:1/x:{requested[1]}"


@pytest.mark.parametrize("text", ["FROM 127.0.0.1:1/x:$V", "ARG V\nFROM $V", "FROM ${V", "FROM ${V:=1}", "FROM ${}"])
def test_a_base_that_buildkit_cannot_expand_is_not_resolved(text: str, buildkit: BuildKit) -> None:
    assert not parse_dockerfile(text).stages[-1].is_resolved
    assert re.search("invalid reference|blank|failed to process", buildkit.build(text).error)


@pytest.mark.parametrize("target", ["one", "oNe", "two", "0", "stage-0", "none"])
def test_a_target_is_found_if_buildkit_finds_it(target: str, buildkit: BuildKit) -> None:
    found = parse_dockerfile(TWO).stage(target) is not None
    error = buildkit.build(TWO, target).error
    assert ("could not be found" in error, bool(error)) == (not found, not found)


@pytest.mark.parametrize(
    ("reference", "is_stage"), [("one", True), ("ONE", True), ("0", True), ("00", True), ("127.0.0.1:1/one", False)]
)
def test_from_of_copy_means_the_stage_that_buildkit_copies_from(
    reference: str, is_stage: bool, buildkit: BuildKit, tiny_image: str
) -> None:
    text = f"FROM {tiny_image} AS One\nFROM scratch\nCOPY --from={reference} /bin/busybox /b\n"
    assert (parse_dockerfile(text).source_stage(reference) is not None) == is_stage
    error = buildkit.build(text).error
    assert "127.0.0.1:1" in error if not is_stage else error == ""


def test_a_stage_number_that_is_too_high_is_not_a_stage(buildkit: BuildKit) -> None:
    assert parse_dockerfile(SCRATCH).source_stage("5") is None
    assert "invalid stage index 5" in buildkit.build(SCRATCH + "COPY --from=5 /a /b").error


HEREDOCS = [
    'COPY <<"EO" /x\nEXPOSE 1\nUSER q\nEO\nEXPOSE 2\n',
    "COPY <<'EO' /x\nFROM debian\nEO\nEXPOSE 2\n",
    "COPY <<E /x\nEXPOSE 1\nE\nEXPOSE 2",
    "COPY <<-E /x\n\tEXPOSE 1\n\tE\nEXPOSE 2",
    "COPY <<E <<F /x/\nEXPOSE 1\nE\nFROM y\nF\nEXPOSE 2",
    "COPY <<-E <<F /x/\n\tF\n\t\tE\n\tF\nF\nEXPOSE 2",
    "ADD <<E /x\nFROM debian\nE\nEXPOSE 2",
    "copy <<E /x\nUSER a\nE\nEXPOSE 2\n",
    "COPY <<E /x\r\nEXPOSE 1\r\nE\r\nEXPOSE 2\r\n",
    "COPY <<E /x\n# comment\nUSER a \\\nE\nEXPOSE 2\n",
    "COPY <<E \\\n# comment\n /x\nUSER a\nE\nEXPOSE 2\n",
    "COPY <<E /x\nE \n E\nE\nEXPOSE 2",
    "COPY <<E /x\nE",
    "COPY <<e_1-x.y /x\nUSER a\ne_1-x.y\nEXPOSE 2",
    "COPY <<$E /x\nUSER q\n$E\nEXPOSE 2",
    "COPY 3<<E /x\nUSER q\nE\nEXPOSE 2",
    "COPY --chmod=755 <<E /x\nUSER a\nE\nEXPOSE 2",
    "ONBUILD COPY <<E /x\nUSER a\nE\nEXPOSE 2",
    "USER a\nFROM scratch\nCOPY <<E /x\nFROM scratch AS z\nUSER z\nE\nEXPOSE 3",
]


@pytest.mark.parametrize("text", [*HEREDOCS, "# escape=`\nFROM scratch\nCOPY <<E `\n /x\nUSER a `\nE\nEXPOSE 2"])
def test_the_body_of_a_heredoc_holds_no_instructions(text: str, buildkit: BuildKit) -> None:
    text = text if "FROM scratch\nCOPY <<E `" in text else SCRATCH + text
    built = buildkit.build(text)
    if buildkit.knows_heredocs:
        assert built.error == ""
        assert as_inspected(read(text)) == inspected(built.configuration)
    else:
        assert re.search("unknown instruction|not found|could not be found", built.error), built.error


@pytest.mark.parametrize(
    "text", ["ENV A=<<E\nEXPOSE 2", "LABEL A=<<E\nEXPOSE 2", "CMD <<E\nEXPOSE 2", "HEALTHCHECK CMD <<E\nEXPOSE 2"]
)
def test_other_instructions_open_no_heredoc(text: str, buildkit: BuildKit) -> None:
    built = buildkit.build(SCRATCH + text)
    assert built.error == ""
    assert as_inspected(read(SCRATCH + text)) == inspected(built.configuration)


@pytest.mark.parametrize("start", ['COPY <<"E O" /x', "COPY <<'E O' /x", "COPY <<E\\ O /x"])
def test_a_heredoc_with_a_space_in_its_name_fails_in_copy_but_its_body_is_skipped(
    start: str, buildkit: BuildKit
) -> None:
    text = f"{SCRATCH}{start}\nEXPOSE 1\nE O\nUSER x\n"
    parsed = parse_dockerfile(text)
    assert [(one.keyword, one.line, one.last_line) for one in parsed.stages[0].instructions] == [
        ("COPY", 2, 4),
        ("USER", 5, 5),
    ]
    assert (read(text).ports, read(text).user) == ((), "x")
    error = buildkit.build(text).error
    if buildkit.knows_heredocs:  # COPY splits its words before it looks at quotes
        assert re.search(r"failed to process \"<<|\"/O\": not found", error), error
    else:
        assert "unknown instruction: E" in error


def test_run_hands_a_heredoc_with_a_space_in_its_name_to_the_shell(buildkit: BuildKit, tiny_image: str) -> None:
    text = f'FROM {tiny_image}\nRUN cat <<"E O" <<-F >/x\nEXPOSE 1\nE O\n\tUSER q\nF\nEXPOSE 2\n'
    built = buildkit.build(text)
    if not buildkit.knows_heredocs:
        assert "unknown instruction" in built.error
        return
    assert built.error == ""
    assert as_inspected(read(text), path="/bin") | {"command": ["/bin/sh", "-c", "sleep infinity"]} == inspected(
        built.configuration
    )


def test_the_content_of_a_heredoc_is_what_buildkit_copies(buildkit: BuildKit) -> None:
    text = SCRATCH + "COPY <<'E' /x\n# kept\nUSER a \\\n\n\té\r\nE\n"
    (heredoc,) = parse_dockerfile(text).stages[0].instructions[0].heredocs
    built = buildkit.build(text)
    if not buildkit.knows_heredocs:
        assert "unknown instruction" in built.error
        return
    with buildkit.file(built.image, "/x") as packed, tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        member = tar.extractfile("x")
        assert member is not None
        assert member.read().decode() == heredoc.content


REJECTED = [
    ("FROM scratch\nUSER", 2),
    ("FROM scratch\nEXPOSE", 2),
    ("FROM scratch\nWORKDIR", 2),
    ("FROM scratch\n\nVOLUME", 3),
    ("FROM scratch\nSTOPSIGNAL", 2),
    ("FROM scratch\nMAINTAINER", 2),
    ("FROM scratch\nLABEL", 2),
    ("FROM scratch\nENV", 2),
    ("FROM scratch\nARG", 2),
    ("FROM scratch\nENV A=1\nENV =1", 3),
    ("FROM scratch\nENV A=1 \\\n B", 2),
    ("FROM scratch\nENV A=1\nENV A", 3),
    ("FROM scratch\nLABEL a", 2),
    ("FROM scratch\nUSER a\nONBUILD ENV A", 3),
    ("FROM scratch\nCOPY a", 2),
    ("FROM scratch\nADD", 2),
    ('FROM scratch\nCOPY ["a"]', 2),
    ("FROM scratch\nSHELL x", 2),
    ("FROM scratch\nSHELL []", 2),
    ("FROM scratch\nCMD [1]", 2),
    ('FROM scratch\nUSER a\nRUN ["a", 1]', 3),
    ("FROM scratch\nHEALTHCHECK", 2),
    ("FROM scratch\nHEALTHCHECK NONE x", 2),
    ("FROM scratch\nHEALTHCHECK CMD", 2),
    ("FROM scratch\nHEALTHCHECK CMD []", 2),
    ("FROM scratch\nHEALTHCHECK curl x", 2),
    ("FROM scratch\nONBUILD", 2),
    ("FROM scratch\nONBUILD FROM a", 2),
    ("FROM scratch\nONBUILD onbuild RUN x", 2),
    ("FROM scratch\nFOO a", 2),
    ("FROM scratch\nRUN x\n&& y", 3),
    ("FROM scratch\n# comment\n\nFOO \\\n a", 4),
    ("FROM scratch AS 1a\nUSER a", 1),
    ("FROM scratch AS a/b\nUSER a", 1),
    ("FROM scratch x\nUSER a", 1),
    ("FROM scratch # comment\nUSER a", 1),
    ("FROM scratch foo x\nUSER a", 1),
    ("FROM scratch\rUSER b", 1),
    ("FROM scratch\nFROM", 2),
    ("USER a\nFROM scratch", 1),
    ("ARG X=1\nENV A=1\nFROM scratch", 2),
    ("# escape=x\nFROM scratch", 1),
    ("# escape=`\n# escape=\\\nFROM scratch", 2),
]


@pytest.mark.parametrize(("text", "line"), REJECTED)
def test_buildkit_rejects_what_the_reader_rejects_at_the_same_line(text: str, line: int, buildkit: BuildKit) -> None:
    with pytest.raises(StageFailure) as caught:
        parse_dockerfile(text).check()
    fault = caught.value.fault
    assert (fault.code, fault.evidence[0].where) == ("dockerfile.syntax", f"Dockerfile:{line}")
    error = buildkit.build(text).error
    assert re.search("parse error|must have|Syntax error|JSON|no build stage|escape", error), error
    if named := re.search(r"line (\d+)", error):  # its parser names no line, its frontend does
        assert int(named[1]) == line


@pytest.mark.parametrize(
    ("text", "line"), [("COPY <<E /x\nUSER a\n", 2), ("USER a\nCOPY <<-E <<F /x/\n\tE\n E\n", 3), ("RUN <<E\n\tE\n", 2)]
)
def test_buildkit_rejects_a_heredoc_without_an_end_too(text: str, line: int, buildkit: BuildKit) -> None:
    with pytest.raises(StageFailure) as caught:
        parse_dockerfile(SCRATCH + text)
    assert caught.value.fault.evidence[0].where == f"Dockerfile:{line}"
    expected = "unterminated heredoc" if buildkit.knows_heredocs else "."
    assert re.search(expected, buildkit.build(SCRATCH + text).error)


@pytest.mark.parametrize("text", ["RUN", "MAINTAINER a b", "ARG a b=c", "ONBUILD FOO x", "CMD []", "ENTRYPOINT"])
def test_the_reader_accepts_what_buildkit_accepts(text: str, buildkit: BuildKit, tiny_image: str) -> None:
    parse_dockerfile(f"FROM {tiny_image}\n{text}\n").check()
    assert buildkit.build(f"FROM {tiny_image}\n{text}\n").error == ""
