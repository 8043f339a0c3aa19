"""In production the program does not start with what would be unsafe there, and says in one line what to change."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from dispensary.database import Database
from dispensary.demo.clinic import PASSWORD, STAFF
from dispensary.demo.left import refuse_demonstration
from dispensary.settings import BadSettings, CannotServe, settings_from
from dispensary.staff.rules import Role
from dispensary.staff.service import keep_password
from tests.dispensary.visiting import hire, open_site

SAFE = {
    "DISPENSARY_ENV": "production",
    "DISPENSARY_DATA": "/srv/data",
    "DISPENSARY_KEYS": "/srv/keys/keys.json",
    "DISPENSARY_PROXIES": "127.0.0.1, 10.0.0.0/24, ::1",
    "PUBLIC_BASE_URL": "https://clinic.example.org",
    "DATABASE_URL": "postgresql://takehome@database.example.org/takehome?sslmode=verify-full",
}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"PUBLIC_BASE_URL": "http://clinic.example.org"}, "https://"),
        ({"DISPENSARY_KEYS": "/srv/data/keys.json"}, "outside the data folder"),
        ({"DISPENSARY_PROXIES": ""}, "DISPENSARY_PROXIES"),
        ({"DISPENSARY_PROXIES": "everybody"}, "DISPENSARY_PROXIES"),
        ({"DATABASE_URL": "postgresql://takehome@database.example.org/takehome"}, "sslmode=verify-full"),
        ({"DATABASE_URL": "postgresql://takehome@10.0.0.4/takehome?sslmode=prefer"}, "sslmode=verify-full"),
        ({"DATABASE_URL": "postgresql:///takehome?host=10.0.0.4&sslmode=allow"}, "sslmode=verify-full"),
        ({"DATABASE_URL": "postgresql:///takehome?host=10.0.0.4:5432&host=localhost:5432"}, "sslmode=verify-full"),
        ({"DATABASE_URL": "postgresql:///takehome?host=/run/postgresql,10.0.0.4"}, "on 10.0.0.4 by TLS"),
        ({"LITESTAR_DEBUG": "1"}, "LITESTAR_DEBUG"),
        ({"LITESTAR_PDB": "1"}, "LITESTAR_PDB"),
        ({"PYTHONDEVMODE": "1"}, "PYTHONDEVMODE"),
        ({"PYTHONASYNCIODEBUG": "1"}, "PYTHONASYNCIODEBUG"),
    ],
)
def test_an_unsafe_setting_is_refused_in_one_line(changed: dict[str, str], says: str) -> None:
    assert settings_from(SAFE).production
    with pytest.raises(BadSettings, match=says) as refused:
        settings_from({**SAFE, **changed})
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_keys_that_others_may_read_are_refused(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text("{}")
    for mode, refused in ((0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o644, True)):
        keys.chmod(mode)
        if refused:
            with pytest.raises(BadSettings, match="chmod 600"):
                settings_from({**SAFE, "DISPENSARY_KEYS": str(keys)})
        else:
            assert settings_from({**SAFE, "DISPENSARY_KEYS": str(keys)}).keys == keys


def test_a_clinic_of_the_demonstration_is_not_served(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    site = open_site(database, now)
    username = STAFF[0][0]
    account = hire(database, site, username, [Role.ADMINISTRATOR], now)
    with database.reading() as session:
        refuse_demonstration(session)  # the name alone is nobody's fault
    with database.writing() as session:
        keep_password(session, account.id, PASSWORD)
    with database.reading() as session, pytest.raises(CannotServe, match=username):
        refuse_demonstration(session)
    record_property("figure", "TLS, keys, proxies, database, debug, demonstration")
