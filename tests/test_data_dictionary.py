"""The data dictionary says what the tables are."""

import runpy
from pathlib import Path

from dispensary.database import Database

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_is_what_the_database_and_the_models_say_today(database: Database) -> None:
    written = runpy.run_path(str(DOCS / "data_dictionary.py"))
    with database.engine.connect() as connection:
        current = written["dictionary"](connection)

    assert (DOCS / "data-dictionary.md").read_text("utf-8") == current, "make dictionary"
