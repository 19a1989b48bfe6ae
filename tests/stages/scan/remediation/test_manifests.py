"""Where a package is required, and which lock file has to follow."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from container_kit.stages.artifacts.scan import Change, ScanFinding
from container_kit.stages.scan.remediation.advice import plan_remediation
from container_kit.stages.scan.remediation.context import ScanContext
from container_kit.stages.scan.remediation.manifests import ManifestEntry, ManifestIndex

SAMPLES = Path(__file__).parents[1] / "builtin" / "lockfiles"


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    def make(**files: str) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("ecosystem", "package", "name", "lines", "number"),
    [
        ("npm", "jest", "package.json", '{"scripts": {\n"jest": "jest --ci"},\n"dependencies": {\n"jest": "^29"}}', 4),
        ("npm", "@a/b", "package.json", '{"dependencies": {\n"@a/bc": "1",\n"@a/b": "~1"}}', 3),
        ("npm", "lodash", "package.json", '{"dependencies": {\n"low": "npm:lodash@4"}}', 2),
        ("pypi", "ck.lib", "requirements.txt", "# ck-lib\nother-ck-lib==1\nck_lib[x]==1\n", 3),
        ("pypi", "flask", "pyproject.toml", '[project]\nname = "flask-shop"\ndependencies = [\n"flask>=2"]\n', 4),
        ("pypi", "flask", "Pipfile", '[packages]\nflask-x = "*"\nflask = "*"\n', 3),
        ("maven", "org.x:core", "pom.xml", "<artifactId>core-api</artifactId>\n<artifactId>core</artifactId>\n", 2),
        ("maven", "org.x:core", "app/build.gradle", "api 'org.x:core-api:1'\nimplementation 'org.x:core:1'\n", 2),
        ("golang", "x.org/a", "go.mod", "module m\nrequire x.org/a/b v1.0.0\nrequire x.org/a v1.0.0\n", 3),
        ("gem", "rack", "Gemfile", 'gem "rack-test"\ngem "rack", "~> 2"\n', 2),
        ("cargo", "time", "Cargo.toml", '[dependencies]\ntimer = "0.1"\ntime = { version = "0.1" }\n', 3),
        ("cargo", "time", "Cargo.toml", '[dependencies.time]\nversion = "0.1"\n', 1),
        ("nuget", "A.B", "App.csproj", '<PackageReference Include="A.B.C" />\n<PackageReference Include="a.b" />', 2),
        ("composer", "a/b", "composer.json", '{"require": {\n"a/bc": "1",\n"a/b": "1"}}', 3),
        ("hex", "plug", "mix.exs", '{:plug_cowboy, "~> 2"},\n{:plug, "~> 1"},\n', 2),
    ],
)  # fmt: skip
def test_the_line_that_requires_a_package_is_found(
    tree: Callable[..., Path], ecosystem: str, package: str, name: str, lines: str, number: int
) -> None:
    root = tree(**{name: lines})
    found = ManifestIndex(root).find(ecosystem, package)
    assert found is not None
    assert (found.where, found.direct) == (f"{name}:{number}", True)


def test_a_module_comes_first_then_the_root_then_the_others(tree: Callable[..., Path]) -> None:
    root = tree(**{f"{folder}requirements.txt": "flask==1\n" for folder in ("", "a/", "z/")})
    assert ManifestIndex(root, "z").find("pypi", "flask") == ManifestEntry("z/requirements.txt:1", direct=True)
    assert ManifestIndex(root).find("pypi", "flask") == ManifestEntry("requirements.txt:1", direct=True)


def test_a_manifest_that_is_a_link_out_of_the_tree_is_not_read(
    tree: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "requirements.txt"
    outside.write_text("flask==1\n")
    root = tree()
    (root / "requirements.txt").symlink_to(outside)
    assert ManifestIndex(root).find("pypi", "flask") == ManifestEntry("requirements.txt", direct=False)


def advised(root: Path, *findings: ScanFinding) -> tuple[tuple[ScanFinding, ...], tuple[Change, ...]]:
    return plan_remediation(findings, ScanContext(root=root))


def finding(package: str, installed: str, ecosystem: str, path: str | None, **more: str | None) -> ScanFinding:
    known = {"id": f"CVE-{package}-{installed}", "kind": "vulnerability", "severity": "high", "fixed": "9.0.0"} | more
    return ScanFinding(package=package, installed=installed, ecosystem=ecosystem, path=path, **known)  # type: ignore[arg-type] # names of fields


def test_each_version_in_a_workspace_is_led_to_the_member_that_wants_it(tree: Callable[..., Path]) -> None:
    root = tree(
        **{
            "package.json": '{"workspaces": ["packages/*"], "dependencies": {\n  "is-odd": "3.0.1"\n}}',
            "packages/app/package.json": '{"devDependencies": {\n  "is-number": "4.0.0"\n}}',
        }
    )
    shutil.copy(SAMPLES / "npm3" / "package-lock.json", root)
    lock = (root / "package-lock.json").read_text().splitlines()
    told, changes = advised(
        root,
        finding("is-number", "4.0.0", "npm", "package-lock.json"),
        finding("is-number", "6.0.0", "npm", "package-lock.json"),
        finding("is-odd", "3.0.1", "npm", "package-lock.json"),
    )
    brought = lock.index('    "node_modules/is-number": {') + 1
    assert [one.where for one in told] == [
        "packages/app/package.json:2",
        f"package-lock.json:{brought}",
        "package.json:2",
    ]
    assert {change.where: change.change for change in changes} == {
        "packages/app/package.json:2": "require is-number 9.0.0 or later in packages/app/package.json:2, "
        "then run `npm install`",
        "package.json:2": "require is-odd 9.0.0 or later in package.json:2, then run `npm install`",
        "package.json": "another dependency brings is-number: require is-number 9.0.0 or later under `overrides` of "
        "package.json, then run `npm install`",
    }


@pytest.mark.parametrize(
    ("kind", "ecosystem", "manifest", "content", "package", "where", "command"),
    [
        ("uv", "pypi", "pyproject.toml", "[project]\n", "six", "uv.lock", "uv lock --upgrade-package six"),
        ("poetry", "pypi", "pyproject.toml", "[project]\n", "six", "poetry.lock", "poetry update six"),
        ("pipenv", "pypi", "Pipfile", "[packages]\n", "six", "Pipfile.lock", "pipenv upgrade six"),
        ("cargo", "cargo", "Cargo.toml", "[package]\n", "itoa", "Cargo.lock", "cargo update itoa"),
        ("bundler", "gem", "Gemfile", "\n", "racc", "Gemfile.lock", "bundle update racc"),
        ("composer", "composer", "composer.json", "{}", "a/b", "composer.lock", "composer update --with-dependencies"),
        ("mix", "hex", "mix.exs", "\n", "plug", "mix.lock", "mix deps.update plug"),
        ("yarn4", "npm", "package.json", "{}", "is-number", "package.json", "yarn install"),
        ("pnpm9", "npm", "package.json", "{}", "is-number", "package.json", "pnpm install"),
        ("nuget", "nuget", "App.csproj", "<Project/>", "A.B", "App.csproj", "dotnet restore --force-evaluate"),
    ],
)  # fmt: skip
def test_what_another_dependency_brings_is_updated_by_its_package_manager(
    tree: Callable[..., Path],
    kind: str,
    ecosystem: str,
    manifest: str,
    content: str,
    package: str,
    where: str,
    command: str,
) -> None:
    root = tree(**{f"web/{manifest}": content})
    (lock,) = (SAMPLES / kind).iterdir()
    shutil.copy(lock, root / "web")
    told, (change,) = advised(root, finding(package, "1", ecosystem, f"web/{lock.name}"))
    assert change.where == f"web/{where}"
    assert f"another dependency brings {package}" in change.change
    assert f"run `{command}" in change.change
    assert told[0].change == change.change


def test_go_mod_is_changed_by_one_command(tree: Callable[..., Path]) -> None:
    root = tree(**{"go.mod": "module m\ngo 1.22\nrequire x.org/a v1.0.0 // indirect\n"})
    _, (change,) = advised(root, finding("x.org/a", "v1.0.0", "golang", "go.mod", where="go.mod:3", fixed="1.0.1"))
    assert change.where == "go.mod:3"
    assert change.change == "require x.org/a 1.0.1 or later in go.mod:3: `go get x.org/a@v1.0.1`"


def test_one_command_updates_all_that_a_lock_file_needs(tree: Callable[..., Path]) -> None:
    root = tree(**{"Cargo.toml": "[package]\n"})
    shutil.copy(SAMPLES / "cargo" / "Cargo.lock", root)
    _, (change,) = advised(
        root, finding("itoa", "1.0.9", "cargo", "Cargo.lock"), finding("time", "0.3.20", "cargo", "Cargo.lock")
    )
    assert change.removes == 2
    assert change.change == (
        "other dependencies bring these: run `cargo update itoa time` for itoa 9.0.0, time 9.0.0 or later in Cargo.lock"
    )


def test_a_package_of_an_image_is_led_to_the_manifest_and_its_lock_file(tree: Callable[..., Path]) -> None:
    root = tree(**{"package.json": '{"dependencies": {\n"is-odd": "3.0.1"}}'})
    shutil.copy(SAMPLES / "yarn1" / "yarn.lock", root)
    in_image = finding("is-odd", "3.0.1", "npm", "app/node_modules/is-odd/package.json", layer="sha256:1")
    told, (change,) = advised(root, in_image)
    assert (told[0].where, change.where) == ("package.json:2", "package.json:2")
    assert change.change == "require is-odd 9.0.0 or later in package.json:2, then run `yarn install`"


@pytest.fixture
def compiled(tree: Callable[..., Path]) -> Path:
    """A folder with requirements as pip-compile writes them."""
    locked = "flask==2.0\nwerkzeug==1.0\n    # via flask\n"
    return tree(
        **{"requirements/web.in": "flask>=2\n", "requirements/web.txt": locked, "requirements.txt": "other==1\n"}
    )


def test_a_compiled_requirements_file_is_compiled_again(compiled: Path) -> None:
    told, _ = advised(
        compiled,
        finding("flask", "2.0", "pypi", "requirements/web.txt", where="requirements/web.txt:1"),
        finding("werkzeug", "1.0", "pypi", "requirements/web.txt", where="requirements/web.txt:2"),
    )
    assert [one.where for one in told] == ["requirements/web.in:1", "requirements/web.txt:2"]
    command = "`pip-compile --upgrade-package {} requirements/web.in`".format
    assert [one.change for one in told] == [
        f"require flask 9.0.0 or later in requirements/web.in:1, then run {command('flask')}",
        f"another dependency brings werkzeug: run {command('werkzeug')} for werkzeug 9.0.0 or later in {told[1].path}",
    ]


def test_a_package_of_an_image_is_led_to_what_its_requirements_were_compiled_from(compiled: Path) -> None:
    told, _ = advised(compiled, finding("flask", "2.0", "pypi", "usr/lib/flask/METADATA", layer="sha256:1"))
    assert told[0].where == "requirements/web.in:1"


def test_the_highest_of_several_fixed_versions_of_a_package_is_required(tree: Callable[..., Path]) -> None:
    root = tree(**{"requirements.txt": "ck-lib==1.0\n"})
    fixes = ("1.5", "1.10", "1.9")
    findings = [finding("ck-lib", "1.0", "pypi", None, id=f"CVE-{fixed}", fixed=fixed) for fixed in fixes]
    _, (change,) = advised(root, *findings)
    assert (change.removes, change.change) == (3, "require ck-lib 1.10 or later in requirements.txt:1")


def test_system_packages_of_an_unknown_dockerfile_are_one_change() -> None:
    findings = [finding(f"lib{number}", "1", "deb", None, layer="sha256:1") for number in range(10)]
    _, (change,) = plan_remediation(findings, ScanContext())
    assert change.removes == 10
    assert change.change.startswith("take a base image that has lib0 9.0.0, lib1 9.0.0")
    assert change.change.endswith("or later, and 2 more packages, or upgrade them in the Dockerfile")
