"""The programme from above: counted as days close, few people unsaid, silent sites named, stock shared."""

from __future__ import annotations

import gzip
import re
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from dispensary.database import Database
from dispensary.evaluation.rollup import site_figures
from dispensary.evaluation.rollup_rules import FIGURES, SiteFigures, Voice, rolled_up, voice_of
from dispensary.reporting.map import drawn
from dispensary.reporting.pens import as_svg
from dispensary.staff.branches import grant_at_branch
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.supplies.closing import close_day
from dispensary.supplies.voiding import void_supply
from dispensary.verification.verifying import verify
from tests.builders import Clinic
from tests.dispensary.branch_place import Programme, programme
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import PASSWORD, MovableClock, Visitor, demo_settings, has_pin, hire, text_of

NOW = datetime(2026, 11, 24, 1, tzinfo=UTC)


@pytest.fixture
def here(database: Database, now: datetime) -> Programme:
    return programme(database, now)


def close(place: Clinic) -> None:
    with place.database.writing() as session:
        close_day(session, actor=place.pharmacist, day=place.today, today=place.today, counts=None, at=place.now)


def counted(place: Clinic) -> list[tuple[object, ...]]:
    with place.database.reading() as session:
        rows = session.execute(
            text("SELECT active, began, ended, doses FROM fact_site_day WHERE site_id = :s ORDER BY dose_day"),
            {"s": place.site_id},
        )
        return [tuple(row) for row in rows]


class TestAClosedDay:
    def test_is_counted_as_it_closes_and_again_when_something_of_it_was_voided(self, here: Programme) -> None:
        place = here.main
        clients = [place.client(mg="60") for _ in range(3)]
        place.decide(clients[0], per_supply=2)
        handed = [place.give(clients[0], take_home_days=place.ahead(1)), place.give(clients[1])]
        close(place)
        assert counted(place) == [(3, 3, 0, 3)]
        with place.database.reading() as session:
            stock = session.execute(text("SELECT product, out_ml, left_ml FROM fact_stock_day")).all()
        assert stock == [("methadone oral solution 5 mg/mL", Decimal(36), Decimal(4964))]

        place.move_on()
        has_pin(place.database, place.doctor, "271828", place.now)
        with place.database.writing() as session:
            void_supply(
                session, actor=place.pharmacist, supply_id=handed[1].supply_id, reason="wrong client",
                second_id=place.doctor.account_id, pin="271828", key="void-key-000001", today=place.today, at=place.now,
            )  # fmt: skip
        place.give(clients[1])
        close(place)
        assert counted(place) == [(3, 3, 0, 2), (3, 0, 0, 1)]
        assert verified(place) == []
        with place.database.writing() as session:
            session.execute(text("UPDATE fact_site_day SET active = 4 WHERE dose_day = :day"), {"day": place.today})
        (found,) = verified(place)
        assert f"has 4 in treatment on {place.today}: the day before, who began and who left make 3" in found


def verified(place: Clinic) -> list[str]:
    with place.database.reading() as session:
        return [str(finding) for finding in verify(session, now=place.now)]


def figures(code: str, *, active: int = 20, began: int = 0, ended: int = 0, voice: Voice = Voice.REPORTS,
            at: tuple[str, str] | None = None) -> SiteFigures:  # fmt: skip
    lat, lon = (Decimal(at[0]), Decimal(at[1])) if at else (None, None)
    return SiteFigures(
        uuid4(), code, f"Site {code}", date(2026, 11, 23), active=active, began=began, ended=ended,
        doses=active * 28, waits=active, wait_seconds=active * 600, voice=voice, lat=lat, lon=lon,
    )  # fmt: skip


