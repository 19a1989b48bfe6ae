"""Python applications as strangers write them: what starts them, what is added, and what their image keeps."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from container_kit.stages.analyze.analysis import analyze
from container_kit.stages.artifacts.dockerfile import Dockerfile, DockerfileOptions
from container_kit.stages.dockerfile.generate.plan import plan
from container_kit.stages.ecosystems.facets.generation.base_images import Availability, BasePolicy
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree

_IMAGES = Availability(frozenset(f"python:3.{minor}-slim" for minor in (11, 12, 13, 14)), {}, known=True)
_FLASK = "from flask import Flask\napp = Flask(__name__)\n"
_DJANGO = {
    "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\nimport django\n",
    "shop/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
    "shop/settings.py": "DATABASES = {'default': {'NAME': BASE_DIR / 'db.sqlite3'}}\n",
}


def generate(folder: Path, files: dict[str, str | bytes], available: Availability = _IMAGES) -> Dockerfile:
    """Return the Dockerfile of a tree of these files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    analysis = analyze(folder)
    module = analysis.modules[0].path
    return plan(analysis, module, ContextTree(folder), DockerfileOptions(), BasePolicy()).dockerfile(available)


def command(dockerfile: Dockerfile) -> list[str]:
    """Return the arguments of CMD."""
    words: list[str] = json.loads(re.findall(r"^CMD (.*)$", dockerfile.content, re.MULTILINE)[-1])
    return words


def base(dockerfile: Dockerfile) -> str:
    """Return the base image of the last stage."""
    return re.findall(r"^FROM (\S+)$", dockerfile.content, re.MULTILINE)[-1]


# Servers


@pytest.mark.parametrize(
    ("files", "start"),
    [
        ({"app.py": f"{_FLASK}if __name__ == '__main__':\n    app.run(debug=True)\n"}, "gunicorn app:app"),
        ({"app.py": f"{_FLASK}if __name__ == '__main__':\n    app.run(host='0.0.0.0')\n"}, "gunicorn app:app"),
        ({"app.py": _FLASK}, "gunicorn app:app"),
        ({"shop/__init__.py": "from flask import Flask\ndef create_app():\n    return Flask(__name__)\n"},
            "gunicorn shop:create_app()"),
        ({"app.py": _FLASK, "Procfile": "web: gunicorn app:app"}, "gunicorn app:app"),
    ],
)  # fmt: skip
def test_flask_is_served_by_gunicorn_with_threads(tmp_path: Path, files: dict[str, str], start: str) -> None:
    dockerfile = generate(tmp_path, {"requirements.txt": "flask\n", **files})
    assert " ".join(command(dockerfile)).startswith(start)
    assert "--threads=8" in command(dockerfile)
    assert '"gunicorn>=20"' in dockerfile.content


@pytest.mark.parametrize("chosen", ["-k gevent", "--threads 2", "--worker-class=gthread", "-c conf.py"])
def test_a_chosen_kind_of_worker_is_kept(tmp_path: Path, chosen: str) -> None:
    files = {"requirements.txt": "flask\ngunicorn\n", "app.py": _FLASK, "Procfile": f"web: gunicorn {chosen} app:app"}
    assert "--threads=8" not in command(generate(tmp_path, files))


def test_a_script_that_prepares_something_runs_whole_and_reachable(tmp_path: Path) -> None:
    main = "if __name__ == '__main__':\n    db.create_all()\n    app.run(debug=True)\n"
    dockerfile = generate(tmp_path, {"requirements.txt": "flask\n", "app.py": f"{_FLASK}{main}"})
    assert command(dockerfile) == ["python", "/opt/venv/serve/run_script.py", "app.py"]
    assert "waitress.serve(app" in dockerfile.content
    assert '"waitress>=2"' in dockerfile.content


