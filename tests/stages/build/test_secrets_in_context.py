"""A credential that would become part of the image stops the build before it starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import inputs
from container_kit.stages.build.context.secrets import refuse_secrets
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.contract.workspace import Workspace
from support.pipelines.contexts import Contexts

DIRECT = "FROM debian:bookworm-slim\nWORKDIR /app\nCOPY . .\n"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
ENV = "# settings\nCOLOUR=blue\nAWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYplanted\n"

Refuse = Callable[[dict[str, str]], Fault | None]


@pytest.fixture
def refuse(tmp_path: Path, ctx: Contexts) -> Refuse:
    def run(files: dict[str, str]) -> Fault | None:
        for name, text in {"Dockerfile": DIRECT, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        read = inputs.read_inputs(
            ctx(workspace=Workspace([tmp_path])), Source(path=str(tmp_path)), BuildOptions(), None
        )
        try:
            refuse_secrets(read, None)
        except StageFailure as failure:
            return failure.fault
        return None

    return run


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({".env": ENV}, ".env:3"),
        ({"deploy/id_ed25519": KEY}, "deploy/id_ed25519:1"),
        ({"certs/server.key": KEY.replace("OPENSSH ", "")}, "certs/server.key:1"),
        ({".npmrc": "//registry.npmjs.org/:_authToken=0123456789abcdefplanted\n"}, ".npmrc:1"),
        ({".netrc": "machine pypi.shop.example login ann password planted-one\n"}, ".netrc:1"),
        (
            {"service-account.json": '{\n  "private_key": "-----BEGIN PRIVATE KEY-----\\\\nAA"\n}\n'},
            "service-account.json:2",
        ),
        ({".env.production": "DATABASE_PASSWORD='correct-horse-9'\n"}, ".env.production:1"),
        (
            {
                ".env": ENV,
                "Dockerfile": "FROM debian AS b\nWORKDIR /app\nCOPY . .\nFROM debian\nCOPY --from=b /app /app\n",
            },
            ".env:3",
        ),
    ],
)
def test_a_credential_that_is_copied_is_refused_with_file_and_line(
    files: dict[str, str], where: str, refuse: Refuse
) -> None:
    fault = refuse(files)
    assert fault is not None
    assert fault.code == "secrets.in_context"
    assert fault.evidence[0].where == where
    assert "planted" not in fault.model_dump_json()
    assert where.rpartition(":")[0] in fault.next_actions[0].why
    assert fault.next_actions[1].arguments == {"allow_secrets": True}


@pytest.mark.parametrize(
    "files",
    [
        {".env": ENV, ".dockerignore": ".env\n"},
        {".env": ENV, "Dockerfile": "FROM debian:bookworm-slim\nCOPY main.py /app/\n", "main.py": ""},
        {
            ".env": ENV,
            "Dockerfile": "FROM debian AS b\nWORKDIR /app\nCOPY . .\nFROM debian\nCOPY --from=b /app/dist /app\n",
        },
        {".env.example": ENV},
        {".env": "API_KEY=\nSECRET_KEY=changeme\nTOKEN=${TOKEN}\nDATABASE_PASSWORD=<your password>\nDEBUG=1\n"},
        {".env": "DATABASE_URL=postgres://postgres:postgres@localhost:5432/app\n"},
        {".npmrc": "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\nlegacy-peer-deps=true\n"},
        {"tests/fixtures/server.key": KEY},
        {"certs/ca.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
    ],
)  # fmt: skip
def test_a_placeholder_or_a_file_that_stays_out_of_the_image_passes(files: dict[str, str], refuse: Refuse) -> None:
    assert refuse(files) is None
