"""Encryption of the journal: inputs of runs and results of stages may contain passwords.

The key is in a file next to the SQLite file, which only its user can read, or in the settings if the store is a
database server. A copy of the database without the key reveals no value.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from dbos import DBOSPortableJSONSerializer
from dbos import _serialization as dbos_serialization

_NONCE_BYTES = 12
_PURPOSE = b"container-kit journal 1"
_ERROR = "container_kit_error"


class SealedJSONSerializer(DBOSPortableJSONSerializer):
    """Writes JSON, encrypted with AES-256-GCM. DBOS reads rows of older versions by their own format.

    Args:
        key: Any text with at least 128 random bits.
    """

    def __init__(self, key: str) -> None:
        self._cipher = AESGCM(sha256(_PURPOSE + key.encode()).digest())

    def name(self) -> str:
        """Return the name of the format in the journal."""
        return "sealed_json"

    def serialize(self, value: Any) -> str:
        """Return the encrypted JSON of a value."""
        if isinstance(value, BaseException):
            value = {_ERROR: dbos_serialization.exception_to_workflow_error_data(value)}
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, super().serialize(value).encode(), _PURPOSE)
        return b64encode(nonce + sealed).decode()

    def deserialize(self, text: str | None) -> Any:
        """Return the value of an encrypted JSON text."""
        if text is None:
            return None
        data = b64decode(text)
        value = json.loads(self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _PURPOSE))
        if isinstance(value, dict) and _ERROR in value:
            return dbos_serialization.PortableWorkflowError(**value[_ERROR])
        return value
