"""Variables that Python code requires, and what may stand in for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from container_kit.stages.analyze.analysis import analyze
from container_kit.stages.artifacts.analysis import Variable


def variables(folder: Path, source: str, **others: str) -> dict[str, Variable]:
    """Return the variables of a Flask application by name."""
    (folder / "requirements.txt").write_text("flask\n")
    (folder / "app.py").write_text(f"from flask import Flask\napp = Flask(__name__)\n{source}\n")
    for name, text in others.items():
        (folder / name.replace("_example", ".example").replace("env", ".env")).write_text(text)
    return {variable.name: variable for variable in analyze(folder).modules[0].variables}


def test_the_value_of_an_example_does_not_satisfy_the_code(tmp_path: Path) -> None:
    found = variables(tmp_path, "url = os.environ['API_URL']", env_example="API_URL=http://localhost\n")
    assert found["API_URL"].required
    assert len(found["API_URL"].locations) == 2


@pytest.mark.parametrize(
    ("line", "required"),
    [
        ("x = config('SHOP_NAME')", True),
        ("x = config('SHOP_NAME', cast=int)", True),
        ("x = config('SHOP_NAME', default='a')", False),
        ("x = config('SHOP_NAME', cast=bool, default=True)", False),
        ("x = config('SHOP_NAME', 'a')", False),
        ("x = env.int('SHOP_NAME')", True),
        ("x = env.int('SHOP_NAME', default=1)", False),
        ("env = environ.Env(SHOP_NAME=(str, 'a'))\nx = env('SHOP_NAME')", False),
    ],
)
def test_readers_of_settings_raise_without_a_default(tmp_path: Path, line: str, required: bool) -> None:
    assert variables(tmp_path, line)["SHOP_NAME"].required is required


def test_fields_of_a_settings_class_without_a_default_are_required(tmp_path: Path) -> None:
    source = (
        "from pydantic_settings import BaseSettings\n"
        "class Settings(BaseSettings):\n"
        "    stripe_api_key: str\n"
        "    shop_name: str = Field(...)\n"
        "    debug: bool = False\n"
        "    model_config = SettingsConfigDict(env_prefix='SHOP_')\n\n"
        "settings = Settings()"
    )
    found = variables(tmp_path, source)
    assert {name for name, variable in found.items() if variable.required} == {"SHOP_STRIPE_API_KEY", "SHOP_SHOP_NAME"}
    assert not found["SHOP_DEBUG"].required


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("hosts = os.environ.get('ALLOWED_HOSTS', '').split(',')", "localhost,127.0.0.1"),
        ("hosts = os.environ.get('DJANGO_ALLOWED_HOSTS').split(' ')", "localhost 127.0.0.1"),
        ("hosts = os.environ.get('DJANGO_ALLOWED_HOSTS').split()", "localhost 127.0.0.1"),
    ],
)
def test_allowed_hosts_are_suggested_as_the_code_splits_them(tmp_path: Path, line: str, value: str) -> None:
    (found,) = variables(tmp_path, line).values()
    assert found.suggested == value
