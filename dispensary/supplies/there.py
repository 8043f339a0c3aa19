"""What there is of a client at the window, in one look: of a dozen things most clients have none, and none is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from dispensary.database import ReadSession
from dispensary.supplies.found import FOUND_SHOWN_DAYS
from dispensary.units import ClientId, DoseDay

MISSED_DAYS = 30
"""Over how many days before today missed days are counted."""

# Each of these asks for no less than the reader that follows it: what that one would show is seen here, and it alone
# says which of it is shown. Stays are those of the sites in view.
_THERE = """
SELECT
    EXISTS (SELECT FROM bottle WHERE client_id = %(client)s AND dose_day >= %(today)s),
    EXISTS (SELECT FROM pickup WHERE client_id = %(client)s AND state = 'prepared'),
    EXISTS (SELECT FROM alert WHERE client_id = %(client)s AND resolved_at IS NULL),
    EXISTS (SELECT FROM scheduled_look WHERE client_id = %(client)s AND done_at IS NULL),
    EXISTS (SELECT FROM dose_exception
        WHERE client_id = %(client)s AND (dose_day = %(today)s OR closed_at IS NULL)),
    EXISTS (SELECT FROM recall WHERE client_id = %(client)s AND state = 'open'),
    EXISTS (SELECT FROM stop_flag WHERE client_id = %(client)s AND cleared_at IS NULL),
    EXISTS (SELECT FROM supply WHERE client_id = %(client)s AND found IS NOT NULL AND dose_day >= %(found_since)s),
    EXISTS (SELECT FROM guest_stay WHERE client_id = %(client)s AND until_day > %(today)s),
    EXISTS (SELECT FROM treatment WHERE client_id = %(client)s AND stopped_on IS NULL),
    (SELECT count(DISTINCT dose_day) FROM day_as_known
        WHERE client_id = %(client)s AND outcome = 'missed' AND dose_day >= %(missed_since)s),
    coalesce((SELECT a.level FROM decision d JOIN assessment a ON a.id = d.assessment_id
        WHERE d.client_id = %(client)s AND d.voided_at IS NULL AND d.days @> %(today)s), '')
"""


class There(NamedTuple):
    """Whether there is any of each, how many days were missed in thirty, and the level of the decision in force."""

    bottles: bool
    """For today or later, wherever they are."""
    pickups: bool
    alerts: bool
    looks: bool
    unusual: bool
    recall: bool
    flags: bool
    found: bool
    stays: bool
    """Not over, in view of the sites that are in view."""
    treatments: bool
    """That run, of other medicine."""
    missed_in_30_days: int
    level: str
    """The level that the policy gave when the decision in force was made; empty without a decision."""


def what_is_there(session: ReadSession, *, client_id: ClientId, today: DoseDay) -> There:
    """Looks once, before what is there is read."""
    asked = {
        "client": client_id,
        "today": today,
        "found_since": today - timedelta(days=FOUND_SHOWN_DAYS),
        "missed_since": today - timedelta(days=MISSED_DAYS),
    }
    row = session.run(_THERE, asked).fetchone()
    assert row is not None
    return There._make(row)
