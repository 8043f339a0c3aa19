"""What a satellite could not know while it ran alone on a server of its own: judged by nobody as known to it."""

from __future__ import annotations

# At the centre the row of the satellite itself says since when; on its own server, where it has none, those of all
# others do. What a cut knew is known from the moment on at which it was taken, as the satellite's own trail says.
_NOT_KNOWN = """(EXISTS (SELECT 1 FROM site_apart a WHERE {moment} >= a.since
        AND {at} >= a.since AND {at} < coalesce(a.until, 'infinity')
        AND CASE WHEN a.whole THEN a.site_id = {site}
            ELSE NOT EXISTS (SELECT 1 FROM site_apart own WHERE own.site_id = {site}) END)
    AND NOT EXISTS (SELECT 1 FROM audit_entry k WHERE k.subject_id = {site} AND k.site_id = {site}
        AND k.act = 'took cut' AND k.at <= {at} AND (k.details::jsonb ->> 'as_of')::timestamptz >= {moment}))"""


def not_known(site: str, moment: str, at: str) -> str:
    """In SQL: whether what happened at the centre at `moment` was not known at the site when it acted at `at`.

    It came after the site was lent, and no cut that knew of it had been taken there by then.
    """
    return _NOT_KNOWN.format(site=site, moment=moment, at=at)
