"""Versions, commands, bases and ignore files, each by what the ecosystems' own documentation says of them."""

from __future__ import annotations

import pytest

from container_kit.stages.dockerfile.generate.dockerignore import ignore_text
from container_kit.stages.dockerfile.generate.render import is_own, signed
from container_kit.stages.ecosystems.facets.generation.base_images import Availability, Base, BasePolicy, Bases
from container_kit.stages.ecosystems.facets.generation.start_command import listening, parse
from container_kit.stages.ecosystems.facets.generation.version_ranges import allows, preferred
from container_kit.stages.formats.dockerignore import DockerIgnore


@pytest.mark.parametrize(
    ("declared", "yes", "no"),
    [
        (">=3.9,<3.12", "3.11", "3.12"),
        (">=3.10", "3.13", "3.9"),
        ("^3.11", "3.13", "4.0"),
        ("~=3.11", "3.12", "3.10"),
        ("3.11.4", "3.11", "3.12"),
        ("==3.11.*", "3.11", "3.10"),
        ("!=3.12", "3.11", "3.12"),
        ("^20 || >=22", "24", "21"),
        (">=18.17.0", "18", "16"),
        ("18.x", "18", "20"),
        ("v20", "20", "22"),
        ("<21", "20", "21"),
        ("~> 3.2", "3.4", "2.7"),
        ("~> 3.2.1", "3.2", "3.3"),
        ("^8.1", "8.3", "7.4"),
        ("8.1 - 8.3", "8.2", "8.4"),
    ],
)
def test_a_declared_version_allows_what_its_ecosystem_says(declared: str, yes: str, no: str) -> None:
    assert allows(declared, yes)
    assert not allows(declared, no)


def test_a_version_that_no_candidate_fits_is_taken_as_declared() -> None:
    assert preferred("3.7.2", ("3.13", "3.12")) == ("3.7",)
    assert preferred("nonsense", ("3.13", "3.12")) == ("3.13", "3.12")


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("poetry run gunicorn app:app", ("gunicorn", "app:app")),
        ("uv run --no-dev python main.py", ("python", "main.py")),
        ("npx next start", ("next", "start")),
        ("NODE_ENV=production node server.js", ("node", "server.js")),
        ("node server.js --port $PORT", ("node", "server.js", "--port", "5000")),
        ("x --port ${PORT:-80}", ("x", "--port", "5000")),
        ("python 'a b.py'", ("python", "a b.py")),
        ("migrate && node server.js", ("sh", "-c", "migrate && exec node server.js")),
        ("node $FILE", ("sh", "-c", "exec node $FILE")),
        ("a; b; node server.js", ("sh", "-c", "a; b; exec node server.js")),
        (
            'serve --host="http://$A" -u "${B:-10}" 2>&1',
            ("sh", "-c", 'exec serve --host="http://$A" -u "${B:-10}" 2>&1'),
        ),
        ("migrate && npx uvicorn m:app", ("sh", "-c", "migrate && exec uvicorn m:app --host=0.0.0.0 --port=5000")),
        ("migrate && A='b c' node x.js", ("sh", "-c", "migrate && exec env A='b c' node x.js")),
        ('echo "a; b && c" && node x.js', ("sh", "-c", 'echo "a; b && c" && exec node x.js')),
        ("node x.js | tee log", ("sh", "-c", "node x.js | tee log")),
        ("worker & node x.js", ("sh", "-c", "worker & node x.js")),
    ],
)
def test_the_program_becomes_pid_1(line: str, arguments: tuple[str, ...]) -> None:
    assert parse(line, 5000).arguments == arguments


@pytest.mark.parametrize("line", ["", "A=1", "node 'open"])
def test_a_line_that_names_no_program_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"program|quotation"):
        parse(line, 1)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("gunicorn -b 127.0.0.1:5000 app:app", "gunicorn app:app --bind=0.0.0.0:9000"),
        ("uvicorn main:app --host 127.0.0.1 --port=80", "uvicorn main:app --host=0.0.0.0 --port=9000"),
        ("python -m uvicorn main:app", "python -m uvicorn main:app --host=0.0.0.0 --port=9000"),
        ("flask --app x run", "flask --app x run --host=0.0.0.0 --port=9000"),
        ("python manage.py runserver 8000", "python manage.py runserver 0.0.0.0:9000 --noreload"),
        ("bundle exec puma", "bundle exec puma --bind=tcp://0.0.0.0:9000"),
        ("node server.js", "node server.js"),
    ],
)
def test_a_known_server_listens_on_all_addresses_and_the_port(line: str, told: str) -> None:
    assert " ".join(listening(tuple(line.split()), 9000)) == told


NODE = (Base("node:24-slim"), Base("node:20-slim"))


def _picked(availability: Availability, policy: BasePolicy | None = None) -> tuple[str, str]:
    bases = Bases(policy or BasePolicy(), availability)
    base = bases.pick(*NODE, rationale="usual")
    return base.reference, bases.reasons[0].rationale


def test_the_default_base_is_used_if_availability_is_unknown() -> None:
    assert _picked(Availability()) == ("node:24-slim", "usual")


def test_an_available_base_replaces_an_unavailable_default() -> None:
    reference, rationale = _picked(Availability(frozenset({"node:20-slim"}), known=True))
    assert reference == "node:20-slim"
    assert "node:24-slim is neither on the engine" in rationale


def test_a_base_that_nobody_has_is_said_to_be_missing() -> None:
    reference, rationale = _picked(Availability(known=True))
    assert reference == "node:24-slim"
    assert "load it before building" in rationale


def test_a_digest_from_a_registry_is_pinned_unless_the_policy_forbids_it() -> None:
    told = Availability(digests={"node:24-slim": "sha256:" + "a" * 64}, known=True)
    assert _picked(told)[0] == "node:24-slim@sha256:" + "a" * 64
    assert _picked(told, BasePolicy(pin=False))[0] == "node:24-slim"


def test_a_mirror_holds_the_usual_images_under_its_own_name() -> None:
    there = Availability(frozenset({"mirror.example:5000/hub/node:20-slim"}), known=True)
    assert _picked(there, BasePolicy(mirror="mirror.example:5000/hub/"))[0] == "mirror.example:5000/hub/node:20-slim"


def test_an_image_that_the_operator_named_is_taken_unseen() -> None:
    policy = BasePolicy(images={"node:24-slim": "ours:1"})
    assert _picked(Availability(known=True), policy)[0] == "ours:1"


def test_an_ignore_file_keeps_secrets_out_and_what_is_copied_in() -> None:
    patterns = DockerIgnore.parse(ignore_text(("**/tmp",), ("keys/public.pem",)))
    for secret in (".env", "services/api/.env.production", "config/id_rsa", ".git/config", ".aws/credentials"):
        assert patterns.find(secret) is not None, secret
    for needed in ("keys/public.pem", "package.json", ".env.example", "src/app.py"):
        assert patterns.find(needed) is None, needed


def test_a_generated_text_is_known_until_it_is_edited() -> None:
    text = signed("FROM scratch\n")
    assert is_own(text)
    assert not is_own(text + "\n")
    assert not is_own("FROM scratch\n")
