"""Django in an image: gunicorn or daphne in place of `runserver`, with the static files that `runserver` serves."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from container_kit.stages.artifacts.analysis import Variable
from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word
from container_kit.stages.ecosystems.facets.generation.start_command import listening
from container_kit.stages.ecosystems.python.requirements import declares

STATIC = "serve_django"
_PLACEHOLDERS = (
    (re.compile(r"DATABASE_URL|DB_URL|DATABASE_URI|_DSN"), "sqlite:////tmp/build.sqlite3"),
    (re.compile(r"REDIS|BROKER"), "redis://localhost:6379/0"),
    (re.compile(r"URL|URI"), "http://localhost"),
    (re.compile(r"PORT"), "8000"),
    (re.compile(r"DEBUG|USE_|ENABLE|_SSL|_TLS"), "0"),
    (re.compile(r"HOSTS?$|ORIGINS?$"), "localhost"),
)
"""Values with which settings can be imported while the image is built; none of them reaches the image."""
_HOSTS = """
    # The application of the project, which also answers to the names of this machine.
    from {module} import application
    from django.conf import settings
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "localhost", "127.0.0.1"]
"""
_PLAIN_HTTP = """
    from django.middleware.security import SecurityMiddleware
    redirect = SecurityMiddleware.process_request
    def redirect_others(self, request):
        local = request.get_host().partition(":")[0] in ("localhost", "127.0.0.1")
        return None if local else redirect(self, request)
    SecurityMiddleware.process_request = redirect_others
"""
"""The names of this machine have no certificate to redirect to."""
_WSGI = """
    from django.contrib.staticfiles import finders
    from whitenoise import WhiteNoise
    url = settings.STATIC_URL or ""
    if "django.contrib.staticfiles" in settings.INSTALLED_APPS and "://" not in url:
        application = WhiteNoise(application)
        for finder in finders.get_finders():
            for path, storage in finder.list([]):
                name = "/".join(filter(None, (url.strip("/"), getattr(storage, "prefix", None), path)))
                application.add_file_to_dictionary("/" + name.replace(chr(92), "/"), storage.path(path))
"""
_ASGI = """
    from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
    application = ASGIStaticFilesHandler(application)
"""


@dataclass(frozen=True, slots=True)
class DjangoServing:
    """The server of a Django project, with a module that adds the static files."""

    arguments: tuple[str, ...]
    requirements: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    reasons: tuple[Reason, ...]


def static_files(app: App, arguments: tuple[str, ...], port: int) -> DjangoServing | None:
    """Return how a project is served whose start is `runserver`, or gunicorn without static files; None for others."""
    developing = "runserver" in arguments
    declared = _wsgi_target(arguments)
    if not developing and not declared:
        return None
    manage = next((word for word in arguments if word.endswith("manage.py")), app.module.entrypoint.value or "")
    folder = manage.rpartition("/")[0] if manage.endswith("manage.py") else ""
    asynchronous = developing and _is_asynchronous(app)
    module = declared or _server_module(app, folder, "asgi" if asynchronous else "wsgi")
    if module is None:
        return None
    serves_itself = "whitenoise" in settings_text(app).lower()
    target = f"{STATIC}:application"
    static = "" if serves_itself else _ASGI if asynchronous else _WSGI
    plain = _PLAIN_HTTP if "SECURE_SSL_REDIRECT" in settings_text(app) else ""
    parts = (dedent(_HOSTS).format(module=module), dedent(plain), dedent(static))
    text = "\n".join(part.strip() for part in parts if part) + "\n"
    if developing:
        arguments = _server(folder, target, port, asynchronous=asynchronous)
    else:
        arguments = tuple(target if _wsgi_target((word,)) else word for word in arguments)
    needs_whitenoise = not serves_itself and not asynchronous and not declares(app, "whitenoise")
    return DjangoServing(
        arguments,
        ("whitenoise>=6",) if needs_whitenoise else (),
        ((f"{STATIC}.py", text),),
        tuple(_reasons(developing, serves_itself)),
    )


def _reasons(developing: bool, serves_itself: bool) -> list[Reason]:
    reasons = []
    if developing:
        reasons.append(Reason(decision="no runserver", rationale="it is a server for development"))
    if not serves_itself:
        rationale = "only runserver serves static files; the style sheet of /admin/ is one"
        reasons.append(Reason(decision="static files served next to the application", rationale=rationale))
    return reasons


def _wsgi_target(arguments: tuple[str, ...]) -> str | None:
    """Return the WSGI module that a command of gunicorn names."""
    for word in arguments:
        if match := re.fullmatch(r"([\w.]+\.wsgi)(?::application)?", word):
            return match[1]
    return None


def _server(folder: str, target: str, port: int, *, asynchronous: bool) -> tuple[str, ...]:
    if asynchronous:
        return listening(("daphne", target), port)
    return listening(("gunicorn", target, *((f"--chdir={folder}",) if folder else ())), port)


def _server_module(app: App, folder: str, kind: str) -> str | None:
    """Return the dotted name of the module next to the settings, as seen from the folder of `manage.py`."""
    base = app.inside(folder) if folder else app.inside("")
    base = base.strip("/").removeprefix("./")
    prefix = f"{base}/" if base and base != "." else ""
    found = [path for depth in ("*", "*/*", "*/*/*") for path in app.tree.files(f"{prefix}{depth}/{kind}.py")]
    if not found:
        return None
    return found[0].removeprefix(prefix).removesuffix(".py").replace("/", ".")


def _is_asynchronous(app: App) -> bool:
    return declares(app, "channels") and "ASGI_APPLICATION" in settings_text(app)


def settings_text(app: App) -> str:
    """Return the text of all settings modules of a project."""
    prefix = "" if app.module.path == "." else f"{app.module.path}/"
    patterns = (
        "settings.py",
        "*/settings.py",
        "*/*/settings.py",
        "*/settings/*.py",
        "*/*/settings/*.py",
        "settings/*.py",
    )
    paths = dict.fromkeys(path for pattern in patterns for path in app.tree.files(f"{prefix}{pattern}"))
    return "\n".join(app.tree.text(path) or "" for path in list(paths)[:20])


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
