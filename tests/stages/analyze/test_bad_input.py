"""Broken, hostile and unusual trees: the result lists unread files, takes bounded time, and stays inside the tree."""

import os
from pathlib import Path

import pytest

from container_kit.stages.analyze import analyze
from container_kit.stages.artifacts.analysis import Analysis

EXPRESS = '{"name":"x","scripts":{"start":"node i.js"},"dependencies":{"express":"4"}}'


def lay(folder: Path, **files: str | bytes) -> Path:
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def kinds(analysis: Analysis) -> set[tuple[str, str | None]]:
    return {(risk.kind, risk.place) for risk in analysis.risks}


@pytest.mark.parametrize(
    ("name", "content", "language"),
    [
        ("package.json", '{"name": ', "javascript"),
        ("package.json", b"\x00\x01\x02" * 100, "javascript"),
        ("package.json", "[" * 100_000, "javascript"),
        ("pyproject.toml", "[project\nname=", "python"),
        ("environment.yml", "a: [b\n c: }", "python"),
        ("pom.xml", "<project><artifactId>x</project>", "java"),
        ("Cargo.toml", "[package]\nname = ", "rust"),
        ("composer.json", '{"require": }', "php"),
        ("pubspec.yaml", "name: [", "dart"),
    ],
)
def test_a_broken_manifest_is_reported_and_still_shows_the_language(
    tmp_path: Path, name: str, content: str | bytes, language: str
):
    analysis = analyze(lay(tmp_path, **{name: content}))

    assert [module.language.value for module in analysis.modules] == [language]
    assert any(risk.kind == "malformed" and (risk.place or "").startswith(name) for risk in analysis.risks)
    assert any(entry.startswith(f"{name}: ") for entry in analysis.unread)


def test_the_line_of_a_broken_manifest_is_reported(tmp_path: Path):
    analysis = analyze(lay(tmp_path, **{"package.json": '{\n  "name": "x"\n  "version": "1"\n}'}))

    assert ("malformed", "package.json:3") in kinds(analysis)


_COMMENTED = '{\n  // what it is called\n  "name": "x",\n  "require": {"a/b": "1"},\n  "dependencies": {"koa": "2",}\n}'


@pytest.mark.parametrize("name", ["package.json", "composer.json"])
def test_a_manifest_that_a_package_manager_rejects_is_reported_and_read_anyway(tmp_path: Path, name: str):
    analysis = analyze(lay(tmp_path, **{name: _COMMENTED, "server.js": "require('koa')", "index.php": "<?php"}))

    assert ("malformed", f"{name}:2") in kinds(analysis)
    assert analysis.modules[0].name == "x"


def test_bun_reads_comments_in_a_manifest(tmp_path: Path):
    analysis = analyze(lay(tmp_path, **{"package.json": _COMMENTED, "bun.lock": "{}", "server.js": "require('koa')"}))

    assert [risk for risk in analysis.risks if risk.kind == "malformed"] == []
    assert analysis.modules[0].framework.value == "koa"


@pytest.mark.parametrize("name", ["render.yaml", "heroku.yml", "app.yaml", "railway.toml", "nixpacks.json"])
def test_a_file_of_a_platform_is_read_in_its_own_format(tmp_path: Path, name: str):
    content = {"yaml": "a:\n  - b: 1\n", "yml": "a: {b: 1}\n", "toml": "[a]\nb = 1\n", "json": '{"a": 1}'}
    analysis = analyze(lay(tmp_path, **{name: content[name.partition(".")[2]], "main.py": "print(1)\n"}))

    assert [risk for risk in analysis.risks if risk.kind == "malformed"] == []


def test_a_script_with_a_missing_file_is_reported(tmp_path: Path):
    manifest = '{\n  "scripts": {\n    "start": "node server.js"\n  },\n  "dependencies": {"koa": "2"}\n}'
    analysis = analyze(
        lay(tmp_path, **{"package.json": manifest, "src/index.js": "new (require('koa'))().listen(81)\n"})
    )

    assert ("missing", "package.json:3") in kinds(analysis)
    assert analysis.modules[0].start_command.value == "node src/index.js"


@pytest.mark.parametrize("name", ["requirements.txt", "Gemfile", "package.json", "docker-compose.yml", "main.py"])
def test_an_unfinished_merge_is_reported(tmp_path: Path, name: str):
    marks = "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> theirs\n"
    analysis = analyze(lay(tmp_path, **{"requirements.txt": "flask", "main.py": "import flask\n", name: marks}))

    assert ("malformed", f"{name}:2") in kinds(analysis)


