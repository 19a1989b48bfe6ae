"""Readers of lock files: npm, Yarn, pnpm, Bun, uv and Pipenv wrote theirs; the others are in the documented form."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.dependencies.lockfile import Entry, Unread
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.formats.documents import Malformed

SAMPLES = Path(__file__).parent / "lockfiles"
# What package.json of the samples asks for, and what these ask for in turn; `number` is an alias of is-number 7.0.0.
NODE = {
    ("@sindresorhus/is", "4.6.0"),
    ("is-number", "4.0.0"),
    ("is-number", "6.0.0"),
    ("is-number", "7.0.0"),
    ("is-odd", "3.0.1"),
}
PYTHON = {("iniconfig", "2.0.0"), ("python-dateutil", "2.8.2"), ("six", "1.17.0")}
DOTNET = {("Newtonsoft.Json", "12.0.3"), ("Serilog", "2.10.0")}
ALIASES = {"is-number": "number", "phoenix": "local_name", "github.com/new/name": "github.com/old/name"}
EXPECTED: dict[str, tuple[str, set[tuple[str, str]]]] = {
    **dict.fromkeys(("npm1", "npm2", "npm3", "yarn1", "yarn4", "pnpm5", "pnpm6", "pnpm9", "bun"), ("npm", NODE)),
    **dict.fromkeys(("uv", "poetry", "pdm", "pylock", "pipenv", "requirements"), ("pypi", PYTHON)),
    "go": (
        "golang",
        {
            ("github.com/gin-gonic/gin", "v1.9.1"),
            ("golang.org/x/text", "v0.3.7"),
            ("gopkg.in/yaml.v2", "v2.2.2"),
            ("github.com/new/name", "v1.2.0"),
        },
    ),
    "go116": ("golang", {("github.com/gin-gonic/gin", "v1.9.1")}),
    "cargo": ("cargo", {("itoa", "1.0.9"), ("time", "0.1.43"), ("time", "0.3.20")}),
    "bundler": ("gem", {("paint", "1.2.0"), ("nokogiri", "1.15.0"), ("racc", "1.7.1"), ("rack", "2.2.6")}),
    "composer": (
        "composer",
        {("guzzlehttp/psr7", "1.8.3"), ("psr/http-message", "v1.0.1"), ("phpunit/phpunit", "9.5.0")},
    ),
    "nuget": ("nuget", {("Newtonsoft.Json", "12.0.3"), ("System.Text.Encodings.Web", "4.5.0")}),
    "gradle": (
        "maven",
        {("com.fasterxml.jackson.core:jackson-databind", "2.9.8"), ("org.apache.logging.log4j:log4j-core", "2.14.1")},
    ),
    "maven": (
        "maven",
        {
            ("org.apache.logging.log4j:log4j-core", "2.14.1"),
            ("com.google.guava:guava", "29.0-jre"),
            ("commons-io:commons-io", "2.6"),
        },
    ),
    **dict.fromkeys(("csproj", "central", "config"), ("nuget", DOTNET)),
    "script": (
        "maven",
        {("com.fasterxml.jackson.core:jackson-databind", "2.9.8"), ("org.apache.logging.log4j:log4j-core", "2.14.1")},
    ),
    "catalog": (
        "maven",
        {
            ("com.fasterxml.jackson.core:jackson-databind", "2.9.8"),
            ("com.fasterxml.jackson.core:jackson-core", "2.9.8"),
            ("org.apache.logging.log4j:log4j-core", "2.14.1"),
        },
    ),
    "mix": ("hex", {("phoenix", "1.7.0"), ("plug", "1.14.0")}),
}
UNREAD = {
    "csproj": ["Floating has no exact version", "Central has no exact version"],
    "script": ["com.google.guava:guava has no exact", "org.slf4j:slf4j-api has no exact"],
    "catalog": ["com.google.guava:guava has no exact", "spring-boot-starter-web has no exact"],
    "go116": ["only since Go 1.17"],
    "maven": ["spring-boot-starter-web gets", "com.example:shared gets", "it does not list transitive dependencies"],
    "mix": ["tool comes from git"],
}


def entries(name: str, text: str) -> list[Entry]:
    reader = catalog().lock_reader(name) or catalog().manifest_reader(name)
    assert reader is not None
    return list(reader(text))


def sample(kind: str) -> Path:
    (path,) = (SAMPLES / kind).iterdir()
    return path


def packages(kind: str) -> list[Package]:
    found = entries(sample(kind).name, sample(kind).read_text())
    return [entry for entry in found if isinstance(entry, Package)]


@pytest.mark.parametrize("kind", EXPECTED)
def test_exactly_what_a_file_pins_is_read(kind: str) -> None:
    ecosystem, expected = EXPECTED[kind]
    assert {(p.ecosystem, p.name, p.version) for p in packages(kind)} == {(ecosystem, *pair) for pair in expected}


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_package_without_a_version_is_reported(kind: str) -> None:
    found = [e.reason for e in entries(sample(kind).name, sample(kind).read_text()) if isinstance(e, Unread)]
    assert len(found) == len(UNREAD.get(kind, []))
    assert all(part in reason for part, reason in zip(UNREAD.get(kind, []), found, strict=True))


@pytest.mark.parametrize("kind", sorted(EXPECTED.keys() - {"maven", "catalog"}))
def test_each_package_names_the_line_if_it_begins(kind: str) -> None:
    lines = sample(kind).read_text().splitlines()
    found = sorted(packages(kind), key=lambda package: package.line)
    ends = [package.line for package in found[1:]] + [len(lines) + 1]
    assert all(one.line < other.line for one, other in pairwise(found))
    for package, end in zip(found, ends, strict=True):
        name = package.name.rpartition(":")[2]
        first = lines[package.line - 1]
        assert name in first or ALIASES.get(name, name) in first
        assert any(package.version in line for line in lines[package.line - 1 : end - 1])


def test_a_maven_dependency_names_the_line_of_its_artifact() -> None:
    lines = sample("maven").read_text().splitlines()
    for package in packages("maven"):
        assert lines[package.line - 1].strip() == f"<artifactId>{package.name.partition(':')[2]}</artifactId>"


def test_a_library_of_a_catalog_names_its_line_among_the_libraries() -> None:
    lines = sample("catalog").read_text().splitlines()
    found = {
        package.name.partition(":")[2]: lines[package.line - 1].partition(" =")[0] for package in packages("catalog")
    }
    assert found == {"log4j-core": "log4j", "jackson-databind": "jackson-databind", "jackson-core": "jackson"}


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("flask==2.0.1", "2.0.1"),
        ("Flask[async] == 2.0.1  # why", "2.0.1"),
        ("flask (==2.0.1)", "2.0.1"),
        ("flask===2.0.1", "2.0.1"),
        ('flask==2.0.1; python_version < "3.12"', "2.0.1"),
        ("flask==2.0.1 --hash=sha256:00", "2.0.1"),
        ("flask>=2,==2.0.1", "2.0.1"),
        ("flask==2.0.1,<3", "2.0.1"),
    ],
)
def test_pinned_requirements_of_pip_are_read(line: str, version: str) -> None:
    (found,) = entries("requirements.txt", f"\n{line}\n")
    assert isinstance(found, Package)
    assert (found.name.lower(), found.version, found.line) == ("flask", version, 2)


@pytest.mark.parametrize(
    "line",
    ["flask", "flask>=2", "flask~=2.0", "flask==2.*", "flask @ https://example.invalid/flask.whl", "flask<3 # ==2.0"],
)
def test_requirements_without_an_exact_version_are_reported(line: str) -> None:
    (found,) = entries("requirements.txt", line)
    assert found == Unread("flask has no exact version", 1)


@pytest.mark.parametrize(
    "line",
    [
        "# flask",
        "--index-url https://example.invalid",
        "-e .",
        "./wheels/x.whl",
        "-r requirements/base.txt",
        "-c constraints.txt",
    ],
)
def test_options_and_comments_of_requirements_are_skipped(line: str) -> None:
    assert entries("requirements.txt", line) == []


def test_an_included_file_that_is_not_read_is_reported() -> None:
    assert entries("requirements.txt", "-r ../base.txt") == [Unread("../base.txt is not read", 1)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("package-lock.json", "{"),
        ("package-lock.json", '{"name": "shop"}'),
        ("package-lock.json", '{"lockfileVersion": 3, "packages": []}'),
        ("package-lock.json", "[" * 100_000),
        ("yarn.lock", "<<<<<<< HEAD\n"),
        ("yarn.lock", "is-odd@3.0.1:\n  resolved x\n"),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages: [\n"),
        ("pnpm-lock.yaml", "- a list\n"),
        ("bun.lock", '{"packages": {}}'),
        ("poetry.lock", "[[package]]\nname = \n"),
        ("poetry.lock", "[package]\nname = 'x'\n"),
        ("Pipfile.lock", '{"default": 1}'),
        ("go.mod", "require x v1.0.0\n"),
        ("go.mod", "module x\nrequire (\n\ty v1\n"),
        ("Gemfile.lock", "GEM\n"),
        ("composer.lock", "[]"),
        ("packages.lock.json", "{}"),
        ("gradle.lockfile", "x\n"),
        ("pom.xml", "<project>"),
        ("pom.xml", '<!DOCTYPE x [<!ENTITY a "b">]><project>&a;</project>'),
        ("mix.lock", "nothing"),
    ],
)
def test_a_malformed_file_is_refused(name: str, text: str) -> None:
    with pytest.raises((Malformed, ValueError, LookupError, TypeError)):
        entries(name, text)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "text", ["a" + " " * 500_000 + "x", "a.-_" * 500_000, "a>1," * 500_000, "a==1" + " " * 500_000 + "!"]
)
def test_an_endless_requirement_is_reported_in_linear_time(text: str) -> None:
    """Work that grows with the square of its length would end in the time limit."""
    (found,) = entries("requirements.txt", text)
    assert isinstance(found, Unread)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("requirements-dev.txt", True),
        ("dev-requirements.txt", True),
        ("requirements/base.txt", True),
        ("deep/requirements/base.txt", True),
        ("docs/base.txt", False),
        ("pylock.dev.toml", True),
        ("package.json", False),
    ],
)
def test_a_file_is_known_by_its_name(path: str, known: bool) -> None:
    assert (catalog().lock_reader(path) is not None) is known