class TestFewPeople:
    @given(
        st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=7),
        st.booleans(),
    )
    def test_are_not_told_by_what_is_shown_nor_by_subtraction(
        self, sites: list[tuple[int, int, int]], shielded: bool
    ) -> None:
        groups = [
            (f"S{n}", f"Site {n}", False, [figures(f"S{n}", active=a, began=b, ended=e)])
            for n, (a, b, e) in enumerate(sites)
        ]
        rolled = rolled_up(groups, name="All", code="ALL", shielded=shielded, least=5)
        for figure in FIGURES:
            shown = [row.figures[figure] for row in rolled.rows]
            total = rolled.total.figures[figure]
            if not shielded:
                assert None not in shown
                assert total == sum(each or 0 for each in shown)
                continue
            people = [a if figure in ("active", "doses") else b if figure == "began" else e for a, b, e in sites]
            assert all(value is None or few == 0 or few >= 5 for value, few in zip(shown, people, strict=True))
            hidden = [few for value, few in zip(shown, people, strict=True) if value is None]
            if total is not None and hidden:
                assert len(hidden) > 1, "one alone would be the difference"
            if total is None and not hidden:
                assert sum(people) < 5

    @pytest.mark.parametrize(
        ("last_day", "seen_hours_ago", "voice"),
        [(23, None, Voice.REPORTS), (22, 1, Voice.LATE), (22, 25, Voice.OFF_LINE), (22, None, Voice.OFF_LINE),
         (None, None, Voice.NEW), (None, 1, Voice.NEW)],
    )  # fmt: skip
    def test_a_site_is_heard_by_its_last_closed_day_or_by_whoever_works_there(
        self, last_day: int | None, seen_hours_ago: int | None, voice: Voice
    ) -> None:
        found = voice_of(
            last_day=date(2026, 11, last_day) if last_day else None,
            due=date(2026, 11, 23),
            seen_at=NOW - timedelta(hours=seen_hours_ago) if seen_hours_ago else None,
            now=NOW,
        )
        assert found is voice

    @pytest.mark.parametrize(
        ("last_day", "voice"), [(date(2026, 11, 23), Voice.REPORTS), (date(2026, 11, 22), Voice.APART),
                                (None, Voice.APART)],
    )  # fmt: skip
    def test_a_site_on_a_server_of_its_own_is_heard_by_what_comes_from_there(
        self, last_day: date | None, voice: Voice
    ) -> None:
        assert voice_of(last_day=last_day, due=date(2026, 11, 23), seen_at=NOW, now=NOW, apart=True) is voice


class TestTheMap:
    def test_puts_sites_where_they_lie_and_says_in_words_what_it_shows(self) -> None:
        sites = [figures("HN", at=("21.03", "105.85")), figures("SG", at=("10.76", "106.66"), voice=Voice.OFF_LINE),
                 figures("NO")]  # fmt: skip
        picture = drawn(sites, title="Map of Viet Nam")
        assert picture is not None
        assert picture.says == "reports: 1; off-line: 1. 1 site has no coordinates."
        spots = {words.text: words.at for words in picture.shapes if getattr(words, "text", "") in ("HN", "SG")}
        assert spots["HN"][1] < spots["SG"][1], "north is up"
        assert spots["HN"][0] < spots["SG"][0], "east is right"
        assert as_svg(picture) == as_svg(drawn(sites[::-1], title="Map of Viet Nam"))  # type: ignore[arg-type]
        assert drawn([figures("NO")], title="nowhere") is None


def seated(here: Programme, folder: Path, username: str, place: Clinic, *roles: Role) -> Visitor:
    app = lent_app(demo_settings(folder), here.database, MovableClock(here.main.now + timedelta(days=1)))
    with here.database.reading() as session:
        site = session.get_one(Site, place.site_id)
    hire(here.database, site, username, roles, here.main.now)
    visitor = Visitor(app)
    assert visitor.signs_in(username, PASSWORD).status_code == 303
    return visitor


