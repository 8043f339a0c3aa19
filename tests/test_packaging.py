"""The image and the compose file start what is tested here: their own commands are run, without Docker."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from dispensary.settings import settings_from
from dispensary.web.guards import PUBLIC

ROOT = Path(__file__).parent.parent
HOUSES = ("dispensary", "scheduling", "notifications")
DISPENSARY = Path(sys.executable).with_name("dispensary")
FILLED_IN = {"CLINIC_HOST": "clinic.example.org", "POSTGRES_PASSWORD": "a pass/word: with signs"}


def names_that_settings_read() -> set[str]:
    """Every variable that the program looks at when it starts in production."""
    asked = set()

    class Environment(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            asked.add(name)
            return super().get(name, default)

    twilio = {"TWILIO_ACCOUNT_SID": "AC0", "TWILIO_AUTH_TOKEN": "secret", "TWILIO_FROM": "+60312345678"}
    kannel = {"KANNEL_URL": "http://127.0.0.1:13013", "KANNEL_USERNAME": "u", "KANNEL_PASSWORD": "p"}
    for gateway in (twilio, {**kannel, "KANNEL_SECRET": "a secret of twenty signs"}):
        usual = {"DISPENSARY_ENV": "production", "PUBLIC_BASE_URL": "https://x.example", "DISPENSARY_KEYS": "/k"}
        usual["DISPENSARY_PROXIES"] = "127.0.0.1"
        settings_from(Environment(**usual, **gateway))
    return asked


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with what they are given, lines joined."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in text.splitlines() if line and line[0] != "#"]


def given(instruction: str) -> str:
    """What the last of these instructions says."""
    return [rest for name, rest in instructions() if name == instruction][-1]


def image_environment() -> dict[str, str]:
    return dict(part.split("=", 1) for part in given("ENV").split())


def services() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]


def filled_in(value: str) -> str:
    """A value of the compose file as Compose reads it with FILLED_IN for .env."""

    def fill(found: re.Match[str]) -> str:
        name, how, other = found[1], found[2], found[3]
        if name in FILLED_IN:
            return FILLED_IN[name]
        assert how in (":-", ":+"), f"{name}: {other}"
        return other if how == ":-" else ""

    return re.sub(r"\$\{(\w+)(:[-?+])([^}]*)\}", fill, value)


def environment_of(service: str) -> dict[str, str]:
    """What the service's program finds in its environment."""
    return {
        **{name: value for name, value in image_environment().items() if name != "PATH"},
        **{name: filled_in(value) for name, value in services()[service]["environment"].items()},
    }


def command_of(service: str) -> list[str]:
    return [*json.loads(given("ENTRYPOINT")), *services()[service]["command"]]


