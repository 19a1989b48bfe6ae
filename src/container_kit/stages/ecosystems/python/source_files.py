"""Python source: the application object, how the file starts it, and what it imports; by the syntax tree, never run."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

_APPLICATIONS = {
    "Flask": "flask",
    "APIFlask": "flask",
    "FastAPI": "fastapi",
    "Starlette": "starlette",
    "Quart": "quart",
    "Sanic": "sanic",
    "Litestar": "litestar",
    "Bottle": "bottle",
    "Dash": "dash",
    "Robyn": "robyn",
    "Blacksheep": "blacksheep",
    "Celery": "celery",
}
"""Classes whose instance is the application, and their frameworks."""
_FACTORIES = ("create_app", "make_app", "get_app", "build_app", "create_application", "get_application")
_RUNNERS = {"run", "run_app", "run_server", "launch", "serve", "listen", "run_until_complete", "main"}
_WORTH_PARSING = (
    *(f"{name}(" for name in _APPLICATIONS),
    *(f"{name}(" for name in _FACTORIES),
    "__main__",
    "falcon.App",
    "web.Application",
    "get_wsgi_application",
    "get_asgi_application",
    ".run(",
    ".launch(",
    "serve(",
)
"""Words without which a file is no application: reading its syntax would be wasted time."""
_SIMPLE_IMPORT = re.compile(r"^\s*(?:from|import)\s+([A-Za-z_]\w*)", re.MULTILINE)


@dataclass(slots=True)
class PythonFile:
    """What one file says."""

    path: str
    imports: frozenset[str] = frozenset()
    """Top-level package names."""
    application: str | None = None
    """The variable, or `factory()`, that is the application."""
    kind: str | None = None
    """The framework that the application object belongs to."""
    line: int = 1
    runs_itself: bool = False
    """True where it has a main guard or starts the server at its top level."""
    port: tuple[int, int] | None = None
    """A literal port in a call that starts the server, and its line."""
    exposed: bool = False
    """True where the Flask application within one of Dash has a name, by which a server can start it."""
    absolute: bool = False
    """True where files import its outermost folder by name, so that Python has to start above that folder."""

    @property
    def module(self) -> str:
        """Its dotted name from the module's folder; a `src` layout is looked through."""
        dotted = self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return dotted if self.absolute else dotted.removeprefix("src.")

    @property
    def target(self) -> str:
        """`module:application`."""
        return f"{self.module}:{self.application}"


def read_python(path: str, text: str) -> PythonFile:
    """Read a file; one that does not parse still gives its imports."""
    found = PythonFile(path)
    if not any(word in text for word in _WORTH_PARSING):
        found.imports = frozenset(_SIMPLE_IMPORT.findall(text))
        return found
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stray backslash in a stranger's string is no news
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        found.imports = frozenset(_SIMPLE_IMPORT.findall(text))
        found.runs_itself = "__main__" in text
        return found
    found.imports = frozenset(_imports(tree))
    for node in tree.body:
        _read_statement(node, found)
    if found.kind == "aiohttp" and "tornado" in found.imports:
        found.kind = "tornado"  # both call it web.Application
    return found


def _imports(tree: ast.Module) -> list[str]:
    names: list[str] = []
    for node in tree.body:
        inner = node.body if isinstance(node, ast.Try | ast.If) else [node]
        for statement in inner:
            if isinstance(statement, ast.Import):
                names.extend(alias.name.partition(".")[0] for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                names.append(statement.module.partition(".")[0])
    return names


def _read_statement(node: ast.stmt, found: PythonFile) -> None:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        _read_assignment(node, found)
    elif isinstance(node, ast.FunctionDef) and node.name in _FACTORIES and found.application is None:
        kind = next((kind for kind in map(_kind, ast.walk(node)) if kind), None)
        if kind and len(node.args.args) > len(node.args.defaults):
            found.line, found.kind = node.lineno, kind  # a server cannot call it without arguments
        elif kind:
            found.application, found.line, found.kind = f"{node.name}()", node.lineno, kind
    elif (isinstance(node, ast.If) and _is_main_guard(node.test)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _name(node.value.func) in _RUNNERS
    ):
        found.runs_itself = True
        _read_calls(node, found)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        if node.name in {"main", "run", "start", "serve"}:
            _read_calls(node, found)
        kind = next((kind for kind in map(_kind, ast.walk(node)) if kind), None)
        found.kind = found.kind or (kind if kind != "celery" else None)


def _read_assignment(node: ast.Assign | ast.AnnAssign, found: PythonFile) -> None:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if isinstance(target, ast.Name) and isinstance(node.value, ast.Attribute):
        if found.kind == "dash" and node.value.attr == "server":
            found.application, found.line, found.exposed = target.id, node.lineno, True
        return
    if not isinstance(target, ast.Name) or not isinstance(node.value, ast.Call):
        return
    called = _name(node.value.func)
    kind = _kind(node.value)
    wraps = called in {"get_wsgi_application", "get_asgi_application"}
    made = called in _FACTORIES or called == "Bottle" or (called == "default_app")
    if (kind and kind != "celery" and (found.kind is None or found.application == "create_app()")) or (
        kind == "celery" and found.kind is None
    ):
        found.application, found.kind, found.line = target.id, kind, node.lineno
    elif (wraps or made) and (found.application is None or found.application.endswith("()")):
        found.application, found.line = target.id, node.lineno
        found.kind = "django" if wraps else found.kind


def _kind(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    name = _name(node.func)
    if name == "App" and isinstance(node.func, ast.Attribute) and _name(node.func.value) == "falcon":
        return "falcon"
    if name == "Application" and isinstance(node.func, ast.Attribute):
        return {"web": "aiohttp"}.get(_name(node.func.value) or "")
    return _APPLICATIONS.get(name or "")


def _name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and _name(test.left) == "__name__"


def _read_calls(node: ast.AST, found: PythonFile) -> None:
    for call in ast.walk(node):
        if not isinstance(call, ast.Call) or found.port:
            continue
        for keyword in call.keywords:
            port = _literal_port(keyword.value)
            if keyword.arg in {"port", "server_port"} and port:
                found.port = (port, keyword.value.lineno)


def _literal_port(node: ast.expr) -> int | None:
    """A number, or the default in `int(os.environ.get("PORT", 8000))`."""
    if isinstance(node, ast.Call) and node.args:
        return _literal_port(node.args[-1])
    if isinstance(node, ast.BoolOp):
        return _literal_port(node.values[-1])
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535 else None