def test_a_heading_of_equal_signs_is_not_a_merge(tmp_path: Path):
    analysis = analyze(lay(tmp_path, **{"main.py": '"""\nTitle\n=======\n>>>>>>> 1 << 2\n"""\nimport flask\n'}))

    assert [risk.kind for risk in analysis.risks if risk.kind == "malformed"] == []


def test_a_missing_main_file_is_reported(tmp_path: Path):
    manifest = '{\n  "main": "lib/start.js",\n  "dependencies": {"koa": "2"}\n}'
    analysis = analyze(lay(tmp_path, **{"package.json": manifest, "server.js": "new (require('koa'))().listen(81)\n"}))

    assert ("missing", "package.json:2") in kinds(analysis)
    assert analysis.modules[0].start_command.value == "node server.js"


def test_a_dockerfile_with_a_missing_program_is_reported(tmp_path: Path):
    analysis = analyze(
        lay(tmp_path, **{"Dockerfile": "FROM python:3.14\nCOPY . .\nCMD python run.py\n", "web.py": "import flask\n"})
    )

    assert ("missing", "Dockerfile:3") in kinds(analysis)


def test_an_xml_bomb_is_refused(tmp_path: Path):
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 100}">' for n in range(12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE p [{entities}]><project><artifactId>&e11;</artifactId></project>'

    analysis = analyze(lay(tmp_path, **{"pom.xml": bomb}))

    assert any("refused" in entry for entry in analysis.unread)


def test_an_alias_bomb_in_yaml_is_refused(tmp_path: Path):
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9) if n else 'x'}]\n" for n in range(12))

    analysis = analyze(lay(tmp_path, **{"compose.yaml": levels, "index.html": "<html>"}))

    assert any("aliases" in entry for entry in analysis.unread)


def test_a_manifest_of_100_megabytes_is_not_read(tmp_path: Path):
    with (tmp_path / "package.json").open("wb") as file:
        file.truncate(100 * 1024 * 1024)

    analysis = analyze(tmp_path)

    assert any("larger than" in entry for entry in analysis.unread)


def test_links_are_not_followed_out_of_the_tree(tmp_path: Path):
    outside = lay(tmp_path / "outside", **{"package.json": EXPRESS, "app/package.json": EXPRESS})
    inside = lay(tmp_path / "inside", **{"index.html": "<html>"})
    (inside / "package.json").symlink_to(outside / "package.json")
    (inside / "service").symlink_to(outside / "app")

    analysis = analyze(inside)

    assert "express" not in analysis.model_dump_json()
    assert any("leads out of the source tree" in entry for entry in analysis.unread)


def test_a_link_inside_the_tree_is_read(tmp_path: Path):
    lay(tmp_path, **{"config/package.json": EXPRESS, "i.js": ""})
    (tmp_path / "package.json").symlink_to("config/package.json")

    assert analyze(tmp_path).modules[0].framework.value == "express"


def test_a_loop_of_links_ends(tmp_path: Path):
    lay(tmp_path, **{"package.json": EXPRESS})
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "pyproject.toml").symlink_to("pyproject.toml")

    assert analyze(tmp_path).modules[0].framework.value == "express"


def test_a_named_pipe_as_a_manifest_does_not_hang(tmp_path: Path):
    os.mkfifo(tmp_path / "package.json")

    assert any("not a regular file" in entry for entry in analyze(tmp_path).unread)