@pytest.mark.parametrize(
    "source",
    [
        "from aiohttp import web\nif __name__ == '__main__':\n    web.run_app(make(), host='localhost', port=8081)\n",
        "from http.server import HTTPServer\nHTTPServer(('127.0.0.1', 8081), Handler).serve_forever()\n",
        "from bottle import route, run\nrun(host='localhost', port=8081)\n",
    ],
)
def test_a_server_on_the_loopback_address_is_bound_to_every_address(tmp_path: Path, source: str) -> None:
    dockerfile = generate(tmp_path, {"requirements.txt": "aiohttp\nbottle\n", "main.py": source})
    assert command(dockerfile)[1] == "/opt/venv/serve/run_script.py"


def test_a_script_that_can_be_reached_is_started_as_it_is(tmp_path: Path) -> None:
    source = "from aiohttp import web\nif __name__ == '__main__':\n    web.run_app(make(), port=8081)\n"
    assert command(generate(tmp_path, {"requirements.txt": "aiohttp\n", "main.py": source})) == ["python", "main.py"]


def test_runserver_becomes_gunicorn_with_the_static_files_of_the_applications(tmp_path: Path) -> None:
    dockerfile = generate(tmp_path, {"requirements.txt": "django\n", **_DJANGO})
    assert command(dockerfile)[:2] == ["gunicorn", "serve_django:application"]
    assert "from shop.wsgi import application" in dockerfile.content
    assert '"whitenoise>=6"' in dockerfile.content
    assert "collectstatic" not in dockerfile.content


def test_a_project_with_whitenoise_serves_its_static_files_itself_after_they_are_collected(tmp_path: Path) -> None:
    settings = "STATIC_ROOT = 'static'\nMIDDLEWARE = ['whitenoise.middleware.WhiteNoiseMiddleware']\n"
    settings += "SECRET_KEY = os.environ['SECRET_KEY']\n"
    dockerfile = generate(
        tmp_path, {"requirements.txt": "django\nwhitenoise\n", **_DJANGO, "shop/settings.py": settings}
    )
    assert re.search(r"SECRET_KEY=\S+ python manage.py collectstatic --noinput", dockerfile.content)
    assert "add_file_to_dictionary" not in dockerfile.content


def test_files_that_the_entry_point_imports_by_their_bare_names_are_found(tmp_path: Path) -> None:
    source = "from fastapi import FastAPI\nfrom database import engine\napp = FastAPI()\n"
    files = {"requirements.txt": "fastapi\n", "app/main.py": source, "app/database.py": "engine = 1\n"}
    assert "PYTHONPATH=/app/app " in generate(tmp_path, files).content


def test_a_redirection_to_https_does_not_hold_on_this_machine(tmp_path: Path) -> None:
    settings = "SECURE_SSL_REDIRECT = True\n"
    content = generate(tmp_path, {"requirements.txt": "django\n", **_DJANGO, "shop/settings.py": settings}).content
    assert "SecurityMiddleware.process_request = redirect_others" in content


# Interpreter and packages


@pytest.mark.parametrize(
    ("requirement", "image"),
    [
        ("numpy==1.24.4", "python:3.11-slim"),
        ("pandas==2.1.4", "python:3.12-slim"),
        ("Django==3.2.25", "python:3.11-slim"),
        ("pydantic==2.5.0", "python:3.12-slim"),
        ("bottle==0.12.25", "python:3.12-slim"),
        ("numpy==2.2.0", "python:3.13-slim"),
        ("numpy>=1.24", "python:3.13-slim"),
    ],
)
def test_the_interpreter_is_one_that_pinned_packages_work_with(tmp_path: Path, requirement: str, image: str) -> None:
    assert base(generate(tmp_path, {"requirements.txt": f"flask\n{requirement}\n", "app.py": _FLASK})) == image


def test_a_version_of_python_without_an_image_is_replaced_by_the_next_one(tmp_path: Path) -> None:
    files = {"requirements.txt": "flask\n", "app.py": _FLASK, "runtime.txt": "python-3.9.18\n"}
    dockerfile = generate(tmp_path, files)
    assert base(dockerfile) == "python:3.11-slim"
    assert any("python:3.9-slim is neither on the engine" in reason.rationale for reason in dockerfile.reasons)


