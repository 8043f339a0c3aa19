from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from litestar import Litestar

from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from tests.dispensary.app.stubs import HOUSE
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import (
    MovableClock,
    Visitor,
    demo_settings,
    hire,
    open_site,
)


@pytest.fixture
def clock(now: datetime) -> MovableClock:
    return MovableClock(now)


@pytest.fixture
def app(database: Database, clock: MovableClock, tmp_path: Path) -> Litestar:
    return lent_app(demo_settings(tmp_path), database, clock, more=HOUSE)


@pytest.fixture
def site(database: Database, now: datetime) -> Site:
    return open_site(database, now)


@pytest.fixture
def doctor(app: Litestar, database: Database, site: Site, now: datetime) -> Visitor:
    hire(database, site, "siti", [Role.DOCTOR], now)
    visitor = Visitor(app)
    assert visitor.signs_in("siti").status_code == 303
    return visitor


@pytest.fixture
def stranger(app: Litestar) -> Visitor:
    return Visitor(app)


@pytest.fixture
def said() -> Iterator[list[dict[str, Any]]]:
    with structlog.testing.capture_logs() as lines:
        yield lines