def test_pages_show_whoever_runs_it_everything_and_an_evaluator_nothing_of_few(here: Programme, tmp_path: Path) -> None:
    for _ in range(3):
        here.main.client()
    for _ in range(6):
        here.other.client()
    for place in (here.main, here.other):
        close(place)
    app = lent_app(demo_settings(tmp_path), here.database, MovableClock(here.main.now + timedelta(days=1)))
    chief = Visitor(app)
    assert chief.signs_in("chief", PASSWORD).status_code == 303
    seen = text_of(chief.get("/programme"))
    assert "Area P1 P1 3 3 0 0" in seen
    assert "Area P2 P2 6 6 0 0" in seen
    assert "1 site does not report" not in seen, "a satellite that has closed no day yet is new, not silent"
    assert chief.get("/programme?at=NOWHERE").status_code == 404
    assert "No transfer is proposed." in text_of(chief.get("/programme/stock?at=P1"))
    crossed = {"low_days": "9", "target_days": "5", "keep_days": "20", "silent_hours": "4"}
    wrong = chief.post("/programme/stock", crossed)
    assert (wrong.status_code, "grow from the first to the last" in text_of(wrong)) == (422, True)
    right = {"low_days": "7", "target_days": "14", "keep_days": "20", "silent_hours": "4"}
    assert chief.post("/programme/stock", right).headers["location"] == "/programme/stock?done=set"

    judge = seated(here, tmp_path, "judge", here.other, Role.EVALUATOR)
    with here.database.writing() as session:
        grant_at_branch(session, actor=here.chief, username="judge", branch="MY", role=Role.EVALUATOR, at=here.main.now)
    shown = text_of(judge.get("/programme"))
    assert "Area P1 P1 – – 0 –" in shown
    assert "A figure of fewer than 5 people is not said" in shown
    assert judge.get("/programme/stock").status_code == 403
    assert judge.get("/programme?at=P1").status_code == 200

    # A program is told the same, and no more.
    whole = chief.get("/api/programme").json()
    assert [(each["code"], each["sites"], each["active"], each["doses"]) for each in whole["inside"]] == [
        ("P1", 2, 3, 0), ("P2", 1, 6, 0)
    ]  # fmt: skip
    assert (whole["total"]["active"], whole["days"]) == (9, 28)
    told = judge.get("/api/programme").json()
    assert [each["active"] for each in (*told["inside"], told["total"])] == [None, None, 9]
    assert chief.get("/api/programme?at=NOWHERE").status_code == 404
    looks = "SELECT count(*) FROM audit_entry WHERE act = 'looked at figures'"
    with here.database.reading() as session:
        assert session.scalar(text(looks)) == 3, "each look of an evaluator is on record, on the page and by a program"

    clerk = seated(here, tmp_path, "clerk", here.other, Role.RECEPTION)
    assert clerk.get("/programme").status_code == 403
    assert clerk.get("/api/programme").status_code == 403
    local = seated(here, tmp_path, "local", here.other, Role.EVALUATOR)
    assert local.get("/programme?at=P1").status_code == 404, "another branch is not theirs to see"
    assert re.search(r"Area P2 .*1 site ", text_of(local.get("/programme")))


def test_a_site_on_a_server_of_its_own_is_shown_as_such_and_not_as_off_line(here: Programme, tmp_path: Path) -> None:
    for place in (here.main, here.satellite):
        close(place)
    later = here.main.now + timedelta(days=3)
    chief = Visitor(lent_app(demo_settings(tmp_path), here.database, MovableClock(later)))
    assert chief.signs_in("chief", PASSWORD).status_code == 303
    seen = text_of(chief.get("/programme"))
    assert "Harapan KLG off-line" in seen
    assert "on a server of their own" not in seen
    heard = here.main.now + timedelta(hours=5)
    with here.database.writing() as session:
        lent = "INSERT INTO site_apart (site_id, since, known_at, whole, heard_at) VALUES (:s, :at, :at, true, :heard)"
        session.execute(text(lent), {"s": here.satellite.site_id, "at": here.main.now, "heard": heard})
    seen = text_of(chief.get("/programme"))
    assert "2 sites do not report" in seen, "what has not come is not known"
    assert "KLG runs apart, and is not heard" in seen
    assert re.search(r"Sites on a server of their own .*KLG Tue 24 Nov 2026 Tue 24 Nov 2026, ", seen)


