"""A client of a satellite apart is a guest at a third site: home lets them, and every page says what is not known."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dispensary.refusals import Refused
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.supplies.guests import Asked, arrange, end
from tests.attacks.boxes import Pair, at
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import MovableClock, Visitor, demo_settings, hire, text_of


def test_home_lets_a_client_of_a_satellite_apart_be_a_guest_elsewhere_and_a_double_dose_is_told(
    pair: Pair, tmp_path: Path
) -> None:
    client = pair.theirs[0]
    with pair.counters() as (home, alone):
        other = replace(at(pair.here.other, home.database), now=home.now)
        alone.give(client)
        pair.joins()
        pair.line_is_cut()
        for place in (home, alone, other):
            place.move_on()
        wanted = Asked(home.today, home.ahead(2)[0], bottles=False, reason="a funeral")

        def lets() -> None:
            home.database.write(
                lambda session: arrange(
                    session, actor=home.pharmacist, client_id=client, guest_code="OTH", asked=wanted, confirmed=True,
                    key="to-the-funeral", at=home.now,
                )
            )  # fmt: skip

        with pytest.raises(Refused, match="guest, or asked for as one, on some of these days"):
            lets()
        home.database.write(
            lambda session: end(
                session, actor=home.pharmacist, stay_id=pair.stays[client], reason="a funeral", at=home.now
            )
        )
        lets()
        other.give(client)
        alone.give(client)  # nobody called the satellite
        seats = {}
        app = lent_app(demo_settings(tmp_path / "pages"), home.database, MovableClock(home.now))
        for place in (home, other):
            with home.database.reading() as session:
                site = session.get_one(Site, place.site_id)
            hire(home.database, site, f"at-{site.code.lower()}", [Role.PHARMACIST], home.now)
            seats[site.code] = Visitor(app)
            assert seats[site.code].signs_in(f"at-{site.code.lower()}").status_code == 303
        ((heard,),) = pair.centre.asks("SELECT heard_at FROM site_apart")
        assert heard == home.now - timedelta(days=1), "the dose of the day before, and nothing since"
        for code, desk in (("HRP", "guests"), ("HRP", "counter"), ("OTH", "counter")):
            page = text_of(seats[code].get(f"/{desk}/clients/{client}"))
            assert "Doses at KLG are known until" in page, (code, desk)
            assert "Call KLG before you dose" in page
        assert "Doses at KLG" not in text_of(seats["HRP"].get(f"/counter/clients/{pair.homer}"))
    assert "1 open alerts for a doctor: covered at two sites" in pair.joins()
    ((sentence, site),) = pair.centre.asks("SELECT sentence, s.code FROM alert JOIN site s ON s.id = site_id")
    assert re.fullmatch(r"Two doses for .*: 80 mg taken at OTH on .*; 80 mg taken at KLG on .*\.", sentence)
    assert site == "HRP"
    pair.holds()
