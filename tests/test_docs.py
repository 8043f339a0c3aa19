"""The pages say what is there: tables, names of constraints, files, settings."""

import ast
import re
import runpy
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from dispensary.database import Database
from dispensary.schema import _config
from tests.test_packaging import names_that_settings_read

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def test_the_data_dictionary_is_what_the_database_and_the_models_say_today(database: Database) -> None:
    written = runpy.run_path(str(DOCS / "data_dictionary.py"))
    with database.engine.connect() as connection:
        current = written["dictionary"](connection)

    assert (DOCS / "data-dictionary.md").read_text("utf-8") == current, "make dictionary"


def test_the_page_of_measures_is_what_they_are_today() -> None:
    written = runpy.run_path(str(DOCS / "measures.py"))

    assert (DOCS / "measures.md").read_text("utf-8") == written["page"](), "make measures"
    assert (DOCS / "handbook" / "evaluator.md").read_text("utf-8") == written["in_handbook"](), "make measures"
    headings = re.findall(r"^## (.+)$", (DOCS / "measures.md").read_text("utf-8"), re.MULTILINE)
    linked = re.findall(r"\(\.\./measures\.md#([\w-]+)\)", (DOCS / "handbook" / "evaluator.md").read_text("utf-8"))
    assert set(linked) <= {written["anchor"](heading) for heading in headings}


def test_the_page_of_permissions_is_what_the_document_says_today() -> None:
    written = runpy.run_path(str(DOCS / "permissions.py"))

    assert (DOCS / "permissions.md").read_text("utf-8") == written["page"](), "make permissions"