COUNTRY = """
INSERT INTO area (id, parent_id, kind, code, name, made_at)
SELECT gen_random_uuid(), NULL, 'country', 'VN', 'Viet Nam', :at;
INSERT INTO area (id, parent_id, kind, code, name, made_at)
SELECT gen_random_uuid(), a.id, 'province', 'P' || n, 'Province ' || n, :at FROM generate_series(1, 63) n, area a;
INSERT INTO site (id, code, name, zone, region, language, day_starts, address, phone, prescriber_phone, jump_percent,
    jump_mg, missed_days_ask, opened_at, area_id, lat, lon)
SELECT gen_random_uuid(), 'S' || n, 'Commune health centre ' || n, 'Asia/Ho_Chi_Minh', 'VN', 'vi', '00:00', '', '', '',
    30, 20, 3, :at, a.id, 9 + n * 0.017, 105 + n % 40 * 0.08
FROM generate_series(1, 790) n JOIN area a ON a.code = 'P' || n % 63 + 1;
INSERT INTO fact_site_day SELECT s.id, d::date, d, 115, 1, 0, 110, 100, 60000, 1 FROM site s,
    generate_series(CAST(:until AS date) - 180, CAST(:until AS date), interval '1 day') d WHERE s.code <> 'S7';
INSERT INTO fact_stock_day SELECT site_id, dose_day, 'methadone 5 mg/mL', 1500, 9000 FROM fact_site_day;
ANALYZE;
"""


def test_a_country_of_790_sites_is_shown_within_300_ms(database: Database, now: datetime, tmp_path: Path) -> None:
    with database.writing() as session:
        for statement in COUNTRY.split(";"):
            if statement.strip():
                session.execute(text(statement), {"at": now - timedelta(days=200), "until": now.date()})
        site = session.execute(text("SELECT id FROM site WHERE code = 'S1'")).scalar_one()
        first = session.get_one(Site, site)
    hire(database, first, "chief", [Role.EVALUATOR], now)
    with database.writing() as session:
        session.execute(
            text("""INSERT INTO branch_grant (id, account_id, area_id, role, granted_at) SELECT gen_random_uuid(), a.id,
                    (SELECT id FROM area WHERE code = 'VN'), 'evaluator', now() FROM account a""")
        )
    app = lent_app(demo_settings(tmp_path), database, MovableClock(now + timedelta(hours=12)))
    chief = Visitor(app)
    assert chief.signs_in("chief", PASSWORD).status_code == 303
    took: list[float] = []
    while len(took) < 25 and (len(took) < 5 or min(took) >= 0.3):  # as it is when nobody else wants the machine
        began = time.perf_counter()
        answer = chief.client.get("/programme")
        took.append(time.perf_counter() - began)
    assert "Province 63" in answer.text
    assert "90,735" in text_of(answer), "115 in treatment at each of 789 sites; one never closed a day"
    assert min(took) < 0.3, took
    assert len(gzip.compress(answer.content)) < 60 * 1024, "as it goes over the wire"
    print(
        f"\nprogramme page, 790 sites, 180 days: {sorted(took)[2] * 1000:.0f} ms, {len(answer.content) / 1024:.0f} kB"
    )

    with database.reading() as session:
        every = list(session.scalars(text("SELECT id FROM site")))
        plan = "\n".join(
            row[0]
            for row in session.execute(
                text("EXPLAIN SELECT sum(doses) FROM fact_site_day WHERE dose_day > :d AND site_id = ANY(:s)"),
                {"d": now.date(), "s": every[:3]},
            )
        )
        assert "pk_fact_site_day" in plan
        assert len(site_figures(session, site_ids=every, seen={}, now=now + timedelta(hours=12))) == 790
