"""Every page, file and answer that shows something of a client leaves an entry: all routes are walked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from httpx import Response
from sqlalchemy import func, select, text

from dispensary.database import Database
from dispensary.looks.asking import WHOSE
from dispensary.staff.models import AuditEntry, Site
from dispensary.staff.rules import Role
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_audit_sites import furnished
from tests.dispensary.visiting import Visitor, hire

SHOW_NOTHING = {
    "/looking/{client_id}": "asks why, and shows a number",
}
"""Routes with a client in them that show nothing of one."""
OF_THE_SITE = {
    "ticket",
    "survey_id",
    "book_id",
    "account_id",
    "demand_id",
    "intake_id",
    "passkey_id",
    "instrument",
    "plan",
    "accreditation_id",
    "version_id",
    "form",
    "name",
    "number",
    "file_id",
    "laboratory_id",
    "transfer_id",
    "investigation_id",
    "day",
    "token",
    "owner",
    "gateway",
    "file_path",
    "path",
}
"""Parts of an address that lead to no client: books, accounts, policies, files, days."""
SEARCH = "/api/clients/search"
QUERY = {"first": "2026-11-24", "last": "2026-11-24", "find": "Ahmad"}
MORE_IDS = """
SELECT (SELECT id FROM dose_order WHERE client_id = :client LIMIT 1), (SELECT serial FROM bottle
    WHERE client_id = :client LIMIT 1), (SELECT id FROM assessment WHERE client_id = :client LIMIT 1)
"""


@pytest.fixture
def clinic(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def everybody(clinic: Desks) -> Visitor:
    with clinic.database.reading() as session:
        site = session.get_one(Site, clinic.place.site_id)
    hire(clinic.database, site, "everybody", list(Role), clinic.place.now)
    visitor = Visitor(clinic.app)
    assert visitor.signs_in("everybody").status_code == 303
    return visitor


def routes(clinic: Desks) -> Iterator[tuple[str, set[str]]]:
    """Every path that can be asked for, with the names of its parts."""
    for route in clinic.app.routes:
        template = re.sub(r":\w+", "", getattr(route, "path_format", ""))
        if "GET" in getattr(route, "methods", ()):
            yield template, set(re.findall(r"\{(\w+)", template))


def entries(clinic: Desks, subject: object = None) -> int:
    with clinic.database.reading() as session:
        counted = select(func.count()).select_from(AuditEntry)
        return session.scalar(counted.where(AuditEntry.subject_id == subject) if subject else counted) or 0


def ids_of(clinic: Desks) -> dict[str, object]:
    ids = furnished(clinic.place)
    with clinic.database.reading() as session:
        order, serial, assessment = session.execute(text(MORE_IDS), {"client": ids["client_id"]}).one()
    return {**ids, "order_id": order, "serial": serial, "assessment_id": assessment, "code": "alt"}


def test_every_part_of_an_address_leads_to_a_client_or_is_named_as_one_that_does_not(clinic: Desks) -> None:
    of_a_client = {
        "order_id",
        "assessment_id",
        "medication_id",
        "treatment_id",
        "consent_id",
        "code",
        "screening_id",
    }  # below its path
    unknown = {
        (template, name)
        for template, names in routes(clinic)
        for name in names
        if name not in WHOSE and name not in OF_THE_SITE and not (name in of_a_client and "client_id" in names)
    }
    assert unknown == set(), "say whose it is in looks/asking.py, or here that it is nobody's"


def test_whatever_opens_a_client_leaves_an_entry_about_them(clinic: Desks, everybody: Visitor) -> None:
    ids = ids_of(clinic)
    client = ids["client_id"]
    asked, silent, unopened = [], [], []
    for template, names in routes(clinic):
        if not names & set(WHOSE) or not all(ids.get(name) for name in names) or template in SHOW_NOTHING:
            continue
        before = entries(clinic, client)
        clinic.clock.goes_on(seconds=1)
        answer = everybody.get(re.sub(r"\{(\w+)\}", lambda found: str(ids[found[1]]), template), params=QUERY)
        asked.append(template)
        if answer.status_code != 200:
            unopened.append((template, answer.status_code))
        elif entries(clinic, client) == before and not template.endswith("/photo"):
            silent.append(template)
    assert silent == []
    assert len(asked) > 30
    # What is not there in this small clinic is not opened: few pages only, so that the others are really read.
    assert len(unopened) <= 6, unopened


def test_every_list_of_names_is_one_entry_and_no_second_one_soon_after(clinic: Desks, everybody: Visitor) -> None:
    ids = ids_of(clinic)
    with clinic.database.reading() as session:
        name = "Ahmad Test"
        assert session.scalar(select(func.count()).select_from(AuditEntry))
    named, silent, twice = [], [], []

    def asks(template: str, path: str, **headers: str) -> Response:
        if template == SEARCH:
            return everybody.send("POST", path, {"find": name}, **headers)
        return everybody.get(path, params=QUERY if template.startswith("/api") else None, headers=headers)

    for template, names in [*routes(clinic), (SEARCH, set[str]())]:
        if (
            names & set(WHOSE)
            or not all(ids.get(each) for each in names)
            or template.startswith(("/schema", "/screen"))
        ):
            continue
        path = re.sub(r"\{(\w+)\}", lambda found: str(ids[found[1]]), template)
        before = entries(clinic)
        clinic.clock.goes_on(seconds=1)
        answer = asks(template, path)
        if answer.status_code != 200 or name not in answer.text:
            continue
        named.append(template)
        after = entries(clinic)
        if after == before:
            silent.append(template)
            continue
        asks(template, path, **{"X-Quiet": "1"})
        with clinic.database.reading() as session:
            last = session.scalars(
                select(AuditEntry.act).order_by(AuditEntry.at.desc(), AuditEntry.seq.desc()).limit(1)
            )
            if entries(clinic) > after and last.one() == "looked at list":
                twice.append(template)
    assert silent == []
    assert twice == []
    assert SEARCH in named
    assert len(named) >= 8, named


def test_a_photo_belongs_to_its_page_and_is_a_look_by_itself(clinic: Desks, everybody: Visitor) -> None:
    client = clinic.place.client()
    picture = b"\xff\xd8\xff\xe0" + b"0" * 64
    with clinic.database.writing() as session:
        sealed = session.vault.seal("client.photo", client, picture, of=client)
        session.execute(text("UPDATE client SET photo_sealed = :photo WHERE id = :id"), {"photo": sealed, "id": client})
    before = entries(clinic, client)
    assert everybody.get(f"/counter/clients/{client}/photo").status_code == 200
    assert entries(clinic, client) == before + 1, "asked for by itself"
    assert everybody.get(f"/counter/clients/{client}").status_code == 200
    assert everybody.get(f"/counter/clients/{client}/photo").status_code == 200
    assert entries(clinic, client) == before + 2, "part of the page"
