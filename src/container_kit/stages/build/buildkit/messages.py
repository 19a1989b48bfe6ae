"""The protobuf messages that BuildKit and its clients exchange, by their field numbers.

The numbers are those of the protocol (github.com/moby/buildkit: `api/services/control`, `session/*`;
github.com/tonistiigi/fsutil: `types`). Unused fields are omitted; the runtime skips them.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "container_kit.buildkit"
_FIELD = descriptor_pb2.FieldDescriptorProto

_SCALARS: dict[str, descriptor_pb2.FieldDescriptorProto.Type.ValueType] = {
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
    "bool": _FIELD.TYPE_BOOL,
    "int64": _FIELD.TYPE_INT64,
    "uint32": _FIELD.TYPE_UINT32,
    "int32": _FIELD.TYPE_INT32,  # also the encoding of an enumeration
}

# message: (field, number, type). A type with `[]` is repeated; a type that is not a scalar is a message of this table.
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    # google.protobuf.Timestamp
    "Timestamp": (("seconds", 1, "int64"), ("nanos", 2, "int32")),
    # moby.buildkit.v1.StatusResponse and its parts, the engine's trace of a build
    "Vertex": (
        ("digest", 1, "string"),
        ("name", 3, "string"),
        ("cached", 4, "bool"),
        ("started", 5, "Timestamp"),
        ("completed", 6, "Timestamp"),
        ("error", 7, "string"),
    ),
    "VertexStatus": (
        ("id", 1, "string"),
        ("vertex", 2, "string"),
        ("current", 4, "int64"),
        ("total", 5, "int64"),
        ("completed", 8, "Timestamp"),
    ),
    "VertexLog": (("vertex", 1, "string"), ("stream", 3, "int64"), ("message", 4, "bytes")),
    "StatusResponse": (
        ("vertexes", 1, "Vertex[]"),
        ("statuses", 2, "VertexStatus[]"),
        ("logs", 3, "VertexLog[]"),
    ),
    # grpc.health.v1
    "HealthCheckRequest": (("service", 1, "string"),),
    "HealthCheckResponse": (("status", 1, "int32"),),
    # moby.buildkit.secrets.v1
    "GetSecretRequest": (("id", 1, "string"),),
    "GetSecretResponse": (("data", 1, "bytes"),),
    # moby.filesync.v1.Auth
    "CredentialsRequest": (("host", 1, "string"),),
    "CredentialsResponse": (("username", 1, "string"), ("secret", 2, "string")),
    # fsutil.types
    "Xattr": (("key", 1, "string"), ("value", 2, "bytes")),
    "Stat": (
        ("path", 1, "string"),
        ("mode", 2, "uint32"),
        ("size", 5, "int64"),
        ("mod_time", 6, "int64"),
        ("linkname", 7, "string"),
        ("xattrs", 10, "Xattr[]"),  # a map is encoded as its entries
    ),
    "Packet": (("type", 1, "int32"), ("stat", 2, "Stat"), ("id", 3, "uint32"), ("data", 4, "bytes")),
}

PACKET_STAT, PACKET_REQ, PACKET_DATA, PACKET_FIN, PACKET_ERR = range(5)
SERVING = 1


def _field(name: str, number: int, kind: str) -> descriptor_pb2.FieldDescriptorProto:
    bare = kind.removesuffix("[]")
    label = _FIELD.LABEL_REPEATED if kind.endswith("[]") else _FIELD.LABEL_OPTIONAL
    if bare in _SCALARS:
        return _FIELD(name=name, number=number, label=label, type=_SCALARS[bare])
    return _FIELD(name=name, number=number, label=label, type=_FIELD.TYPE_MESSAGE, type_name=f".{_PACKAGE}.{bare}")


def _compile() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="container_kit/buildkit.proto", package=_PACKAGE, syntax="proto3")
    for message, fields in _MESSAGES.items():
        file.message_type.add(name=message, field=[_field(*field) for field in fields])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{message}"))
        for message in _MESSAGES
    }


_CLASSES = _compile()

StatusResponse: Any = _CLASSES["StatusResponse"]
HealthCheckRequest: Any = _CLASSES["HealthCheckRequest"]
HealthCheckResponse: Any = _CLASSES["HealthCheckResponse"]
GetSecretRequest: Any = _CLASSES["GetSecretRequest"]
GetSecretResponse: Any = _CLASSES["GetSecretResponse"]
CredentialsRequest: Any = _CLASSES["CredentialsRequest"]
CredentialsResponse: Any = _CLASSES["CredentialsResponse"]
Packet: Any = _CLASSES["Packet"]