class TestTheImage:
    def test_it_is_given_only_what_is_there_and_what_the_build_may_see(self) -> None:
        seen = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
        sources = [
            source
            for name, rest in instructions()
            if name == "COPY" and not rest.startswith("--from")
            for source in rest.split()[:-1]
        ]

        assert set(HOUSES) < set(sources)
        assert set(sources) == seen
        assert [source for source in sources if not (ROOT / source).exists()] == []

    def test_it_installs_the_lock_and_asks_no_index_for_the_program(self) -> None:
        installs = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]

        assert any("--require-hashes --requirement requirements.lock" in install for install in installs)
        assert any("--no-index --no-deps --no-build-isolation ." in install for install in installs)

    def test_it_runs_as_nobody_special(self) -> None:
        assert given("USER") == "takehome"

    def test_its_health_is_a_page_that_is_open(self) -> None:
        (asked,) = re.findall(r"http://127\.0\.0\.1:8000([\w/]+)", given("HEALTHCHECK"))

        assert asked in PUBLIC

    def test_the_wheel_holds_every_file_of_the_three_houses(self, tmp_path: Path) -> None:
        source = tmp_path / "source"
        for house in HOUSES:
            shutil.copytree(ROOT / house, source / house, ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / file, source)
        subprocess.run(
            [
                sys.executable,
                *["-m", "pip", "wheel", "-qq", "--no-index", "--no-deps", "--no-build-isolation"],
                f"--wheel-dir={tmp_path}",
                str(source),
            ],
            check=True,
        )
        (wheel,) = tmp_path.glob("*.whl")
        packed = set(zipfile.ZipFile(wheel).namelist())
        written = {
            path.relative_to(source).as_posix()
            for house in HOUSES
            for path in (source / house).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

        assert written - packed == set()


class TestTheComposeFile:
    def test_the_program_reads_every_variable_that_it_is_given(self) -> None:
        # PGPASSWORD is read by PostgreSQL's own client library.
        beside = {"PATH", "PYTHONUNBUFFERED", "PGPASSWORD"}
        for service in ("migrate", "app"):
            assert environment_of(service).keys() - beside <= names_that_settings_read()

    def test_the_settings_are_those_of_production_with_the_keys_apart_from_the_data(self) -> None:
        settings = settings_from(environment_of("app"))

        assert settings.production
        assert settings.public_base_url == "https://clinic.example.org"
        mounts = dict(mount.split(":") for mount in services()["app"]["volumes"])
        volumes = {folder: volume for volume, folder in mounts.items()}
        assert volumes[str(settings.data)] != volumes[str(settings.keys.parent)]
        assert json.loads(given("VOLUME")) == [str(settings.data), str(settings.keys.parent), "/backups"]

    def test_the_password_is_asked_for_and_may_hold_any_sign(self) -> None:
        everything = (ROOT / "docker-compose.yml").read_text("utf-8")
        secrets = re.findall(r"(\w*(?:PASSWORD|TOKEN)): (.*)", everything)

        assert secrets
        assert [given for _, given in secrets if not re.fullmatch(r"\$\{\w+(:\?.+|:-)\}", given)] == []
        needed = [(name, given) for name, given in secrets if "PASSWORD" in name and not name.startswith("KANNEL_")]
        assert [name for name, given in needed if ":?" not in given] == []
        assert FILLED_IN["POSTGRES_PASSWORD"] not in environment_of("app")["DATABASE_URL"]

    def test_what_it_asks_for_stands_in_the_example(self) -> None:
        everything = (ROOT / "docker-compose.yml").read_text("utf-8")
        asked = set(re.findall(r"\$\{(\w+)", everything))
        example = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / "docker" / "env.example").read_text("utf-8"), re.MULTILINE))

        assert example.keys() == asked
        assert set(example.values()) == {""}, "an example that works is a default password"

    def test_only_the_door_with_tls_is_open_to_the_network(self) -> None:
        opened = {name: service["ports"] for name, service in services().items() if "ports" in service}

        assert opened == {"web": ["80:80", "443:443"]}
        assert (
            "reverse_proxy app:" + image_environment()["DISPENSARY_PORT"] in (ROOT / "docker" / "Caddyfile").read_text()
        )

    def test_nothing_starts_before_what_it_needs(self) -> None:
        waits = {
            name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
            for name, service in services().items()
        }

        assert waits["migrate"] == {"database": "service_healthy"}
        assert waits["app"]["migrate"] == "service_completed_successfully"
        assert waits["web"] == {"app": "service_healthy"}
        assert services()["database"]["image"] == "postgres:18"
        assert services()["database"]["healthcheck"]["test"][1] == "pg_isready"
        # Where the images of version 18 and later keep their data; an older path would lose it with the container.
        assert services()["database"]["volumes"] == ["database:/var/lib/postgresql"]


@pytest.fixture
def empty_database(server: str) -> Iterator[str]:
    """The address of a database that nothing was done to."""
    name = "packaging"
    admin = server.replace("+psycopg", "").replace("/takehome?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield admin.replace("/postgres?", f"/{name}?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def answer_of(url: str, *, within: float, of: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    """What the program answers at the address, asked again until it answers at all."""
    until = time.monotonic() + within
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as answer:
            return answer.code, json.load(answer)
        except OSError:
            if of.poll() is not None or time.monotonic() > until:
                of.kill()
                pytest.fail(f"no answer: {of.communicate()[0]}")
            time.sleep(0.1)


class TestTheStart:
    def test_migrate_then_serve_in_production_is_healthy_and_ends_when_told(
        self, empty_database: str, tmp_path: Path
    ) -> None:
        port = free_port()
        here = {
            "DATABASE_URL": empty_database,
            "DISPENSARY_DATA": str(tmp_path / "data"),
            "DISPENSARY_KEYS": str(tmp_path / "keys" / "keys.json"),
            "DISPENSARY_HOST": "127.0.0.1",
            "DISPENSARY_PORT": str(port),
        }
        (tmp_path / "data").mkdir()
        (tmp_path / "keys").mkdir()

        def start(service: str) -> subprocess.Popen[str]:
            name, *rest = command_of(service)
            assert name == DISPENSARY.name
            environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment_of(service), **here}
            return subprocess.Popen(
                [str(DISPENSARY), *rest],
                env=environment,
                cwd=tmp_path / "data",
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )

        migrate = start("migrate")
        said, _ = migrate.communicate(timeout=60)
        assert migrate.returncode == 0, said

        app = start("app")
        try:
            status, health = answer_of(f"http://127.0.0.1:{port}/health/ready", within=30, of=app)
            assert (status, health["status"]) == (200, "ready")
            check = json.loads(given("HEALTHCHECK").split("CMD", 1)[1])
            asked = [sys.executable, *(part.replace(":8000/", f":{port}/") for part in check[1:])]
            assert subprocess.run(asked, check=False).returncode == 0
            app.send_signal(signal.SIGTERM)
            said, _ = app.communicate(timeout=20)
            assert app.returncode == 0, said
        finally:
            app.kill()
        assert not (tmp_path / "data" / "postgresql").exists(), "the server is the one of DATABASE_URL"
