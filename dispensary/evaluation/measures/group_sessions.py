"""Group sessions: how many were held, and how many came."""

from __future__ import annotations

from dispensary.evaluation.known import stood
from dispensary.evaluation.measure import Figure, Indicator, Measure, OwnStratum

# A session is counted by its own id, and those who are not named by it too: ids say nothing else.
QUERY = f"""
    WITH held AS (
        SELECT m.id, m.site_id, m.about, m.others
        FROM group_meeting m JOIN site_day ON site_day.site_id = m.site_id
        WHERE {stood("m")} AND m.on_day >= :from_day AND m.on_day < :until_day
    ), came AS (
        SELECT a.client_id, held.site_id, held.about FROM held JOIN group_attendance a ON a.meeting_id = held.id
        WHERE a.voided_at IS NULL OR a.voided_at > :as_of
    )
    SELECT 'sessions' AS indicator, id AS client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator, about,
        site_id FROM held
    UNION ALL SELECT 'attended', client_id, 1, NULL, about, site_id FROM came
    UNION ALL SELECT 'others', id, others, NULL, about, site_id FROM held WHERE others > 0
    UNION ALL SELECT 'clients', client_id, 1, NULL, min(about), site_id FROM came GROUP BY client_id, site_id
"""

MEASURE = Measure(
    key="group-sessions",
    title="Group sessions",
    version="1",
    source="Takehome",
    says="Group sessions that were held in the period, by the site that held them: how often a client came who is"
    " named, how many others came each time, such as family, neighbours and clients who did not want to be written"
    " down, and how many clients came at all.",
    numerator="sessions, attendances or clients",
    denominator="none",
    indicators=(
        Indicator("sessions", "group sessions that were held", Figure.COUNT, unit="sessions", people=False),
        Indicator("attended", "attendances of clients", Figure.COUNT, unit="attendances", people=False),
        Indicator("others", "attendances of others", Figure.COUNT, unit="attendances", people=False),
        Indicator("clients", "clients who came to one or more", Figure.COUNT),
    ),
    query=QUERY,
    strata=("site",),
    own_strata=(OwnStratum("about", "What it was for; of a client, one of those."),),
    nameless=True,
)
