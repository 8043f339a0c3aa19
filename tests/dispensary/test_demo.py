"""The demonstration clinic: the same every time, true to every rule, and open to each role without a dead link."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime
from functools import partial
from html import unescape
from pathlib import Path
from random import Random

from sqlalchemy import text

from dispensary.app import create_app
from dispensary.database import Database
from dispensary.demo.clinic import CODE, PASSWORD, STAFF, fill, is_filled
from dispensary.demo.people import ACTIVE, AWAY, LEFT, people, portrait
from dispensary.demo.trying import WORDS, to_see, to_try
from dispensary.desks.worklist import IsAbsent, waiting
from dispensary.staff.queries import place, site_by_code, sites_here
from dispensary.supplies.nightwatch import undone
from dispensary.verification.verifying import verify
from tests.dispensary.visiting import MovableClock, Visitor, demo_settings

NOW = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)  # half past eight in the morning in Kuala Lumpur


def test_the_same_people_come_from_the_same_seed() -> None:
    drawn = [people(Random(20), date(2026, 11, 24)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == ACTIVE + LEFT
    assert portrait(drawn[0][0], 1) == portrait(drawn[1][0], 1)
    doses = [person.target_mg for person in drawn[0]]
    assert min(doses) >= 20
    assert max(doses) <= 250
    assert {"hiv", "hepatitis_c"} <= {kind for person in drawn[0] for kind in person.conditions}


def test_the_clinic_is_true_to_every_rule_and_each_role_finds_every_page(database: Database, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    fill(database, now=NOW, public_base_url="http://127.0.0.1:8000", say=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] >= 300, "a year of days, and its progress"
    with database.reading() as session:
        assert is_filled(session)
        site = place(session, site_by_code(session, CODE).id)
        owed = {each.code: database.glance(partial(undone, site=each, now=NOW)) for each in sites_here(session)}
        assert not any(owed.values()), "the night left nothing undone"
        active = text("SELECT count(*) FROM episode WHERE ended_on IS NULL AND site_id = :site")
        assert session.execute(active, {"site": site.id}).scalar_one() == ACTIVE
        outcomes = Counter(dict(session.execute(text("SELECT outcome, count(*) FROM day_outcome GROUP BY 1")).all()))
        assert all(outcomes[kind] > 500 for kind in ("observed", "take_home", "missed"))
        assert outcomes["missed"] < outcomes.total() * 0.15
        pickups = to_try(session, site_id=site.id, today=site.dose_day(NOW))
        assert pickups
        assert all(len(pickup.code) == 8 for pickup in pickups)
        told_of = to_see(session, site_id=site.id, today=site.dose_day(NOW))
        assert [one.words for one in told_of] == [words for _, _, words in WORDS], "one of each thing that is new"
        assert len({one.number for one in told_of}) == len(told_of), "nobody is about two things"
        assert "S0007@SGI" in {one.number for one in told_of}, "a guest from the other site"
        away = {row.number: row for row in waiting(session, site_id=site.id, today=site.dose_day(NOW))}
        days = [reason.days for row in away.values() for reason in row.reasons if isinstance(reason, IsAbsent)]
        assert set(AWAY.values()) <= set(days)
        due = "SELECT sentence FROM task WHERE due_on = :day AND sentence LIKE 'Before the rise%'"
        assert len(session.scalars(text(due), {"day": site.dose_day(NOW)}).all()) == 1
        observed = "SELECT observe_until FROM dose_exception WHERE kind = 'wrong_dose'"
        assert session.execute(text(observed)).scalar_one() > NOW
        recalled = "SELECT count(*) FROM bottle b JOIN recall r USING (client_id) WHERE b.dose_day >= r.from_day"
        assert session.execute(text(recalled)).scalar_one() >= 2, "there is something to count"
    with database.reading() as session:
        assert [str(finding) for finding in verify(session, now=NOW)] == []
    app = create_app(demo_settings(tmp_path), database, MovableClock(NOW))
    for username, _, _, role in STAFF:
        visitor = Visitor(app)
        assert visitor.signs_in(username, PASSWORD).status_code == 303
        seen = crawl(visitor)
        assert len(seen) > 3, role
        assert {path: status for path, status in seen.items() if status >= 400} == {}, role


def crawl(visitor: Visitor, most: int = 60) -> dict[str, int]:
    """Follows the links of pages from the first one on: how each answered. Of pages of one form it opens three."""
    waiting, seen, forms = ["/"], {}, Counter[str]()
    while waiting and len(seen) < most:
        path = waiting.pop(0)
        answer = visitor.get(path)
        seen[path] = answer.status_code
        if "text/html" not in answer.headers.get("content-type", ""):
            continue
        for link in re.findall(r'<a[^>]+href="(/[^"#]*)', answer.text):
            link = unescape(link)
            form = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\d", "*", link)
            if link not in seen and link not in waiting and forms[form] < 3:
                forms[form] += 1
                waiting.append(link)
    return seen
