"""Viet Nam and China as countries: their sites, provinces and clients, as the national dashboard counts them."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text

from dispensary.commands.programmes import begin
from dispensary.evaluation.rollup import site_figures
from dispensary.programmes.acts.country import places_of
from dispensary.staff.branch_queries import tree
from tests.programmes.conftest import Built


def test_viet_nam_is_counted_by_province_with_satellites_that_have_no_clients(built: Callable[[str], Built]) -> None:
    viet_nam = built("vn-national")
    assert viet_nam.not_equal() == {}
    assert {key: int(line.ours or 0) for key, line in viet_nam.table.items()} == {
        "clients": 52_200,
        "sites": 335,
        "provinces": 63,
    }
    with viet_nam.database.reading() as session:
        branches = tree(session)
        assert {branch.sites for branch in branches if branch.kind == "country"} == {67}
        assert sum(branch.sites for branch in branches if branch.kind == "province") == 67
        satellites = "SELECT count(*), count(c.id) FROM site s LEFT JOIN client c ON c.site_id = s.id"
        assert tuple(session.execute(text(f"{satellites} WHERE s.main_site_id IS NOT NULL")).one()) == (22, 0)
        found = site_figures(session, site_ids=places_of(session, "VN"), seen={}, now=viet_nam.now)
        first = next(each for each in found if each.code == "VN0001")
        assert first.doses == 12 * 10, "the people of the first site came on each of ten days"
        assert sum(each.active for each in found) == 522
        manages = (
            "SELECT count(*) FROM branch_grant g JOIN account a ON a.id = g.account_id WHERE a.username = 'programme'"
        )
        assert session.scalar(text(manages)) == 1
    begin(viet_nam.database, viet_nam.programme)  # started again, it finds itself, and makes nothing twice
    with viet_nam.database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM site")) == 67


def test_china_is_counted_by_clinic(built: Callable[[str], Built]) -> None:
    china = built("cn-national")
    assert china.not_equal() == {}
    assert {key: int(line.ours or 0) for key, line in china.table.items()} == {"clients": 91_000, "sites": 790}
    with china.database.reading() as session:
        kinds = "SELECT kind, count(*) FROM dose WHERE voided_at IS NULL GROUP BY kind"
        assert dict(session.execute(text(kinds)).all()) == {"observed": 100}, "everybody comes each day"