def test_a_name_that_is_not_utf8_is_reported(tmp_path: Path):
    lay(tmp_path, **{"package.json": EXPRESS})
    (Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.js"))).write_text("x")

    analysis = Analysis.model_validate_json(analyze(tmp_path).model_dump_json())

    assert any("not UTF-8" in entry for entry in analysis.unread)


def test_a_file_that_vanishes_is_reported(tmp_path: Path):
    from container_kit.stages.ecosystems.facets.detection.module_tree import ModuleTree

    lay(tmp_path, **{"package.json": EXPRESS})
    tree = ModuleTree(tmp_path)
    (tmp_path / "package.json").unlink()

    assert tree.json("package.json") == {}
    assert "No such file" in tree.problems["package.json"].reason


@pytest.mark.parametrize("value", ["5", "text", "true", "{a: 1}", "[1, {b: 2}, null]"])
def test_values_of_another_kind_than_a_format_asks_for_are_passed_over(tmp_path: Path, value: str):
    keys = ("command", "environment", "expose", "image", "ports", "volumes")
    services = {key: f"  {key}-one:\n    build: .\n    {key}: {value}\n" for key in keys}
    files = {
        "docker-compose.yml": "services:\n" + "".join(services.values()) + f"  builds:\n    build: {value}\n",
        "environment.yml": f"name: x\ndependencies: {value}\n",
        "render.yaml": f"services: {value}\nprojects: {value}\n",
        "vercel.json": '{"services": 5}',
        "app.py": "import flask\n",
    }

    (module,) = analyze(lay(tmp_path, **files)).modules

    assert (module.path, module.language.value) == (".", "python")


@pytest.mark.parametrize("value", ["5", "true", '"text"', "[1, {b = 2}]", "{a = 1}"])
def test_tables_and_lists_of_another_kind_are_passed_over(tmp_path: Path, value: str):
    tables = "".join(f"[tool.{tool}]\n{key} = {value}\n" for tool, key in (("pdm", "scripts"), ("pixi", "tasks")))
    files = {
        "crate/Cargo.toml": f"bin = {value}\n[package]\nname = 'crate'\n[workspace]\nmembers = {value}\n",
        "crate/src/main.rs": "fn main() {}\n",
        "snake/pyproject.toml": f"[project]\nname = 'snake'\n[tool.uv.workspace]\nmembers = {value}\n{tables}",
        "snake/app.py": "import flask\n",
        "other/Pipfile": f"scripts = {value}\n[packages]\nflask = '*'\n",
        "other/app.py": "import flask\n",
        "third/pixi.toml": f"tasks = {value}\ndependencies = {value}\n",
        "third/requirements.txt": "flask\n",
        "third/app.py": "import flask\n",
    }

    modules = analyze(lay(tmp_path, **files)).modules

    assert {module.path for module in modules} == {"crate", "snake", "other", "third"}


def test_a_folder_tree_deeper_than_the_bound_is_announced(tmp_path: Path):
    place = tmp_path
    for _ in range(80):
        place = place / "d"
    place.mkdir(parents=True)
    lay(tmp_path, **{"package.json": EXPRESS})

    assert "was not seen" in (analyze(tmp_path).truncated or "")


def test_only_tests_and_examples_give_a_question(tmp_path: Path):
    analysis = analyze(
        lay(tmp_path, **{"tests/requirements.txt": "flask", "examples/a/package.json": EXPRESS, "README.md": "x"})
    )

    assert analysis.modules == ()
    assert analysis.question


def test_ignored_folders_hold_no_modules(tmp_path: Path):
    files = {
        ".gitignore": "/generated/\nold-*\n!old-but-good/\n",
        "package.json": EXPRESS,
        "generated/package.json": EXPRESS,
        "old-one/package.json": EXPRESS,
        "old-but-good/package.json": EXPRESS,
    }

    assert {module.path for module in analyze(lay(tmp_path, **files)).modules} == {".", "old-but-good"}


def test_a_secret_is_reported_but_not_shown(tmp_path: Path):
    secret = "ghp_" + "a1B2" * 9
    analysis = analyze(lay(tmp_path, **{".env": f"GITHUB_TOKEN={secret}\n", "package.json": EXPRESS}))

    assert ("secret", ".env:1") in kinds(analysis)
    assert secret not in analysis.model_dump_json()


def test_the_result_of_one_application_stays_small(tmp_path: Path):
    variables = "".join(f"const v{n} = process.env.SETTING_NUMBER_{n} || 'value {n}'\n" for n in range(500))
    analysis = analyze(lay(tmp_path, **{"package.json": EXPRESS, "i.js": variables}))

    assert len(analysis.model_dump_json()) <= 6 * 1024
    assert analysis.truncated


@pytest.mark.parametrize(("modules", "limit"), [(20, 16 * 1024), (120, 24 * 1024)])
def test_the_result_of_many_modules_stays_small_and_says_what_to_ask(tmp_path: Path, modules: int, limit: int):
    code = "".join(f"const v{n} = process.env.SETTING_{n}\n" for n in range(30)) + "require('express')().listen(3000)\n"
    for number in range(modules):
        lay(tmp_path / f"service-{number}", **{"package.json": EXPRESS, "i.js": code, "Dockerfile": "FROM node\n"})

    analysis = analyze(tmp_path)

    assert len(analysis.model_dump_json()) <= limit
    assert len(analysis.modules) >= 18
    assert "module=" in (analysis.truncated or "")