def test_what_architecture_says_of_postgresql_is_there_by_that_name(database: Database) -> None:
    page = (DOCS / "architecture.md").read_text("utf-8")
    (table,) = re.findall(r"^## What never breaks\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    named = {word for word in re.findall(r"`([a-z_]+)`", table) if "_" in word} - {"may_dispense", "dose_day"}
    with database.engine.connect() as connection:
        known = set(
            connection.scalars(
                text("""SELECT conname FROM pg_constraint UNION SELECT tgname FROM pg_trigger
                        UNION SELECT relname FROM pg_class""")
            )
        )

    assert len(named) > 15
    assert named - known == set()


def test_architecture_says_where_each_guard_that_was_stated_anew_is_in_force(database: Database) -> None:
    """The migrations in their order, each with what it imports: the last to state a function is the one in force."""
    with database.engine.connect() as connection:
        steps = list(ScriptDirectory.from_config(_config(connection)).walk_revisions())
        there = set(connection.scalars(text("SELECT proname FROM pg_proc")))
    stated: dict[str, list[str]] = {}
    read: set[Path] = set()
    for step in reversed(steps):
        own = Path(step.path)
        imported = re.findall(r"^from dispensary\.migrations\.(\w+) import", own.read_text("utf-8"), re.MULTILINE)
        for path in (*(own.parent.parent / f"{name}.py" for name in imported), own):
            if path in read:
                continue
            read.add(path)
            file = path.resolve().relative_to(ROOT.resolve()).as_posix()
            for function in re.findall(r"CREATE (?:OR REPLACE )?FUNCTION (\w+)\(", path.read_text("utf-8")):
                if stated.setdefault(function, [file])[-1] != file:
                    stated[function].append(file)
    anew = {
        (function, files[-1], files[0]) for function, files in stated.items() if len(files) > 1 and function in there
    }
    page = (DOCS / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `([\w./]+)` \| `([\w./]+)` \|$", page, re.MULTILINE)

    assert set(rows) == anew


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = re.findall(
        r"`((?:dispensary|scheduling|notifications|tests|docs|docker|benchmarks)/[\w./-]+)`", page.read_text("utf-8")
    )
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")) if "://" not in link]

    assert [name for name in named if not (ROOT / name).exists()] == []
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_names_every_setting_and_no_other() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)`", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)

    assert sorted(rows) == sorted(names_that_settings_read())


def test_the_handbook_explains_every_refusal_that_the_counter_can_show() -> None:
    said = set(re.findall(r"`([a-z-]+)`", (DOCS / "handbook" / "pharmacist.md").read_text("utf-8")))
    usual = (
        "rules",
        "shown",
        "pickups",
        "verifying",
        "collecting",
        "agents_rules",
        "agents",
        "carrying",
        "visits",
        "packing",
        "poured",
        "service",
        "closing",
        "writing",
    )
    safe = ("rules", "service", "receiving", "counting", "transfers", "destroying")
    unusual = (
        "absence",
        "calls",
        "exceptions",
        "exceptions_rules",
        "exception_rows",
        "extras",
        "mishaps",
        "wrong_doses",
    )
    flagged = ("flags", "flags_rules", "safety_rules", "elsewhere", "guests", "satellites")
    bottles = ("returns", "recalls", "full_bottles", "voiding", "scanned", "bringing", "losses", "batch")
    files = [
        *(f"dispensary/supplies/{room}.py" for room in (*usual, *unusual, *bottles, *flagged)),
        *(
            f"dispensary/{room}.py"
            for room in (
                "staff/countersign",
                "homes/rules",
                "homes/asking",
                "homes/going",
                "clients/guest_rules",
                "clients/not_here",
                "web/unusual_acts",
                "web/bottle_acts",
                "web/safe_acts",
            )
        ),
        *(f"dispensary/stock/{room}.py" for room in safe),
        *(f"dispensary/desks/{page}.py" for page in ("counter", "giving", "pickups", "exceptional", "noting")),
        *(f"dispensary/desks/{page}.py" for page in ("bottles", "closing", "registers", "printing")),
    ]
    shown = {code for file in files for code in codes_in(ROOT / file)}
    shown |= {"second-look", "ten-fold", "take-home-per-supply", "take-home-per-week"}  # said by rooms that these ask
    # said by what reads a form, and by the clients room
    shown |= {"no-choice", "not-a-day", "say-first", "known-already", "nothing-known"}
    shown |= {"observation", "bad-amount"}  # by the name of its field; by whatever reads an amount
    never_by_a_press = {"bad-day", "no-client", "no-book", "no-pass"}  # only by an address that somebody typed
    never_by_a_press |= {"no-dose", "no-exception", "no-bottle", "no-recall", "no-page", "no-id", "no-photo", "no-flag"}
    never_by_a_press |= {"no-amount", "minutes", "observe-hours", "counted"}  # the page's own fields say it before
    never_by_a_press |= {"no-layout"}
    never_by_a_press |= {
        "no-supply",
        "imported",
        "no-report",
        "decided-already",
        "said",
    }  # the last two: at the consulting desk
    never_by_a_press |= {"full-returns", "source"}  # the office's own fields say it before
    never_by_a_press |= {"nothing-at-home", "bring-by", "cause"}  # bottles are called back at the consulting desk

    assert shown - never_by_a_press - said == set()
    assert said - shown == set(), "no such refusal"


def test_the_handbook_explains_every_refusal_of_what_surrounds_the_dose() -> None:
    """Of every room of care, and of what clients' rooms keep of it, each on the page of those who meet it."""
    around = (
        "taken_back",
        "contacts",
        "contact_rules",
        "life",
        "life_rules",
        "surveys",
        "survey_rules",
        "living",
        "numbers",
    )
    goals = ("goals", "goal_steps", "taken_back", "tasks", "own", "legal_status", "legal_status_rules")
    desks = (
        *("care", "care_day", "care_offers", "care_plans", "caring", "goal_steps", "helping", "intake_consents"),
        *("intakes", "life", "linkage", "meetings", "naloxone", "outreach", "peers", "progress", "reaching"),
        *("referring", "screening", "sheets", "surveys", "visiting"),
    )
    rooms = [
        *sorted((ROOT / "dispensary" / "care").rglob("*.py")),
        *(ROOT / f"dispensary/clients/{room}.py" for room in (*around, *goals)),
        *(ROOT / f"dispensary/desks/{page}.py" for page in desks),
        ROOT / "dispensary/web/typed.py",
        ROOT / "dispensary/web/forms.py",
        ROOT / "dispensary/phone/caring.py",
    ]
    shown = {code for file in rooms for code in codes_in(file) | faults_in(file)}
    shown |= {f"{field}-missing" for field in ("code", "name", "batch", "product", "recipient", "signature")}
    # said of a consent to tell, of a visit with bottles, of whoever does not work here, by rooms that these ask
    shown |= {"consent-revoked", "consent-expired", "consent-less", "visit-with-bottles", "no-visitor"}
    pages = {
        name: set(re.findall(r"`([a-z-]+)`", " ".join(re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE))))
        for name in ("nurse", "case-worker", "peer-worker")
        for page in [(DOCS / "handbook" / f"{name}.md").read_text("utf-8")]
    }
    peers = {code for room in ("clients/own", "care/outreach", "care/meetings") for code in codes_of(room)}
    peers -= {"not-allowed", "no-service", "too-long"}  # the page's own fields say it before

    assert shown - pages["nurse"] - pages["peer-worker"] == set()
    assert pages["nurse"] | pages["peer-worker"] <= shown, "no such refusal"
    assert peers - pages["peer-worker"] == set()


def codes_of(room: str) -> set[str]:
    return codes_in(ROOT / f"dispensary/{room}.py")


def faults_in(file: Path) -> set[str]:
    """The code of each fault that the file finds in what was typed into a form."""
    return {
        call.args[1].value
        for call in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).endswith(".fault")
        and len(call.args) > 1
        and isinstance(call.args[1], ast.Constant)
    }


def codes_in(file: Path) -> set[str]:
    """The code of each refusal that the file writes out."""
    return {
        call.args[0].value
        for call in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) == "Refusal"
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }
