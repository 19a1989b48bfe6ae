"""Builds of Python applications that fail. See `build_cases`."""

from __future__ import annotations

from support.failures.build_cases import Provoked

PIP = "$PIP install --disable-pip-version-check --no-cache-dir --target out"
PLAIN = "PIP_CONFIG_FILE=/dev/null "
SETUP = "from setuptools import setup, Extension\n"


def project(*dependencies: str, **fields: str) -> str:
    """Return a `pyproject.toml`."""
    python = fields.pop("python", ">=3.9")
    listed = ", ".join(f'"{name}"' for name in dependencies)
    return f'[project]\nname = "shop"\nversion = "1.0"\nrequires-python = "{python}"\ndependencies = [{listed}]\n'


def extension(text: str) -> dict[str, str]:
    """Return a package whose extension includes a header."""
    return {"setup.py": SETUP + 'setup(name="x", version="1", ext_modules=[Extension("x", ["x.c"])])\n', "x.c": text}


STALE = {"pyproject.toml": project("six==1.16.0"), "new.toml": project("six==1.17.0")}
SWAP = "cp new.toml pyproject.toml"
PIPFILE = '[[source]]\nurl = "https://pypi.org/simple"\nverify_ssl = true\nname = "pypi"\n\n[packages]\nsix = "=={}"\n'
TRUST = "--trusted-host 127.0.0.1"
LOCAL = f"{PIP} --no-build-isolation ."