@pytest.mark.parametrize("line", ["pywin32==306", "pkg_resources==0.0.0", "python-apt==2.4.0", "pywinpty>=2"])
def test_packages_of_another_system_are_left_out(tmp_path: Path, line: str) -> None:
    dockerfile = generate(tmp_path, {"requirements.txt": f"flask\n{line}\n", "app.py": _FLASK})
    name = re.split("[=>]", line)[0]
    assert f"sed -i -E '/^ *({name}) *" in dockerfile.content
    assert any(f"no such packages: {name}" in reason.rationale for reason in dockerfile.reasons)


@pytest.mark.parametrize("line", ["pywin32-ctypes==0.2", "colorama==0.4.6", "pywin32==306; sys_platform == 'win32'"])
def test_other_packages_and_those_with_a_marker_stay(tmp_path: Path, line: str) -> None:
    content = generate(tmp_path, {"requirements.txt": f"flask\n{line}\n", "app.py": _FLASK}).content
    assert "pywin32-ctypes)" not in content
    assert "colorama)" not in content


def test_paths_of_the_machine_that_froze_the_requirements_are_removed(tmp_path: Path) -> None:
    frozen = "Flask @ file:///home/conda/feedstock_root/flask_1/work\n"
    assert "s/ *@ *file:.*//" in generate(tmp_path, {"requirements.txt": frozen, "app.py": _FLASK}).content


def test_requirements_in_utf_16_are_read(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"requirements.txt": "flask\r\ngunicorn\r\n".encode("utf-16"), "app.py": _FLASK}
    assert '"gunicorn>=20"' not in generate(tmp_path, files).content


@pytest.mark.parametrize(
    "manifest",
    [
        {"requirements.txt": "flask\ngit+https://example.org/shop.git@v1\n"},
        {"requirements.txt": "flask\nshop @ git+https://example.org/shop.git\n"},
        {"Pipfile": '[packages]\nflask = "*"\nshop = {git = "https://example.org/shop.git"}\n'},
    ],
)
def test_a_requirement_from_a_repository_brings_git_into_the_build_stage(
    tmp_path: Path, manifest: dict[str, str]
) -> None:
    stages = generate(tmp_path, {**manifest, "app.py": _FLASK}).content.split("\nFROM ")
    assert re.search(r"apt-get install .*\bgit\b", stages[1])
    assert "apt-get" not in stages[2]


# Lock files


def test_a_stale_poetry_lock_is_renewed_and_named(tmp_path: Path) -> None:
    lock = 'package = []\n[metadata]\nlock-version = "2.0"\ncontent-hash = "0"\n'
    files = {"pyproject.toml": '[tool.poetry]\n[tool.poetry.dependencies]\npython = "^3.11"\nflask = "*"\n',
        "poetry.lock": lock, "app.py": _FLASK}  # fmt: skip
    dockerfile = generate(tmp_path, files)
    assert "poetry lock" in dockerfile.content
    assert any("poetry.lock is out of date" in reason.rationale for reason in dockerfile.reasons)


def test_a_fresh_poetry_lock_is_kept(tmp_path: Path) -> None:
    dependencies = {"python": "^3.11", "flask": "*"}
    relevant = {"dependencies": dependencies, "source": None, "extras": None, "dev-dependencies": None}
    checksum = hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()
    files = {"pyproject.toml": '[tool.poetry]\n[tool.poetry.dependencies]\npython = "^3.11"\nflask = "*"\n',
        "poetry.lock": f'package = []\n[metadata]\ncontent-hash = "{checksum}"\n', "app.py": _FLASK}  # fmt: skip
    assert "poetry lock" not in generate(tmp_path, files).content


@pytest.mark.parametrize(("specifier", "kept"), [(">=3", True), (">=2", False)])
def test_uv_keeps_to_its_lock_only_if_the_lock_agrees(tmp_path: Path, specifier: str, kept: bool) -> None:
    lock = (
        'version = 1\nrequires-python = ">=3.11"\n[[package]]\nname = "shop"\nsource = { virtual = "." }\n'
        f'[package.metadata]\nrequires-dist = [{{ name = "flask", specifier = "{specifier}" }}]\n'
    )
    project = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["flask>=3"]\n'
    content = generate(tmp_path, {"pyproject.toml": project, "uv.lock": lock, "app.py": _FLASK}).content
    assert ("--locked" in content) is kept
    assert 'uv pip install --python /opt/venv/bin/python "gunicorn>=20"' in content


