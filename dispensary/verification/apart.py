"""What a satellite could not know while it ran alone on a server of its own: judged by nobody as known to it."""

from __future__ import annotations

_NOT_KNOWN = """EXISTS (SELECT 1 FROM site_apart a WHERE a.whole AND a.site_id = {site} AND {moment} >= a.since
    AND {at} >= a.since AND {at} < coalesce(a.until, 'infinity'))"""


def not_known(site: str, moment: str, at: str) -> str:
    """In SQL: whether what happened at the centre at `moment` came after the site was lent, which acted at `at`."""
    return _NOT_KNOWN.format(site=site, moment=moment, at=at)
