"""Tables that lie in months: what is new, what is not, and what the commands say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from dispensary import cli
from dispensary.database import Database
from dispensary.embedded import NoDatabase
from dispensary.parts.coming import make_months
from dispensary.parts.dividing import divide_by_month, divided
from dispensary.parts.layouts import following, lacking, part_of, through, to_begin_with
from dispensary.parts.tables import BY_MONTH
from dispensary.verification.verifying import verify
from tests.builders import Clinic
from tests.dispensary.parts_place import MORE, all_whole, by_months, held, quiet, said, straight, worked
from tests.dispensary.test_parts import schema_dump

TODAY = date(2026, 11, 24)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return worked(database, now)


@pytest.fixture
def parted(place: Clinic) -> Clinic:
    by_months(place.database, TODAY)
    return place


class TestWhichMonths:
    def test_a_table_begins_with_its_oldest_row_and_is_two_ahead(self) -> None:
        assert to_begin_with(date(2026, 9, 30), TODAY) == through(date(2026, 9, 1), date(2027, 1, 1))
        assert to_begin_with(None, TODAY) == through(TODAY, date(2027, 1, 1))
        assert to_begin_with(date(2031, 1, 1), TODAY)[0] == date(2026, 11, 1)
        assert len(to_begin_with(date(1, 1, 1), TODAY)) == 243

    @pytest.mark.parametrize(
        ("strays", "today", "made"),
        [
            ([], TODAY, []),
            ([], date(2026, 12, 31), [date(2027, 2, 1)]),
            ([date(2020, 2, 1)], TODAY, [date(2020, 2, 1)]),
            ([date(2027, 2, 1), date(1900, 1, 1)], TODAY, []),
            ([date(2027, 2, 1)], date(2027, 6, 1), through(date(2027, 2, 1), date(2027, 2, 1))
             + through(date(2027, 6, 1), date(2027, 8, 1))),
        ],
    )  # fmt: skip
    def test_it_lacks_what_is_near_and_what_the_rest_has_rows_of(
        self, strays: list[date], today: date, made: list[date]
    ) -> None:
        assert lacking(through(date(2026, 11, 1), date(2027, 1, 1)), strays, today) == made

    def test_a_month_ends_where_the_next_one_begins(self) -> None:
        assert following(date(2026, 12, 1)) == date(2027, 1, 1)
        assert following(date(2026, 1, 1), -1) == date(2025, 12, 1)
        assert part_of("day_outcome", date(2026, 12, 1)).of == "FOR VALUES FROM ('2026-12-01') TO ('2027-01-01')"
        assert part_of("audit_entry", date(2026, 12, 1)).of == (
            "FOR VALUES FROM ('2026-12-01 00:00:00+00') TO ('2027-01-01 00:00:00+00')"
        )


CHANGED = {
    "constraint register_line pk_register_line PRIMARY KEY (id, dose_day) t",
    "constraint register_line uq_register_line_book_id_seq UNIQUE (book_id, seq, dose_day) t",
    "constraint register_line uq_register_line_corrects_id UNIQUE (corrects_id, dose_day) t",
    "constraint audit_entry pk_audit_entry PRIMARY KEY (site_id, seq, at) t",
    *(
        f"constraint {table} fk_{table}_{column} FOREIGN KEY ({column}) REFERENCES parts.key_pk_register_line(id) t"
        for table, column in (
            ("register_line", "corrects_id"),
            ("delivery", "line_id"),
            ("destruction", "line_id"),
            ("investigation", "line_id"),
        )
    ),
}


def test_nothing_but_the_keys_that_are_named_is_other_and_whole_again_it_is_the_same_to_the_byte(place: Clinic) -> None:
    before, dumped, rows = said(place.database), schema_dump(place.database), held(place.database)
    by_months(place.database, TODAY)
    assert divided(place.database) == dict.fromkeys(BY_MONTH, 4)
    new = set(said(place.database) - before)
    assert {line for line in new if line.startswith("constraint")} == CHANGED
    assert {line.split()[0] for line in new} == {"constraint", "index"}
    assert held(place.database) == rows
    all_whole(place.database)
    assert said(place.database) == before
    assert schema_dump(place.database) == dumped
    assert held(place.database) == rows
    with place.database.reading() as session:
        assert [str(finding) for finding in verify(session, now=place.now)] == []


def test_a_text_is_queued_once_whenever_and_is_in_no_month(place: Clinic) -> None:
    with pytest.raises(NoDatabase, match="a text is queued once for its reason, whenever"):
        divide_by_month(place.database, "message", today=TODAY, progress=quiet)


@pytest.fixture
def commands(parted: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> CliRunner:
    for name, value in {"DATABASE_URL": parted.database.url, "DISPENSARY_DATA": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("dispensary.commands.parts.must_fit", lambda database, at: None)
    monkeypatch.setattr("dispensary.commands.dividing.now", lambda: datetime(2026, 11, 24, tzinfo=UTC))
    monkeypatch.setattr("dispensary.commands.verifying.now", lambda: datetime(2027, 1, 24, tzinfo=UTC))
    return CliRunner()


def test_the_command_says_what_it_did_and_verify_what_is_to_be_looked_at(commands: CliRunner, parted: Clinic) -> None:
    def run(*words: str) -> tuple[int, str]:
        answer = commands.invoke(cli.main, words)
        return answer.exit_code, answer.output

    whole = run("divide", "--whole")[1].splitlines()
    assert [line.split(";")[0] for line in whole] == [f"{table}: whole" for table in ("audit_entry", "day_outcome",
                                                                                      "register_line")]  # fmt: skip
    code, output = run("divide", "day_outcome", "--by", "month")
    assert (code, output.split(";")[0]) == (0, "day_outcome: divided into 3 months and the rest by dose_day")
    assert run("divide", "message", "--by", "month")[1].startswith("message cannot lie in months: ")
    assert "goes with neither --parts nor --whole" in run("divide", "--by", "month", "--parts", "4")[1]
    assert [line.split(":")[0] for line in run("divide", "--by", "month")[1].splitlines()[:2]] == [
        "register_line",
        "audit_entry",
    ]
    assert run("divide", "--by", "month")[1] == "Every table that can be divided is divided.\n"
    with straight(parted.database, replica=True) as connection:
        connection.execute(MORE["day_outcome"], ["2030-01-01"])
    code, output = run("verify")
    assert "To look at: day_outcome lacks 2027-02, 2027-03; the next night makes them.\n" in output
    assert "To look at: day_outcome has 1 row in month_rest, in no month of their own: 2030-01.\n" in output


EVERYTHING = """
DO $$ DECLARE each record; BEGIN
    EXECUTE format('GRANT CREATE ON DATABASE %I TO owns', current_database());
    FOR each IN SELECT CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, oid::regclass::text AS name
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
        UNION ALL SELECT 'FUNCTION', p.oid::regprocedure::text FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c')
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO owns', each.kind, each.name);
    END LOOP;
END $$
"""


def test_what_an_administrator_divides_is_the_owners_whose_nights_go_on(place: Clinic) -> None:
    with straight(place.database) as connection:
        connection.execute("CREATE ROLE owns; GRANT CREATE, USAGE ON SCHEMA public TO owns")
        connection.execute(EVERYTHING)
    try:
        before = said(place.database)
        by_months(place.database, TODAY)
        make_months(place.database, today=date(2026, 12, 31))
        with straight(place.database) as connection:
            owners = connection.execute(
                "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname ~ '^(month_|parts$)'"
            ).fetchall()
            assert owners == [("owns",)]
        all_whole(place.database)
        assert said(place.database) == before
    finally:
        with straight(place.database) as connection:
            connection.execute("REASSIGN OWNED BY owns TO CURRENT_USER; DROP OWNED BY owns; DROP ROLE owns")
