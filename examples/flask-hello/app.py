"""A small web application: a greeting, and a health endpoint.

PORT is the port to listen on (8000 by default), GREETING the text of the greeting.
"""

import os

from flask import Flask, request
from werkzeug.exceptions import HTTPException

GREETING = os.environ.get("GREETING", "Hello")

app = Flask(__name__)


@app.get("/")
def greet() -> dict[str, str]:
    name = request.args.get("name", "").strip() or "world"
    return {"message": f"{GREETING}, {name}!"}


@app.get("/healthz")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.errorhandler(HTTPException)
def tell(error: HTTPException) -> tuple[dict[str, str | None], int]:
    return {"error": error.description}, error.code or 500


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))  # noqa: S104 - a container's own network
