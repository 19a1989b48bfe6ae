from pathlib import Path

import pytest

from container_kit.stages.analyze import Analyze
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.contract.workspace import Workspace

pytestmark = pytest.mark.anyio


def context(root: Path, told: list[str]) -> StageContext:
    return StageContext(
        run_id="r",
        pipeline="analyze",
        stage="analyze",
        attempt=1,
        dry_run=False,
        workspace=Workspace([root]),
        redact=Redactor(),
        on_progress=lambda message, _: told.append(message),
        on_output=told.append,
    )


async def test_a_folder_is_analyzed_and_the_findings_are_reported(tmp_path: Path):
    (tmp_path / "index.html").write_text("<html>")
    told: list[str] = []

    analysis = await Analyze().execute(context(tmp_path, told), Source(path="."))

    assert analysis.modules[0].role.value == "static"
    assert told[-1] == "found 1 module: . (html)"


@pytest.mark.parametrize(
    ("path", "module", "code"),
    [
        ("empty", ".", "analyze.empty"),
        ("full", "nowhere", "analyze.module_missing"),
        ("full", "../empty", "analyze.module_missing"),
        ("missing", ".", "path.not_found"),
        ("full/file", ".", "path.not_a_directory"),
        ("/", ".", "path.outside_workspace"),
    ],
)
async def test_a_source_that_cannot_be_analyzed_is_a_fault(tmp_path: Path, path: str, module: str, code: str):
    (tmp_path / "empty" / ".git").mkdir(parents=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")

    with pytest.raises(StageFailure) as failure:
        await Analyze().execute(context(tmp_path, []), Source(path=path, module=module))

    assert failure.value.fault.code == code
    assert failure.value.fault.hint


async def test_only_the_named_module_is_described(tmp_path: Path):
    for name in ("api", "web"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "requirements.txt").write_text("flask\n")
        (tmp_path / name / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")

    analysis = await Analyze().execute(context(tmp_path, []), Source(path=".", module="web"))

    assert [module.path for module in analysis.modules] == ["web"]


async def test_a_module_that_only_the_workspace_names_has_the_same_description_in_both_scopes(tmp_path: Path):
    (tmp_path / "apps/orders/src").mkdir(parents=True)
    (tmp_path / "apps/orders/src/main.ts").write_text(
        "const app = await NestFactory.create(M); await app.listen(3001);"
    )
    (tmp_path / "package.json").write_text('{"dependencies": {"@nestjs/core": "^10.0.0"}}')
    (tmp_path / "nest-cli.json").write_text('{"projects": {"orders": {"type": "application", "root": "apps/orders"}}}')

    among = await Analyze().execute(context(tmp_path, []), Source(path="."))
    alone = await Analyze().execute(context(tmp_path, []), Source(path=".", module="apps/orders"))

    assert alone.modules == among.modules
    assert [(m.path, m.start_command.value, m.port.value) for m in alone.modules] == [
        ("apps/orders", "node dist/apps/orders/main", 3001)
    ]
