"""Steps of a Python image in addition to its packages: collected static files, and safe variables."""

from __future__ import annotations

from container_kit.stages.artifacts.analysis import Variable
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word
from container_kit.stages.ecosystems.python.django_serving import settings_text

_BY_FRAMEWORK = {
    "gradio": {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_ANALYTICS_ENABLED": "False"},  # noqa: S104 - a container
    "streamlit": {"STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"},
    "panel": {"BOKEH_ALLOW_WS_ORIGIN": "*"},
}
"""Variables with which a framework listens on every address, and opens its socket on every public port."""
_PLACEHOLDERS = (
    (re.compile(r"DATABASE_URL|DB_URL|DATABASE_URI|_DSN"), "sqlite:////tmp/build.sqlite3"),
    (re.compile(r"REDIS|BROKER"), "redis://localhost:6379/0"),
    (re.compile(r"URL|URI"), "http://localhost"),
    (re.compile(r"PORT"), "8000"),
    (re.compile(r"DEBUG|USE_|ENABLE|_SSL|_TLS"), "0"),
    (re.compile(r"HOSTS?$|ORIGINS?$"), "localhost"),
)
"""Values with which settings can be imported while the image is built; none of them reaches the image."""


def default_variables(app: App) -> dict[str, str]:
    """Return the variables that a framework needs to be reached."""
    return dict(_BY_FRAMEWORK.get(app.framework, {}))


def collect_static(app: App) -> str:
    """Return the command that collects Django's static files; empty if the settings name no folder for them."""
    manage = app.module.entrypoint.value or ""
    if app.framework != "django" or not manage.endswith("manage.py"):
        return ""
    if not re.search(r"^\s*STATIC_ROOT\s*=", settings_text(app), re.MULTILINE):
        return ""
    values = {v.name: _placeholder(v) for v in app.module.variables if v.default is None and v.name.isidentifier()}
    assigned = " ".join(f"{name}={value}" for name, value in sorted(values.items()))
    command = f"python {shell_word(manage)} collectstatic --noinput"
    return f"{assigned} {command}" if assigned else command


def _placeholder(variable: Variable) -> str:
    return next((value for sign, value in _PLACEHOLDERS if sign.search(variable.name)), "only-for-the-build")
