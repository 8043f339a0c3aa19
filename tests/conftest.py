"""A real PostgreSQL for every test: one embedded server a worker, one database a test, built by the migrations."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import Engine

from dispensary import database as ground
from dispensary.database import Database
from dispensary.embedded import start_embedded, stop_embedded
from dispensary.keys import Vault, fresh_vault
from dispensary.parts.dividing import divide, divide_by_month
from dispensary.parts.tables import BY, BY_MONTH, FEWEST
from dispensary.schema import migrate
from dispensary.staff import service

_numbers = itertools.count(1)

BEGAN = date(2026, 11, 24)
"""The day from which a database in months has months, until two ahead; what tests write of other months lies in the
rest, as it does in a country's until the night."""

# How long an example takes says what else the machine does, not whether the rule holds.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


# An installed program has its bytecode: where none is written each of the hundred that tests start compiles it anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


# Each test builds an application and throws it away: looking for circles takes a tenth of it, and less when seldom.
gc.set_threshold(100_000, 50, 100)


# A hash that costs next to nothing, with the real one's kind and form: hundreds of tests sign somebody in.
_REAL_ARGON2 = (service._HASHER, service._NOBODY)
service._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
service._NOBODY = service._HASHER.hash("nobody has this password")


@pytest.fixture
def real_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords and PINs are hashed at the program's own cost."""
    monkeypatch.setattr(service, "_HASHER", _REAL_ARGON2[0])
    monkeypatch.setattr(service, "_NOBODY", _REAL_ARGON2[1])


# Hundreds of databases are opened in a run, each with the same statements: they are compiled for one of them.
_REAL_ENGINE = ground._engine
_first: dict[object, Engine] = {}


def _alike(url: str, pool_size: int, settings: str = "", **options: Any) -> Engine:
    kind = (settings, tuple(sorted(options.items())))
    if kind not in _first:
        _first[kind] = _REAL_ENGINE(url, pool_size, settings, **options)
        with _first[kind].connect():
            pass
        _first[kind].dispose()
    engine = _REAL_ENGINE(url, pool_size, settings, _initialize=False, **options)
    engine.dialect = engine.pool._dialect = _first[kind].dialect
    engine._compiled_cache = _first[kind]._compiled_cache
    return engine


ground._engine = _alike


def _quick_folder() -> str | None:
    """Memory where there is plenty of it: a database a test is a few megabytes to copy, some thousand times."""
    memory = Path("/dev/shm")
    try:
        roomy = shutil.disk_usage(memory).free > 2 * 1024**3 and os.access(memory, os.W_OK)
    except OSError:
        roomy = False
    return str(memory) if roomy else None


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a database that is migrated and empty; nobody stays connected to it, since it is a template.

    With TAKEHOME_TESTS_DIVIDED=1 in the environment the tables that grow are divided in it, as a country's may be; with
    TAKEHOME_TESTS_DIVIDED=month they lie in months, where they can.
    """
    folder = Path(tempfile.mkdtemp(prefix="takehome-test-", dir=_quick_folder()))
    url = start_embedded(folder / "postgresql")
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
    template = Database(url, fresh_vault(), pool_size=2)
    migrate(template)
    if how := os.environ.get("TAKEHOME_TESTS_DIVIDED"):
        for table in BY:
            if how == "month" and table in BY_MONTH:
                divide_by_month(template, table, today=BEGAN, progress=lambda done, total, within: None)
            else:
                divide(template, table, parts=FEWEST, progress=lambda done, total, within: None)
    template.close()
    yield url
    stop_embedded(folder / "postgresql")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def vault() -> Vault:
    return fresh_vault()


@pytest.fixture(scope="session")
def keeper(server: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection beside all databases, which makes and drops them."""
    with psycopg.connect(server.replace("+psycopg", "").replace("/takehome?", "/postgres?"), autocommit=True) as keeper:
        yield keeper


@pytest.fixture
def database_url(server: str, keeper: psycopg.Connection[Any]) -> Iterator[str]:
    """A database of this test's own, a copy of the migrated template."""
    name = f"test_{next(_numbers)}"
    keeper.execute(f"CREATE DATABASE {name} TEMPLATE takehome STRATEGY file_copy")
    yield server.replace("/takehome?", f"/{name}?")
    keeper.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(database_url: str, vault: Vault) -> Iterator[Database]:
    database = Database(database_url, vault)
    yield database
    database.close()


@pytest.fixture
def now() -> datetime:
    """The moment at which a test plays, unless it says otherwise: a Tuesday at seven in the morning in Kuala Lumpur."""
    return datetime(2026, 11, 23, 23, 0, tzinfo=UTC)


CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def path_of_chromium() -> str:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail(
            "These tests look at pages with Chromium: install it (Debian: apt install chromium), or set CHROMIUM."
        )
    return path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One for all of a worker: its loop stays in the worker's thread, where a second one could not start."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path_of_chromium(), args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()
