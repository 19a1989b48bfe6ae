"""Base images that a machine makes for itself when no registry answers.

The images of the default set are made on an engine of the test's own. The commands that check them state what the
Dockerfiles of the public images set up.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker import APIClient

from support.engine.private_engine import PrivateEngine
from support.engine.registry import Registry
from support.engine.tiny_image import import_tiny_image
from support.skip_policy import cannot_run

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "scripts" / "base_images.py"
SITE_PACKAGES = "import site, sysconfig; print(sysconfig.get_path('purelib'), *site.getsitepackages())"
C_EXTENSION = "pip install -q --no-binary :all: markupsafe==3.0.2 && python -c 'import markupsafe._speedups'"
NODE_GYP = "node /usr/local/lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js"
GCC = "apt-get update -q && apt-get install -qy --no-install-recommends gcc libc6-dev"
SLIM = [
    "test -e /usr/share/doc/apt/copyright && test ! -e /usr/share/doc/apt/changelog.gz",
    "test -z \"$(find /var/lib/apt/lists /var/cache/apt -name '*.deb' -o -name '*Packages*' -o -name '*.bin')\"",
    "useradd somebody && test -e /usr/share/zoneinfo/UTC",
]  # fmt: skip


def python_commands(version: str, exact: str, pip: str) -> list[str]:
    """Return what holds in every public Python image."""
    library = f"/usr/local/lib/python{version}"
    return [
        f"test $(which python) = /usr/local/bin/python && python --version | grep -q '{exact}'",
        f"pip --version | grep -q '^pip {pip} from {library}/site-packages/pip '",
        f"test $(which -a python3 pip | wc -l) = 2 && test -x /usr/local/bin/pip{version}",
        f'test "$(python -c "{SITE_PACKAGES}")" = "{library}/site-packages {library}/site-packages"',
        "python -c 'import sys; assert sys.prefix == sys.base_prefix == \"/usr/local\", sys.base_prefix'",
        f"test ! -e {library}/EXTERNALLY-MANAGED && test ! -d {library}/test",
        "python -c 'import bz2, ctypes, curses, dbm.gnu, lzma, readline, sqlite3, ssl, uuid, zlib'",
        f"test -f /usr/local/include/python{version}/Python.h && python-config --includes --ldflags --embed",
        f"pip install -q --prefix=/install six && ls /install/lib/python{version}/site-packages/six.py",
        f"pip install -q six && ls {library}/site-packages/six.py && python -c 'import six'",
        f"pip install -q --user attrs && ls /root/.local/lib/python{version}/site-packages",
        "python -m venv /app && /app/bin/pip --version",
        "pip install -q uv && uv pip install -q --system idna && python -c 'import idna'",
        f"! which gcc && {GCC} && {C_EXTENSION}",
        "apt-get install -qy --no-install-recommends python3 && /usr/bin/python3 -c 'import sys; print(sys.prefix)'",
    ]


def node_commands(version: str, npm: str) -> list[str]:
    """Return what holds in every public Node.js image that has corepack."""
    return [
        f"node --version | grep -q '^v{version}[.]' && nodejs --version",
        f"npm --version | grep -q '^{npm}[.]' && npx --version && corepack --version",
        "test $(yarn --version) = 1.22.22 && test $YARN_VERSION = 1.22.22 && test v$NODE_VERSION = $(node --version)",
        "test $(id -u node):$(id -g node) = 1000:1000 && test -d /home/node",
        f"test -f /usr/local/include/node/node_api.h && {NODE_GYP} install --ensure",
        "mkdir /app && cd /app && npm init -y && npm install --no-audit ms@2.1.3 && node -e 'require(\"ms\")'",
        "cd /app && yarn add is-number@7.0.0 && node -e 'require(\"is-number\")'",
        "docker-entrypoint.sh -p 6*7 | grep -q '^42$' && docker-entrypoint.sh echo program | grep -q '^program$'",
    ]


# What Dockerfiles expect of the public images, as commands that fail if it is not so.
EXPECTED = {
    "debian:bookworm-slim": ["grep -q 'Debian GNU/Linux 12' /etc/os-release", *SLIM],
    "debian:trixie-slim": ["grep -q 'Debian GNU/Linux 13' /etc/os-release", *SLIM],
    "python:3.11-slim": [
        *python_commands("3.11", "3[.]11[.]", "24.0"),
        "pip list | grep -q 'setuptools *65.5.1' && pip list | grep -q 'wheel *0.45'",
    ],
    "python:3.13-slim": [
        *python_commands("3.13", "3[.]13[.]", "2[5-9][.][0-9.]*"),
        "grep -q trixie /etc/os-release && ! pip list | grep -q setuptools",
    ],
    "node:20-slim": node_commands("20", "10"),
    "node:22-slim": node_commands("22", "10"),
    "eclipse-temurin:17-jdk": [
        "test $JAVA_HOME = /opt/java/openjdk && echo $JAVA_VERSION | grep -q '^jdk-17[.]'",
        "$JAVA_HOME/bin/javac -version 2>&1 | grep -q 'javac 17[.]' && java -version",
    ],
}  # fmt: skip

# The images that are made only by name.
EXPECTED_BY_NAME = {
    "python:3.14-slim": python_commands("3.14", "3[.]14[.]", "2[5-9][.][0-9.]*"),
    "python:3.15-slim": python_commands("3.15", "3[.]15[.]", "2[5-9][.][0-9.]*"),
    "node:24-slim": node_commands("24", "11"),
    "oven/bun:1-slim": [
        "bun --version | grep -q '^1[.]' && bunx --version && node -e 1 && test $(id -u bun) = 1000",
        "test $PWD = /home/bun/app && bun init -y && bun add ms@2.1.3 && bun -e 'require(\"ms\")'",
        "docker-entrypoint.sh -e 'console.log(42)' | grep -q '^42$'",
    ],
    "oven/bun:1": ["bun --version"],
    "denoland/deno:2": [
        "deno --version | grep -q '^deno 2[.]' && test $(id -u deno) = 1993 && test -w $DENO_DIR",
        "docker-entrypoint.sh eval 'console.log(42)' | grep -q '^42$' && docker-entrypoint.sh echo x | grep -q '^x$'",
    ],
    "golang:1.24-bookworm": ["go version | grep -q 'go1[.]24[.]' && go vet errors"],
    "golang:1.27-bookworm": [
        "go version | grep -q go1.27 && test $PWD = /go && test $(go env GOTOOLCHAIN) = local",
        "mkdir /tmp/hello && cd /tmp/hello && go mod init hello && git --version",
        "printf 'package main\\nimport \"C\"\\nfunc main() { println(42) }\\n' >main.go && go run . 2>&1 | grep -q 42",
    ],
    "rust:1-slim-bookworm": [
        "test $(which cargo) = /usr/local/cargo/bin/cargo && rustc --version | grep -q \"^rustc $RUST_VERSION \"",
        "cd /tmp && cargo new --vcs none hello && cd hello && grep -q 'edition = \"2024\"' Cargo.toml && cargo run",
    ],
    "ruby:3.3-slim": [
        "test $(which ruby) = /usr/local/bin/ruby && ruby --version | grep -q '^ruby 3[.]3' && bundle --version",
        "test $(gem env home) = /usr/local/bundle && ruby -r openssl -r psych -e 1",
    ],
    "ruby:3.1-slim": ["ruby --version | grep -q '^ruby 3[.]1' && bundle --version && gem --version"],
    "eclipse-temurin:25-jdk": ["javac -version 2>&1 | grep -q 'javac 25' && echo $JAVA_VERSION | grep -q '^jdk-25'"],
    "eclipse-temurin:21-jre": ["java -version 2>&1 | grep -q '\"21[.]' && ! which javac"],
    "nginx:stable": [
        "test $(id -u nginx) = 101 && mkdir /etc/nginx/templates",
        "echo 'server { listen 81; return 200 \"$NGINX_VERSION $uri\"; }' >/etc/nginx/templates/a.conf.template",
        "/docker-entrypoint.sh nginx && curl -sf localhost/ | grep -q Welcome",
        "test \"$(curl -s localhost:81/x)\" = \"$NGINX_VERSION /x\"",
    ],
    "nginxinc/nginx-unprivileged:stable": [
        "test $(id -u) = 101 && nginx && curl -sf localhost:8080/ | grep -q Welcome",
    ],
    "php:8.4-cli": [
        "test $(which php) = /usr/local/bin/php && php -r 'exit(PHP_VERSION === getenv(\"PHP_VERSION\") ? 0 : 1);'",
        "mv $PHP_INI_DIR/php.ini-production $PHP_INI_DIR/php.ini && php -r 'exit((int) ini_get(\"display_errors\"));'",
        "docker-php-ext-install -j2 pdo_mysql bcmath && php -m | grep -x pdo_mysql && php -m | grep -x bcmath",
    ],
    "php:8.4-apache": [
        "echo '<?= 6 * 7;' >/var/www/html/index.php && { apache2-foreground & }",
        "curl -sf --retry 9 --retry-connrefused localhost | grep -q 42",
    ],
    "php:8.4-fpm": ["php-fpm -t && php-fpm -tt 2>&1 | grep -q 'listen = 9000'"],
}  # fmt: skip


def make(engine_host: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        env={**os.environ, "DOCKER_HOST": engine_host, **variables},
        capture_output=True, text=True, timeout=2400, check=False,
    )  # fmt: skip


def run(api: APIClient, image: str, script: str) -> None:
    host = api.create_host_config(network_mode="host")
    container = api.create_container(image, ["-ec", script], entrypoint="sh", host_config=host)
    try:
        api.start(container)
        status = api.wait(container, timeout=600)["StatusCode"]
        assert status == 0, f"{image}: {script}\n{api.logs(container).decode()[-2000:]}"
    finally:
        api.remove_container(container, force=True)


def check(api: APIClient, expected: dict[str, list[str]]) -> None:
    for image, scripts in expected.items():
        labels = api.inspect_image(image)["Config"]["Labels"]
        assert labels["io.container-kit.base-image.local"] == "true"
        assert re.search("Debian (bookworm|trixie|forky)", labels["io.container-kit.base-image.source"])
        run(api, image, " && ".join(f"{{ {script}; }}" for script in scripts))  # -e ignores all but the last of a list


@pytest.fixture
def bare(private_engine: Callable[..., PrivateEngine]) -> PrivateEngine:
    """An engine without an image, on a machine that can make some."""
    for program in ("apt-get", "mmdebstrap"):
        if shutil.which(program) is None:
            cannot_run(f"{program} is missing")
    return private_engine(outbound=True)


@pytest.mark.engine
@pytest.mark.timeout(1500)
def test_the_default_set_works_as_the_public_images_do_and_a_second_run_changes_nothing(bare: PrivateEngine) -> None:
    assert set(make(bare.host, "--missing").stdout.split()) == set(EXPECTED)
    done = make(bare.host)
    assert done.returncode == 0, done.stderr
    check(bare.api, EXPECTED)
    before = {image: bare.api.inspect_image(image)["Id"] for image in EXPECTED}
    again = make(bare.host)
    assert (again.returncode, again.stdout) == (0, ""), "a second run has nothing to do"
    assert before == {image: bare.api.inspect_image(image)["Id"] for image in EXPECTED}


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.timeout(3000)
def test_the_images_that_are_made_by_name_work_as_the_public_ones_do(bare: PrivateEngine) -> None:
    done = make(bare.host, *EXPECTED_BY_NAME)
    assert done.returncode == 0, done.stderr
    check(bare.api, EXPECTED_BY_NAME)


@pytest.mark.engine
def test_an_image_that_exists_is_left_only(bare: PrivateEngine) -> None:
    bare.import_tiny("debian:bookworm-slim")
    before = bare.api.inspect_image("debian:bookworm-slim")["Id"]
    assert make(bare.host, "--missing", "python:3.11-slim").stdout.split() == ["python:3.11-slim"]
    assert make(bare.host, "debian:bookworm-slim").returncode == 0
    assert bare.api.inspect_image("debian:bookworm-slim")["Id"] == before


@pytest.mark.engine
def test_the_images_that_one_is_built_from_are_made_before_it(bare: PrivateEngine) -> None:
    names = make(bare.host, "--missing", "oven/bun:1").stdout.split()
    assert sorted(names[:-2]) == ["debian:bookworm-slim", "debian:trixie-slim", "node:22-slim"]
    assert names[-2:] == ["oven/bun:1-slim", "oven/bun:1"]
    assert names.index("debian:bookworm-slim") < names.index("node:22-slim")


@pytest.mark.engine
def test_a_build_that_fails_is_reported_with_the_end_of_its_log(bare: PrivateEngine) -> None:
    bare.import_tiny("debian:bookworm-slim")  # it has no apt-get
    done = make(bare.host, "python:3.11-slim")
    assert done.returncode == 1
    assert "apt-get: not found" in done.stderr
    assert "Traceback" not in done.stderr
    assert bare.api.images("python") == []


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry that the shared engine reaches."""
    started = Registry(tmp_path).start()
    yield started
    started.kill()