def test_a_pipfile_for_another_python_is_installed_by_pip(tmp_path: Path) -> None:
    pipfile = '[packages]\nflask = "*"\n[requires]\npython_version = "3.9"\n'
    content = generate(tmp_path, {"Pipfile": pipfile, "app.py": _FLASK}).content
    assert "pipenv" not in content
    assert "pip install -r /tmp/requirements.txt" in content


# State and release


def test_a_database_among_the_code_lies_on_a_volume(tmp_path: Path) -> None:
    source = f"import sqlite3\n{_FLASK}db = sqlite3.connect('data.db')\n"
    content = generate(tmp_path, {"requirements.txt": "flask\n", "app.py": source}).content
    assert 'VOLUME ["/data"]' in content
    assert "ln -sf /data/data.db /app/data.db" in content
    assert 'io.container-kit.writable="/app"' in content
    assert "COPY --chown=10001:10001 . ." in content


@pytest.mark.parametrize(
    ("line", "volume"),
    [
        ("app.config['UPLOAD_FOLDER'] = 'uploads'", "/app/uploads"),
        ("UPLOAD_DIR = os.path.join(basedir, 'static/uploads')", "/app/static/uploads"),
        ("engine = create_engine('sqlite:///./storage/app.db')", "/app/storage"),
        ("engine = create_engine('sqlite:////var/lib/shop/app.db')", "/var/lib/shop"),
    ],
)
def test_uploads_and_databases_in_their_own_folder_lie_on_a_volume(tmp_path: Path, line: str, volume: str) -> None:
    source = f"import os\nbasedir = os.path.dirname(__file__)\n{_FLASK}{line}\n"
    content = generate(tmp_path, {"requirements.txt": "flask\n", "app.py": source}).content
    assert f'"{volume}"' in re.findall(r"^VOLUME (.*)$", content, re.MULTILINE)[0]


def test_an_application_that_writes_nothing_gets_no_writable_folder(tmp_path: Path) -> None:
    content = generate(tmp_path, {"requirements.txt": "flask\n", "app.py": _FLASK}).content
    assert "VOLUME" not in content
    assert "LABEL" not in content


@pytest.mark.parametrize(
    ("files", "release"),
    [
        (_DJANGO | {"requirements.txt": "django\n"}, ["python", "manage.py", "migrate", "--noinput"]),
        ({"requirements.txt": "fastapi\nalembic\n", "alembic.ini": "",
            "main.py": "from fastapi import FastAPI\napp = FastAPI()\n"},
            ["alembic", "upgrade", "head"]),
        ({"requirements.txt": "flask\nflask-migrate\n", "app.py": _FLASK, "migrations/env.py": ""},
            ["flask", "--app", "app", "db", "upgrade"]),
        ({"requirements.txt": "flask\n", "app.py": _FLASK, "Procfile": "web: gunicorn app:app\nrelease: flask init-db"},
            ["flask", "init-db"]),
    ],
)  # fmt: skip
def test_migrations_are_the_release_command(tmp_path: Path, files: dict[str, str], release: list[str]) -> None:
    content = generate(tmp_path, files).content
    label = re.search(r'io\.container-kit\.release="(.*)"$', content, re.MULTILINE)
    assert label
    assert json.loads(label[1].replace('\\"', '"')) == release


def test_a_start_script_finds_the_tool_that_it_calls(tmp_path: Path) -> None:
    files = {"requirements.txt": "flask\ngunicorn\n", "app.py": _FLASK, "Procfile": "web: ./run.sh",
        "run.sh": "#!/bin/sh\nexec uv run gunicorn --bind 0.0.0.0:9000 app:app\n"}  # fmt: skip
    dockerfile = generate(tmp_path, files)
    assert command(dockerfile) == ["sh", "run.sh"]
    assert dockerfile.port == 9000
    assert "chmod +x /opt/venv/serve/uv" in dockerfile.content
    assert "PATH=/opt/venv/serve:/opt/venv/bin:$PATH" in dockerfile.content
