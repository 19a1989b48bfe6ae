"""An OAuth issuer for tests."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

AUDIENCE = "https://kit.example.org/mcp"


class Issuer:
    """Serves the metadata and keys of an OAuth issuer on a free port."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(outer.document(self.path)).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def document(self, path: str) -> dict[str, Any]:
        if path == "/keys":
            key = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
            return {"keys": [{**key, "kid": "k1", "use": "sig", "alg": "RS256"}]}
        return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}

    def token(self, **claims: Any) -> str:
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "somebody", "client_id": "app", "exp": time.time() + 60}
        return jwt.encode({**usual, **claims}, self.key, "RS256", {"kid": "k1"})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
