"""What the counter's screens weigh with all that they load, but for the photo: less than 60 kB as it is sent."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from dispensary.database import Database
from dispensary.staff.rules import Role
from tests.dispensary.desk_place import desks

MOST_BYTES = 60_000


@pytest.mark.parametrize("below", ["", "/unusual?what=vomited", "/bottles", "/flags"])
def test_a_client_at_the_counter_weighs_less_than_sixty_kilobytes(
    database: Database, now: datetime, tmp_path: Path, below: str
) -> None:
    here = desks(database, now, tmp_path)
    client = here.place.client()
    here.place.decide(client, per_supply=6)
    here.place.give(client, take_home_days=here.place.ahead(1, 2, 3, 4, 5, 6))
    counter = here.seat(Role.PHARMACIST)

    page = counter.get(f"/counter/clients/{client}{below}")
    loaded = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
    bytes_ = len(page.content) + sum(len(counter.get(path).content) for path in loaded)

    assert page.status_code == 200
    assert len(loaded) >= 4
    assert bytes_ < MOST_BYTES