PIP_CASES = (
    Provoked("pip-package-missing", "build.package_not_found", f"{PIP} ck-no-such-package-zz"),
    Provoked("pip-version-missing", "build.package_version_not_found", f"{PIP} six==99.0"),
    Provoked(
        "pip-refused",
        "build.index_unreachable",
        f"{PLAIN}{PIP} --retries 1 --index-url http://127.0.0.1:9/simple {TRUST} six",
    ),
    Provoked(
        "pip-no-host",
        "build.index_unreachable",
        f"{PLAIN}{PIP} --retries 1 --index-url https://pypi.shop.invalid/simple six",
    ),
    Provoked("pip-503", "build.package_not_found", f"{PLAIN}{PIP} --retries 0 --index-url $REG/503/simple {TRUST} six"),
    Provoked("pip-401", "build.package_not_found", f"{PLAIN}{PIP} --no-input --index-url $REG/401/simple {TRUST} six"),
    Provoked("pip-403", "build.package_not_found", f"{PLAIN}{PIP} --no-input --index-url $REG/403/simple {TRUST} six"),
    Provoked("pip-conflict", "build.dependency_conflict", f"{PIP} 'urllib3<1.21' requests==2.32.3"),
    Provoked(
        "pip-hash", "build.hash_mismatch", f"{PIP} -r r.txt", {"r.txt": f"six==1.16.0 --hash=sha256:{'0' * 64}\n"}
    ),
    Provoked("pip-hash-missing", "build.hash_mismatch", f"{PIP} --require-hashes -r r.txt", {"r.txt": "six==1.16.0\n"}),
    Provoked("pip-requirement", "build.manifest_invalid", f"{PIP} -r r.txt", {"r.txt": "flask = 2\n"}),
    Provoked("pip-requirements-missing", "build.manifest_not_found", f"{PIP} -r requirements.txt"),
    Provoked("pip-no-project", "build.manifest_not_found", f"{PIP} ."),
    Provoked("pip-python", "build.runtime_unsupported", f"{PIP} .", {"pyproject.toml": project(python=">=3.99")}),
    Provoked(
        "pip-python-of-package",
        "build.package_version_not_found",
        f"{PIP} numpy==1.19.5 --only-binary :all: --python-version 3.13",
    ),
    Provoked("pip-windows", "build.platform_package", f"{PIP} -r r.txt", {"r.txt": "pywin32==306\n"}),
    Provoked("pip-windows-curses", "build.platform_package", f"{PIP} -r r.txt", {"r.txt": "windows-curses==2.3.1\n"}),
    Provoked("pip-windows-winpty", "build.platform_package", f"{PIP} -r r.txt", {"r.txt": "pywinpty==0.5.7\n"}),
    Provoked("pip-mac", "build.platform_package", f"{PIP} -r r.txt", {"r.txt": "pyobjc-core==10.1\n"}),
    Provoked(
        "pip-git-missing",
        "build.git_not_found",
        "ln -s $(command -v sh) .; env PATH=$PWD " + PIP + " git+https://github.invalid/x/x",
    ),
    Provoked("pip-git-no-host", "build.dns_failure", f"{PIP} git+https://github.invalid/x/x"),
    Provoked("pip-header", "build.library_not_found", LOCAL, extension("#include <libpq-fe.h>\n")),
    Provoked("pip-header-ffi", "build.library_not_found", LOCAL, extension("#include <ffi-zz.h>\n#include <ffi.h>\n")),
    Provoked("pip-mysql", "build.library_not_found", f"{PIP} --no-binary mysqlclient mysqlclient==2.2.4"),
    Provoked("pip-ldap", "build.library_not_found", f"{PIP} --no-binary :all: python-ldap==3.4.4"),
    Provoked("pip-compiler", "build.compiler_not_found", f"CC=gcc-zz {LOCAL}", extension("int x;\n")),
    Provoked("pip-compile", "build.compile_error", LOCAL, extension("int x = ;\n")),
    Provoked(
        "pip-setup-import",
        "build.module_not_found",
        LOCAL,
        {"setup.py": "import numpy_zz\n" + SETUP + "setup(name='x')\n"},
    ),
    Provoked(
        "pip-setup-file",
        "build.path_not_found",
        LOCAL,
        {"setup.py": SETUP + "setup(name='x', version='1', long_description=open('README.rst').read())\n"},
    ),
    Provoked(
        "pip-managed",
        "build.python_externally_managed",
        "pip3 install six",
        {},
        "apt-get update; apt-get install -y python3-pip",
        "debian:bookworm-slim",
    ),
    Provoked(
        "pip-utf16",
        "build.manifest_invalid",
        f"{PIP} -r r.txt",
        {"r.txt": "x"},
        "printf '\\377s\\000i\\000x\\000' > r.txt",
    ),
    Provoked(
        "pip-wheel",
        "build.platform_package",
        f"{PIP} ./x-1-cp27-cp27m-win_amd64.whl",
        {"x-1-cp27-cp27m-win_amd64.whl": ""},
    ),
    Provoked(
        "pip-backend",
        "build.module_not_found",
        f"{PIP} .",
        {"pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "shop_backend_zz"\n' + project()},
    ),
    Provoked("pip-toml", "build.manifest_invalid", f"{PIP} .", {"pyproject.toml": '[project\nname = "x"\n'}),
    Provoked(
        "pip-rust",
        "build.index_unreachable",
        f"PATH=$PWD/bin {PIP} --no-binary orjson orjson==3.10.0",
        {},
        "mkdir bin; ln -s $(command -v sh) $(command -v gcc) $(command -v ld) $(command -v as) bin",
    ),
    Provoked("pip-compile-tool", "build.package_not_found", "pip-compile r.in", {"r.in": "ck-no-such-package-zz\n"}),
)
UV = (
    Provoked("uv-lock-outdated", "build.lockfile_outdated", "uv sync --locked", STALE, f"uv lock; {SWAP}"),
    Provoked("uv-lock-missing", "build.lockfile_not_found", "uv sync --frozen", {"pyproject.toml": project("six")}),
    Provoked(
        "uv-lock-broken",
        "build.lockfile_invalid",
        "uv sync --frozen",
        {"pyproject.toml": project("six"), "uv.lock": "<<<<<<< HEAD\n"},
    ),
    Provoked("uv-package-missing", "build.package_not_found", "uv sync", {"pyproject.toml": project("ck-no-such-zz")}),
    Provoked(
        "uv-version-missing", "build.package_version_not_found", "uv sync", {"pyproject.toml": project("six==99.0")}
    ),
    Provoked(
        "uv-refused",
        "build.index_unreachable",
        "uv pip install --no-cache --target o --default-index http://127.0.0.1:9/simple six",
    ),
    Provoked(
        "uv-no-host",
        "build.index_unreachable",
        "uv pip install --no-cache --target o --default-index https://pypi.shop.invalid/simple six",
    ),
    Provoked(
        "uv-401", "build.index_unauthorized", "uv pip install --no-cache --target o --default-index $REG/401/simple six"
    ),
    Provoked(
        "uv-403", "build.index_unauthorized", "uv pip install --no-cache --target o --default-index $REG/403/simple six"
    ),
    Provoked(
        "uv-conflict",
        "build.dependency_conflict",
        "uv sync",
        {"pyproject.toml": project("urllib3<1.21", "requests==2.32.3")},
    ),
    Provoked("uv-python", "build.runtime_unsupported", "uv sync", {"pyproject.toml": project(python=">=3.99")}),
    Provoked(
        "uv-python-missing",
        "build.runtime_unsupported",
        "uv sync --python 3.99 --no-python-downloads",
        {"pyproject.toml": project()},
    ),
    Provoked("uv-no-project", "build.manifest_not_found", "uv sync"),
    Provoked("uv-toml", "build.manifest_invalid", "uv sync", {"pyproject.toml": '[project\nname = "x"\n'}),
    Provoked("uv-windows", "build.platform_package", "uv pip install --target o pywin32==306"),
    Provoked("uv-requirements-missing", "build.manifest_not_found", "uv pip install --target o -r requirements.txt"),
    Provoked(
        "uv-workspace",
        "build.workspace_package_not_found",
        "uv sync",
        {"pyproject.toml": project("prices") + "[tool.uv.sources]\nprices = { workspace = true }\n"},
    ),
    Provoked(
        "uv-build",
        "build.package_build_failed",
        "uv pip install --target o --no-build-isolation .",
        {"setup.py": "raise SystemExit('no version')\n"},
    ),
    Provoked("uv-run-script", "build.command_not_found", "uv run --no-project ck-serve-zz"),
)
POETRY_OLD = '[tool.poetry]\nname = "shop"\nversion = "1.0"\ndescription = ""\nauthors = []\npackage-mode = false\n\n[tool.poetry.dependencies]\npython = "{}"\n{}\n'
POETRY_FILES = {
    "pyproject.toml": POETRY_OLD.format(">=3.9", 'six = "1.16.0"'),
    "new.toml": POETRY_OLD.format(">=3.9", 'six = "1.17.0"'),
}
PDM = "PDM_CHECK_UPDATE=0 pdm"
MANAGERS = (
    Provoked(
        "poetry-lock-outdated", "build.lockfile_outdated", "poetry install -n", POETRY_FILES, f"poetry lock -n; {SWAP}"
    ),
    Provoked(
        "poetry2-lock-outdated",
        "build.lockfile_outdated",
        "poetry install -n --no-root",
        STALE,
        f"poetry lock -n; {SWAP}",
    ),
    Provoked(
        "poetry-sync-no-lock",
        "build.lockfile_not_found",
        "poetry check --lock",
        {"pyproject.toml": POETRY_FILES["new.toml"]},
    ),
    Provoked(
        "poetry-package-missing",
        "build.package_not_found",
        "poetry install -n",
        {"pyproject.toml": POETRY_OLD.format(">=3.9", 'ck-no-such-zz = "*"')},
    ),
    Provoked(
        "poetry-version-missing",
        "build.package_version_not_found",
        "poetry install -n",
        {"pyproject.toml": POETRY_OLD.format(">=3.9", 'six = "99.0"')},
    ),
    Provoked(
        "poetry-conflict",
        "build.dependency_conflict",
        "poetry install -n",
        {"pyproject.toml": POETRY_OLD.format(">=3.9", 'urllib3 = "<1.21"\nrequests = "2.32.3"')},
    ),
    Provoked(
        "poetry-python",
        "build.runtime_unsupported",
        "poetry install -n",
        {"pyproject.toml": POETRY_OLD.format(">=3.99", "")},
    ),
    Provoked("poetry-no-project", "build.manifest_not_found", "poetry install -n"),
    Provoked(
        "poetry-toml", "build.manifest_invalid", "poetry install -n", {"pyproject.toml": '[tool.poetry\nname = "x"\n'}
    ),
    Provoked(
        "poetry-root",
        "build.project_not_installable",
        "poetry install -n",
        {
            "pyproject.toml": project()
            + '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
        },
        "poetry lock -n",
    ),
    Provoked(
        "poetry-refused",
        "build.index_unreachable",
        "timeout 60 poetry install -n",
        {
            "pyproject.toml": POETRY_OLD.format(">=3.9", 'six = "1.16.0"')
            + '\n[[tool.poetry.source]]\nname = "shop"\nurl = "http://127.0.0.1:9/simple"\npriority = "primary"\n'
        },
    ),
    Provoked(
        "poetry-401",
        "build.package_version_not_found",
        "poetry install -n",
        {
            "pyproject.toml": POETRY_OLD.format(">=3.9", 'six = "1.16.0"')
            + '\n[[tool.poetry.source]]\nname = "shop"\nurl = "$REG/401/simple"\npriority = "primary"\n'
        },
        'sed -i "s#.REG#$REG#" pyproject.toml',
    ),
    Provoked(
        "poetry-windows",
        "build.platform_package",
        "poetry install -n",
        {"pyproject.toml": POETRY_OLD.format(">=3.9", 'pywin32 = "306"')},
        "poetry lock -n",
    ),
    Provoked(
        "pdm-lock-missing",
        "build.lockfile_not_found",
        f"{PDM} install --frozen-lockfile --no-self",
        {"pyproject.toml": project("six")},
    ),
    Provoked(
        "pdm-sync-no-lock", "build.lockfile_not_found", f"{PDM} sync --no-self", {"pyproject.toml": project("six")}
    ),
    Provoked(
        "pipenv-lock-outdated",
        "build.lockfile_outdated",
        "pipenv install --deploy",
        {"Pipfile": PIPFILE.format("1.16.0"), "new.toml": PIPFILE.format("1.17.0")},
        "pipenv lock; cp new.toml Pipfile",
    ),
    Provoked("pipenv-lock-missing", "build.lockfile_not_found", "pipenv sync", {"Pipfile": PIPFILE.format("1.16.0")}),
    Provoked(
        "pipenv-package-missing",
        "build.package_not_found",
        "pipenv lock",
        {"Pipfile": PIPFILE.replace("six", "ck-no-such-zz").format("1")},
    ),
    Provoked(
        "pipenv-python",
        "build.runtime_unsupported",
        "pipenv install --deploy",
        {"Pipfile": PIPFILE.format("1.16.0") + '\n[requires]\npython_version = "3.99"\n'},
    ),
    Provoked("pipenv-toml", "build.manifest_invalid", "pipenv install", {"Pipfile": "[packages\nsix\n"}),
)
RUNS = (
    Provoked("python-module", "build.module_not_found", "$PY build.py", {"build.py": "import flask_zz\n"}),
    Provoked(
        "python-variable",
        "build.variable_not_found",
        "$PY build.py",
        {"build.py": "import os\nos.environ['SECRET_KEY']\n"},
    ),
    Provoked("python-syntax", "build.source_syntax", "$PY build.py", {"build.py": "def f(:\n"}),
    Provoked("python-exception", "build.program_failed", "$PY build.py", {"build.py": "print({}['a'].b)\n"}),
    Provoked("python-file", "build.path_not_found", "$PY scripts/build.py"),
    Provoked("python-open", "build.path_not_found", "$PY b.py", {"b.py": "open('data/prices.json')\n"}),
    Provoked(
        "pytest-fails",
        "build.tests_failed",
        "$PY -m pytest -q",
        {"test_a.py": "def test_a():\n    assert 1 == 2\n"},
        "",
    ),
    Provoked(
        "unittest",
        "build.tests_failed",
        "$PY -m unittest",
        {
            "test_a.py": "import unittest\nclass A(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(1, 2)\n"
        },
    ),
    Provoked(
        "decouple",
        "build.variable_not_found",
        "PYTHONPATH=out $PY b.py",
        {"b.py": "from decouple import config\nconfig('STRIPE_KEY')\n"},
        f"{PIP} python-decouple",
    ),
    Provoked(
        "environs",
        "build.variable_not_found",
        "PYTHONPATH=out $PY b.py",
        {"b.py": "from environs import Env\nEnv().str('STRIPE_KEY')\n"},
        f"{PIP} environs",
    ),
    Provoked(
        "pydantic-settings",
        "build.variable_not_found",
        "PYTHONPATH=out $PY b.py",
        {"b.py": "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    stripe_key: str\nS()\n"},
        f"{PIP} pydantic-settings",
    ),
    Provoked(
        "mypy-check", "build.lint_failed", "PYTHONPATH=out $PY -m mypy a.py", {"a.py": "x: int = 'a'\n"}, f"{PIP} mypy"
    ),
    Provoked("ruff-check", "build.lint_failed", "out/bin/ruff check a.py", {"a.py": "import os\n"}, f"{PIP} ruff"),
)