@pytest.mark.engine
def test_a_name_that_a_registry_has_is_never_made(
    registry: Registry, docker_api: APIClient, unique: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    from base_images.registries import without_pullable

    name = unique()
    pullable, absent, silent = (f"{host}/{name}:1" for host in (registry.host, registry.host + "/none", "127.0.0.1:1"))
    import_tiny_image(docker_api, pullable)
    try:
        for line in docker_api.push(pullable, stream=True, decode=True):
            assert "error" not in line, line
    finally:
        docker_api.remove_image(pullable)
    assert without_pullable([pullable, absent, silent]) == [absent, silent]


def test_every_name_in_a_dockerfile_is_made_here_and_every_file_is_part_of_the_recipes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    from base_images.catalog import DEFAULT, RECIPES

    assert set(DEFAULT) == set(EXPECTED)
    assert set(EXPECTED_BY_NAME) <= set(RECIPES)
    for recipe in RECIPES.values():
        assert recipe.parents <= set(RECIPES)
        for file in recipe.files:
            assert (PROGRAM.parent / "base_images" / "files" / file).is_file()


def test_the_documentation_describes_every_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    from base_images.catalog import RECIPES

    text = (ROOT / "docs" / "base-images.md").read_text()
    assert [name for name in RECIPES if f"`{name}`" not in text] == []


@pytest.mark.integration
def test_the_scripts_inside_the_images_have_no_findings_of_shellcheck() -> None:
    if shutil.which("shellcheck") is None:
        cannot_run("shellcheck is missing: apt-get install shellcheck")
    folder = PROGRAM.parent / "base_images" / "files"
    files = [file for file in folder.iterdir() if file.read_text().startswith("#!/bin/sh")]
    done = subprocess.run(["shellcheck", *map(str, files)], capture_output=True, text=True, check=False)
    assert files
    assert done.returncode == 0, done.stdout


def test_without_an_engine_it_says_so_and_makes_nothing(tmp_path: Path) -> None:
    done = make(f"unix://{tmp_path}/none.sock")
    assert done.returncode == 1
    assert "no answer from the engine" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_without_a_recipe_is_rejected() -> None:
    done = make("unix:///nowhere", "alpine:3")
    assert done.returncode == 2
    assert "no recipe for alpine:3" in done.stderr
