"""Whatever is sent to the API, it answers as its description says."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from structlog.testing import capture_logs

from dispensary.database import Database
from tests.dispensary.desk_place import desks
from tests.hostile.fuzzing import fuzz

THOROUGHLY = "ATTACK" in os.environ
"""By `make attack`: twenty thousand requests. Else so few that the test cannot rot."""
EXAMPLES = 90 if THOROUGHLY else 2
"""For each operation."""


def test_nothing_that_is_sent_breaks_an_answer_or_the_description(
    database: Database, now: datetime, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    here = desks(database, now, tmp_path)
    for n in range(5):
        here.place.client(mg=str(40 + n))
    described = {
        f"{method.upper()} {path}"
        for path, methods in here.doctor.get("/schema/openapi.json").json()["paths"].items()
        for method in methods
    }

    with capture_logs():
        found = fuzz(here, examples=EXAMPLES, thoroughly=THOROUGHLY)

    record_property("tries", found.requests)
    record_property("figure", f"{len(described)} operations, {len(found.failures)} findings")
    assert (found.failures, found.errors) == ({}, [])
    assert found.operations == described
    assert found.requests > (20_000 if THOROUGHLY else 300)
    # What it sends is signed in and gets beyond the door, or this would say nothing.
    assert found.statuses[200] + found.statuses[201] + found.statuses[204] > 20
    assert found.statuses[422] > 20
