"""A program that runs a script so that the server that it starts can be reached, and is not one for development."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import dedent

LAUNCHER = "run_script.py"


def launcher(packages: Iterable[str]) -> str:
    """Return the program, for a script that uses some of flask, flask_socketio and uvicorn.

    It has no single quotation marks, because `printf` writes it.
    """
    return "\n".join(dedent(part).strip() for part in (_BIND, *(_PATCHES[name] for name in packages), _RUN)) + "\n"


_BIND = """
    # Runs a script or a module (-m), and binds its server to every address instead of the loopback address.
    import os, runpy, socket, sys
    every = {"127.0.0.1": "0.0.0.0", "localhost": "0.0.0.0", "::1": "::"}
    bind = socket.socket.bind
    port = int(os.environ["PORT"])
    def bind_all(self, address):
        if isinstance(address, tuple) and address[1] == port and address[0] in every:
            address = ("::" if self.family == socket.AF_INET6 else "0.0.0.0", *address[1:])
        return bind(self, address)
    socket.socket.bind = bind_all
"""
_PATCHES = {
    "flask": """
    import flask, waitress
    flask.Flask.run = lambda app, *words, **options: waitress.serve(app, listen=f"*:{port}", threads=8)
""",
    "flask_socketio": """
    import flask_socketio
    run_sockets = flask_socketio.SocketIO.run
    flask_socketio.SocketIO.run = lambda self, app, *words, **options: run_sockets(
        self, app, host="0.0.0.0", port=port, allow_unsafe_werkzeug=True)
""",
    "uvicorn": """
    import uvicorn
    configure = uvicorn.Config.__init__
    def configure_reachable(self, app, host="0.0.0.0", *words, **options):
        configure(self, app, every.get(host, host), *words, **{**options, "reload": False})
    uvicorn.Config.__init__ = configure_reachable
""",
}
_RUN = """
    sys.argv = sys.argv[1:]
    if sys.argv[0] == "-m":
        sys.argv = sys.argv[1:]
        sys.path[0] = os.getcwd()
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        raise SystemExit
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")
"""
