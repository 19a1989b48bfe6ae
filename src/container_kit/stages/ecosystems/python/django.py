"""Django: its `manage.py`, and the servers that run its WSGI and ASGI modules."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder


def django_manage(folder: Folder) -> str | None:
    """Return the outermost `manage.py` that is Django's, looking two folders deep."""
    for path in folder.files("manage.py", limit=5, depth=3):
        if path.rpartition("/")[2] == "manage.py" and "django" in folder.source(path).lower():
            return path
    return None


def describe_django(folder: Folder, draft: ModuleDraft, manage: str) -> None:
    """Claim the framework, what starts it and where it listens, by its `manage.py`."""
    place = folder.place(manage, "DJANGO_SETTINGS_MODULE")
    draft.framework.add("django", "code", place, draft.dependencies.get("django"), confidence=0.985)
    draft.entrypoint.add(manage, "code", place)
    claim_django_server(folder, draft, manage)
    draft.release.add(f"python {manage} migrate --noinput", "framework", place, confidence=0.8)
    draft.start.add(f"python {manage} runserver 0.0.0.0:8000", "framework", place, confidence=0.8)
    draft.port.add(8000, "framework", place, confidence=0.835)


def claim_django_server(folder: Folder, draft: ModuleDraft, manage: str) -> None:
    """Claim the production server that is a dependency, with the module that serves."""
    has = draft.dependencies.__contains__
    for path in folder.files("wsgi.py", "asgi.py", limit=10, depth=4):
        asgi = path.endswith("asgi.py")
        module = path.removesuffix(".py").removeprefix("src/").replace("/", ".")
        inside = manage.rpartition("/")[0]
        if inside:
            module = module.removeprefix(inside.replace("/", ".") + ".")
        if not asgi and has("gunicorn"):
            command = f"gunicorn{f' --chdir {inside}' if inside else ''} --bind 0.0.0.0:8000 {module}"
            draft.start.add(command, "code", folder.place(path), confidence=0.86)
        elif asgi and (has("daphne") or has("uvicorn")) and not has("gunicorn"):
            server = "daphne -b 0.0.0.0 -p 8000" if has("daphne") else "uvicorn --host 0.0.0.0 --port 8000"
            draft.start.add(f"{server} {module}:application", "code", folder.place(path), confidence=0.7)
        elif not asgi and not manage:
            draft.start.add(f"gunicorn --bind 0.0.0.0:8000 {module}", "guess", folder.place(path), confidence=0.5)
