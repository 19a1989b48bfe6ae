"""Python source: the application object, how the file starts it, and what it imports; by the syntax tree, never run."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass

from container_kit.stages.contract import expressions as re

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
_DJANGO_MAKERS = {"get_wsgi_application", "get_asgi_application"}
_MAKERS = _DJANGO_MAKERS | {*_FACTORIES, "Bottle", "default_app"}
_RUNNERS = {"run", "run_app", "run_server", "launch", "serve", "listen", "run_until_complete", "main"}
_HARMLESS = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Pass, ast.Return)
_TALKATIVE = {"print", "basicConfig", "info", "debug", "load_dotenv", "freeze_support", "add_argument"}
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
"""Words that every application file contains; other files are not parsed."""
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
    """True if it has a main guard or starts the server at its top level."""
    port: tuple[int, int] | None = None
    """A literal port in a call that starts the server, and its line."""
    exposed: bool = False
    """True if the Flask application within one of Dash has a name, by which a server can start it."""
    absolute: bool = False
    """True if files import its outermost folder by name, so that Python has to start above that folder."""
    only_runs: bool = False
    """True if its main guard does nothing but run the application, so that a server can import it instead."""

    @property
    def module(self) -> str:
        """Its dotted name from the module's folder; a `src` layout is looked through."""
        dotted = self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return dotted if self.absolute else dotted.removeprefix("src.")

    @property
    def name(self) -> str:
        """Its file name."""
        return self.path.rpartition("/")[2]

    @property
    def depth(self) -> int:
        """The number of folders that it is in."""
        return self.path.count("/")

    @property
    def package_depth(self) -> int:
        """The number of packages that it is in; a `src` folder is not one."""
        return self.path.removeprefix("src/").count("/")

    @property
    def is_server(self) -> bool:
        """Return whether it makes the application of a web framework."""
        return bool(self.application) and self.kind is not None and self.kind != "celery"

    @property
    def is_factory(self) -> bool:
        """Return whether its application is made by a function."""
        return self.application is not None and self.application.endswith("()")

    @property
    def binds_unknown(self) -> bool:
        """Return whether it is at the root and binds an application that another file makes."""
        return bool(self.application) and self.kind is None and self.depth == 0

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
            warnings.simplefilter("ignore")  # a stray backslash in a string of the project does not matter
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        found.imports = frozenset(_SIMPLE_IMPORT.findall(text))
        found.runs_itself = "__main__" in text
        return found
    found.imports = frozenset(_imports(tree))
    for node in tree.body:
        _read_statement(node, found)
    found.only_runs = all(_only_runs(node, tree) for node in tree.body if _starts_something(node))
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


def _read_statement(node: ast.stmt, file: PythonFile) -> None:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        _read_assignment(node, file)
    elif isinstance(node, ast.FunctionDef) and node.name in _FACTORIES and file.application is None:
        _read_factory(node, file)
    elif _starts_something(node):
        file.runs_itself = True
        _read_calls(node, file)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        if node.name in {"main", "run", "start", "serve"}:
            _read_calls(node, file)
        kind = _kind_inside(node)
        file.kind = file.kind or (kind if kind != "celery" else None)


def _read_factory(node: ast.FunctionDef, file: PythonFile) -> None:
    kind = _kind_inside(node)
    if kind is None:
        return
    file.line, file.kind = node.lineno, kind
    if len(node.args.args) <= len(node.args.defaults):  # a server cannot call it with arguments
        file.application = f"{node.name}()"


def _kind_inside(node: ast.AST) -> str | None:
    return next((kind for kind in map(_kind, ast.walk(node)) if kind), None)


def _starts_something(node: ast.stmt) -> bool:
    """Return whether a statement is the main guard, or calls what runs an application."""
    if isinstance(node, ast.If):
        return _is_main_guard(node.test)
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _name(node.value.func) in _RUNNERS


def _read_assignment(node: ast.Assign | ast.AnnAssign, file: PythonFile) -> None:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if not isinstance(target, ast.Name):
        return
    if isinstance(node.value, ast.Attribute) and file.kind == "dash" and node.value.attr == "server":
        file.application, file.line, file.exposed = target.id, node.lineno, True
    elif isinstance(node.value, ast.Call):
        _read_made(target.id, node.lineno, node.value, file)


def _read_made(name: str, line: int, call: ast.Call, file: PythonFile) -> None:
    """Take a name that is bound to the result of a call as the application, if the call makes one."""
    called, kind = _name(call.func), _kind(call)
    if _is_better(kind, file):
        file.application, file.kind, file.line = name, kind, line
    elif called in _MAKERS and (file.application is None or file.is_factory):
        file.application, file.line = name, line
        file.kind = "django" if called in _DJANGO_MAKERS else file.kind


def _is_better(kind: str | None, file: PythonFile) -> bool:
    """Return whether an application of a kind replaces the one of the file; Celery's never replaces another."""
    if kind is None or kind == "celery":
        return kind is not None and file.kind is None
    return file.kind is None or file.application == "create_app()"


def _kind(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    name = _name(node.func)
    if name == "App" and isinstance(node.func, ast.Attribute) and _name(node.func.value) == "falcon":
        return "falcon"
    if name == "Application" and isinstance(node.func, ast.Attribute):
        return {"web": "aiohttp"}.get(_name(node.func.value) or "")
    return _APPLICATIONS.get(name or "")


def _only_runs(node: ast.stmt, tree: ast.Module) -> bool:
    """Return whether a statement that starts something prepares nothing that a server would miss.

    Without a main guard, importing the file would start its own server.
    """
    if not isinstance(node, ast.If):
        return False
    body = node.body
    called = _function_called(body, tree)
    return all(isinstance(inner, _HARMLESS) or _is_harmless_call(inner) for inner in called or body)


def _function_called(body: list[ast.stmt], tree: ast.Module) -> list[ast.stmt]:
    """Return the body of the function of the module that is the only thing called."""
    only = body[0] if len(body) == 1 else None
    name = _name(only.value.func) if isinstance(only, ast.Expr) and isinstance(only.value, ast.Call) else None
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    return next((node.body for node in functions), [])


def _is_harmless_call(node: ast.stmt) -> bool:
    """Return whether a statement calls what runs an application, prints, or reads settings."""
    if isinstance(node, ast.If):
        return all(isinstance(inner, _HARMLESS) or _is_harmless_call(inner) for inner in (*node.body, *node.orelse))
    if not isinstance(node, ast.Expr):
        return False
    return isinstance(node.value, ast.Constant) or (
        isinstance(node.value, ast.Call) and _name(node.value.func) in _RUNNERS | _TALKATIVE
    )


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
    """Return a number, or the default in `int(os.environ.get("PORT", 8000))`."""
    if isinstance(node, ast.Call) and node.args:
        return _literal_port(node.args[-1])
    if isinstance(node, ast.BoolOp):
        return _literal_port(node.values[-1])
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535 else None
