"""The compose file: it is valid and hardened, and its services work together."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from cli.local import LocalServers, remove
from cli.local.place import place_of
from cli.local.programs import redis_program
from tests.conftest import libpq
from tests.databases import make_roles
from tests.deployments import PROJECT, Service, composed, until_healthy
from tests.flowers import free_port
from tests.workers import until

SECRETS = {
    name: secrets.token_hex(20)
    for name in (
        "POSTGRES_PASSWORD",
        "DATABASE_OWNER_PASSWORD",
        "DATABASE_PASSWORD",
        "BROKER_PASSWORD",
        "RECOURSE_SECRET_KEY",
        "RECOURSE_FLOWER_PASSWORD",
    )
}
PARTS = ["web", "worker-interactive", "worker-bulk", "worker-notify", "beat", "flower"]


def test_the_compose_file_conforms_to_the_compose_specification() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_services_need_their_secrets_and_have_no_more_rights_than_they_need() -> None:
    for missing in SECRETS:
        with pytest.raises(KeyError, match=missing):
            composed({name: value for name, value in SECRETS.items() if name != missing})
    for name, service in composed(SECRETS).items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if name != "postgres":  # it switches to its own user, and writes its data
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
        if name not in ("migrate", "doctor"):
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"], name
        if name != "doctor":
            assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), "for a local proxy only"
        # .env holds the superuser's and the owner's passwords. No part that serves users may have them.
        if name not in ("postgres", "broker"):
            assert service["environment"]["POSTGRES_PASSWORD"] == "", name
            assert service["environment"]["DATABASE_OWNER_PASSWORD"] == "", name
        owners = SECRETS["DATABASE_OWNER_PASSWORD"] in json.dumps(service)
        assert owners is (name in ("postgres", "migrate")), name
        # Secrets come from the environment, so no list of processes shows them.
        assert not any(value in json.dumps(service.get("command", [])) for value in SECRETS.values()), name


def test_env_example_names_every_secret_that_compose_needs() -> None:
    example = (PROJECT / ".env.example").read_text()
    assert [name for name in SECRETS if f"{name}=" not in example] == []


class Installation:
    """The services of the compose file, as processes of this machine."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        ports = {part: free_port() for part in ("broker", "web", "flower")}
        told = composed(SECRETS)
        self.database = LocalServers(self.home, redis=False)
        app, owner = make_roles(self.database.start().database)
        here = {
            told["web"]["environment"]["RECOURSE_DATABASE_URL"]: app,
            told["migrate"]["environment"]["RECOURSE_MIGRATION_DATABASE_URL"]: owner,
            "@broker:6379": f"@127.0.0.1:{ports['broker']}",
            "/var/lib/recourse": str(folder),
            "--host=0.0.0.0": "--host=127.0.0.1",
            "--port=8000": f"--port={ports['web']}",
            "127.0.0.1:8000": f"127.0.0.1:{ports['web']}",
            "127.0.0.1:5555": f"127.0.0.1:{ports['flower']}",
            "http://web:8000": f"http://127.0.0.1:{ports['web']}",
            "http://flower:5555": f"http://127.0.0.1:{ports['flower']}",
            "valkey-server": f"{redis_program(place_of(self.home))} --port {ports['broker']} --dir {folder}",
        }
        told["flower"]["environment"] |= {
            "RECOURSE_FLOWER_PORT": ports["flower"],
            "RECOURSE_FLOWER_ADDRESS": "127.0.0.1",
        }
        self.services = {
            name: Service(name, service, here, folder / f"{name}.log")
            for name, service in told.items()
            if name != "postgres"
        }
        self._broker_port = ports["broker"]

    def start(self) -> None:
        """Start all services in the order of the compose file."""
        self.services["broker"].start()
        until(self._broker_answers)
        migrated = self.services["migrate"].run()
        assert migrated.returncode == 0, migrated.stderr
        for part in PARTS:
            self.services[part].start()
        until_healthy([self.services[part] for part in PARTS])

    def _broker_answers(self) -> bool:
        try:
            with redis.Redis(port=self._broker_port, password=SECRETS["BROKER_PASSWORD"]) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def recourse(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command line as `docker compose exec web recourse …` does."""
        return subprocess.run(
            ["recourse", *words],
            cwd=PROJECT,
            env=self.services["web"].environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def failing(self) -> list[str]:
        """Returns the parts that doctor reports as failed, and checks that its exit status agrees."""
        found = self.services["doctor"].run()
        named = [line.split("  ")[1].strip() for line in found.stdout.splitlines() if line.startswith("failed")]
        assert found.returncode == bool(named), found.stdout + found.stderr
        return named

    def stop(self) -> None:
        for name in [*PARTS, "broker"]:
            if self.services[name].process is not None:
                self.services[name].stop()
        self.database.stop()


@pytest.fixture
def installation() -> Iterator[Installation]:
    # Not pytest's tmp_path: the user who runs root's PostgreSQL may not enter it.
    folder = Path(tempfile.mkdtemp(prefix="recourse-compose-"))
    folder.chmod(0o755)
    installed = Installation(folder)
    try:
        installed.start()
        yield installed
    finally:
        installed.stop()
        remove(installed.home)
        shutil.rmtree(folder)


FILL = """
from tasks.sample import enrol_everyone, make_courses, make_learners, make_organization
from models.session import transaction
with transaction() as session:
    organization = make_organization(session, "acme", "Acme")
    make_learners(session, organization, 300)
    enrol_everyone(session, organization, make_courses(session, organization, {"FIRE-101": "Fire safety"}))
"""


def test_the_services_run_a_reset_and_doctor_names_each_stopped_one(
    installation: Installation,
) -> None:
    before = set(os.listdir(PROJECT))
    web = installation.services["web"]
    subprocess.run([sys.executable, "-c", FILL], cwd=PROJECT, env=web.environment(), check=True)
    # A reset uses all of them
    done = installation.recourse(
        "reset", "FIRE-101", "--reason", "yearly", "--confirm", "FIRE-101", "--watch", "--json"
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert (result["state"], result["done"], result["progress"]["total"]) == ("succeeded", True, 300)
    assert result["notified"] > 0
    assert "No worker is running" not in done.stderr
    # … and writes nothing to the program's folder, which is read-only in the image
    assert set(os.listdir(PROJECT)) == before
    # Doctor names exactly the stopped services
    assert installation.failing() == []
    for stopped in ("flower", "worker-notify", "web", "beat"):
        assert installation.services[stopped].stop() in (0, -15), stopped
    with psycopg.connect(libpq(web.environment()["RECOURSE_DATABASE_URL"])) as connection:
        # … and the application's role has few rights
        assert connection.execute("SELECT has_table_privilege('audit', 'DELETE')").fetchall() == [(False,)]
        connection.execute("UPDATE heartbeat SET at = at - interval '1 hour'")
    assert installation.failing() == ["workers", "beat", "web app", "Flower"]
    assert not any(installation.services[stopped].is_healthy() for stopped in ("flower", "web", "beat"))
    for worker in ("worker-interactive", "worker-bulk"):
        assert installation.services[worker].stop() == 0
    installation.services["broker"].stop()
    installation.database.stop()
    assert installation.failing() == ["database", "broker", "web app", "Flower"]
