"""What each page of the demonstration's clinic weighs as it is sent, before anything is packed: less than 60 kB.

The counter's pages are weighed with all that they load in test_desk_weight.py. What any other page loads beside its own
words is the same for all of a room and is kept by the browser: it is weighed by itself.
"""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from pathlib import Path

from dispensary.app import create_app
from dispensary.database import Database
from dispensary.demo.clinic import PASSWORD, STAFF, fill
from tests.dispensary.visiting import MovableClock, Visitor, demo_settings

NOW = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
MOST_BYTES = 60_000
MOST_LOADED = 60_000
"""Styles and scripts of one page together, the first time that a browser meets them."""


def paths(client_id: str) -> list[str]:
    """Every page that needs no more in its address than a client."""
    rows = csv.reader(Path(__file__).with_name("permissions.csv").read_text("utf-8").splitlines())
    gets = [row[1] for row in rows if row and row[0] == "GET" and not row[1].startswith(("/api", "/schema", "/hooks"))]
    plain = [path.replace("{client_id}", client_id) for path in gets]
    return sorted({path for path in plain if "{" not in path and not path.endswith((".pdf", ".csv", ".zip", ".json"))})


def test_every_page_of_a_loaded_site_weighs_less_than_sixty_kilobytes(database: Database, tmp_path: Path) -> None:
    fill(database, now=NOW, public_base_url="http://127.0.0.1:8000", say=lambda done, total: None)
    app = create_app(demo_settings(tmp_path), database, MovableClock(NOW))
    people: list[Visitor] = []
    for username, *_ in STAFF:
        people.append(Visitor(app))
        assert people[-1].signs_in(username, PASSWORD).status_code == 303
    seen: dict[str, int] = {}
    loaded: dict[str, int] = {}
    weighs: dict[str, int] = {}
    for visitor in people:
        found = re.findall(r"/consulting/clients/([0-9a-f-]{36})", visitor.get("/consulting").text)
        for path in paths(found[0] if found else "nobody"):
            answer = visitor.get(path)
            if answer.status_code == 200 and "text/html" in answer.headers["content-type"]:
                seen[path] = max(seen.get(path, 0), len(answer.content))
                parts = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text))
                for part in parts - weighs.keys():
                    weighs[part] = len(visitor.get(part).content)
                loaded[path] = max(loaded.get(path, 0), sum(weighs[part] for part in parts))
    over = {path: size for path, size in seen.items() if size >= MOST_BYTES}

    assert len(seen) > 100
    assert over == {}
    assert {path: size for path, size in loaded.items() if size >= MOST_LOADED} == {}
    heaviest = sorted(seen.items(), key=lambda each: -each[1])[:5]
    print("\n" + "\n".join(f"{size / 1000:.0f} kB {path}" for path, size in heaviest))
