"""Writing imported history with COPY: the same rows, constraints and triggers as one by one, in a tenth of the time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import text

from dispensary.database import WriteSession
from dispensary.staff.models import Site
from dispensary.staff.rules import day_begins
from dispensary.supplies.history_rules import ClientPlan
from dispensary.units import ClientId, new_id

_DAYS_AT_ONCE = 4000
_REASON = "read out of imported history"


@dataclass(frozen=True)
class _Rows:
    """A plan with the ids of the rows that it becomes."""

    plan: ClientPlan
    client_id: ClientId
    episode_id: UUID
    order_ids: tuple[UUID, ...]
    """Of the runs; the order that is already on record stands last, where run -1 finds it."""
    supply_ids: tuple[UUID, ...] = field(default=())

    @property
    def new_episode(self) -> bool:
        return self.plan.known is None or self.plan.known.episode_id is None


def write_plans(
    session: WriteSession,
    *,
    site: Site,
    plans: Sequence[ClientPlan],
    at: datetime,
    progress: Callable[[int, int], None],
) -> None:
    """Writes what each plan adds, client by client, so that a client's row is locked once and for one stretch.

    Orders come before the doses that they allow, and outcomes after the doses, since a closed day takes no dose.
    """
    session.flush()
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    writing = _Writing(session, connection, site, at)
    total, done = sum(plan.doses for plan in plans), 0
    progress(done, total)
    for some in _in_parts(plans):
        rows = [_with_ids(plan) for plan in some]
        writing.people(rows)
        writing.orders(rows)
        writing.days(rows)
        done += sum(plan.doses for plan in some)
        progress(done, total)
    if total >= _DAYS_AT_ONCE:  # until the server looks by itself it would plan the next reads for empty tables
        session.execute(text("ANALYZE client, client_index, episode, dose_order, supply, dose, day_outcome"))


def _in_parts(plans: Iterable[ClientPlan]) -> Iterator[list[ClientPlan]]:
    part: list[ClientPlan] = []
    days = 0
    for plan in plans:
        part.append(plan)
        days += len(plan.days)
        if days >= _DAYS_AT_ONCE:
            yield part
            part, days = [], 0
    if part:
        yield part


def _with_ids(plan: ClientPlan) -> _Rows:
    known = plan.known
    order_ids = [new_id() for _ in plan.runs]
    if known and known.last_order:
        order_ids.append(known.last_order.order_id)
    return _Rows(
        plan,
        client_id=known.client_id if known else ClientId(new_id()),
        episode_id=known.episode_id if known and known.episode_id else new_id(),
        order_ids=tuple(order_ids),
        supply_ids=tuple(new_id() for taken in plan.days if taken.mg),
    )


@dataclass(frozen=True)
class _Writing:
    session: WriteSession
    connection: psycopg.Connection[Any]
    site: Site
    at: datetime

    def people(self, rows: Sequence[_Rows]) -> None:
        """New clients, known by their number alone, and new episodes, which begin with the first dose."""
        vault, site_id = self.session.vault, self.site.id
        new = [row for row in rows if row.plan.known is None]
        self._copy(
            "client (id, site_id, number, name_sealed, sex, made_at)",
            (
                (r.client_id, site_id, r.plan.number, vault.seal("client.name", r.client_id, r.plan.number), "unknown",
                 self.at)
                for r in new
            ),
        )  # fmt: skip
        self._copy(
            "client_index (client_id, digest, kind, site_id)",
            (
                (r.client_id, vault.blind(f"client.number|{site_id}", r.plan.number), "number", site_id)
                for r in new
            ),
        )  # fmt: skip
        self._copy(
            "episode (id, client_id, site_id, began_on, origin)",
            ((r.episode_id, r.client_id, site_id, r.plan.days[0].day, "import") for r in rows if r.new_episode),
        )

    def orders(self, rows: Sequence[_Rows]) -> None:
        """The order on record is extended or gives way first, so that the new ones do not overlap it."""
        going_on = [
            {
                "id": r.plan.known.last_order.order_id,
                "ends": r.plan.last_order_ends,
                "why": "superseded" if r.plan.last_order_superseded else "as_written",
                "at": self.at,
            }
            for r in rows
            if r.plan.known and r.plan.known.last_order
        ]
        if going_on:
            self.session.execute(
                text(
                    "UPDATE dose_order SET days = daterange(lower(days), :ends), end_reason = :why, ended_at = :at"
                    " WHERE id = :id"
                ),
                going_on,
            )
        self._copy(
            "dose_order (id, episode_id, client_id, site_id, days, mg, portions, end_reason, ended_at, reason,"
            " ordered_at, origin)",
            (
                (
                    order_id, r.episode_id, r.client_id, self.site.id, f"[{run.begins},{run.ends})", run.mg,
                    [run.mg], "superseded" if run.superseded else "as_written", self.at, _REASON, self.at, "import",
                )
                for r in rows
                for run, order_id in zip(r.plan.runs, r.order_ids, strict=False)
            ),
        )  # fmt: skip

    def days(self, rows: Sequence[_Rows]) -> None:
        """One supply and one observed dose for each day that was taken, then what became of every day."""
        site_id = self.site.id
        taken = [
            (r, supply_id, day)
            for r in rows
            for supply_id, day in zip(r.supply_ids, (day for day in r.plan.days if day.mg), strict=True)
        ]
        self._copy(
            "supply (id, site_id, client_id, episode_id, dose_day, at, key, request_sha256, identified_by,"
            " observation, second_look, origin, answer)",
            (
                (
                    supply_id, site_id, r.client_id, r.episode_id, day.day, self._noon(day.day),
                    f"import:{r.plan.number}:{day.day}",
                    sha256(f"{r.plan.number}|{day.day}|{day.mg}".encode()).digest(),
                    "import", "", "", "import", "{}",
                )
                for r, supply_id, day in taken
            ),
        )  # fmt: skip
        self._copy(
            "dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, closed_day)",
            (
                (
                    new_id(), supply_id, site_id, r.client_id, r.order_ids[day.run], day.day, 1, 1, "observed",
                    day.mg, False,
                )
                for r, supply_id, day in taken
            ),
        )  # fmt: skip
        self._copy(
            "day_outcome (client_id, dose_day, portion, portions, site_id, episode_id, order_id, ordered_mg, given_mg,"
            " outcome, frozen_at)",
            (
                (
                    r.client_id, day.day, 1, 1, site_id, r.episode_id, r.order_ids[day.run], day.ordered, day.mg,
                    "observed" if day.mg else "missed", self.at,
                )
                for r in rows
                for day in r.plan.days
            ),
        )  # fmt: skip

    def _noon(self, day: date) -> datetime:
        return _middle_of(self.site.zone, self.site.day_starts, day)

    def _copy(self, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self.connection.cursor() as cursor, cursor.copy(f"COPY {columns} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


@lru_cache(maxsize=10_000)
def _middle_of(zone: str, day_starts: time, day: date) -> datetime:
    """Twelve hours into the dose day: the file does not say when, and this lies in the day in every zone."""
    return day_begins(zone, day_starts, day) + timedelta(hours=12)
