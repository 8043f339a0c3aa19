"""`make attack`: every attack on the house at full length, printed as a table and kept in docs/security.md.

Each row is a handful of tests, which say by `record_property` how often they tried (`tries`) and what they measured
(`figure`). A row is held when all of its tests passed, and `make attack` fails when any row is not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- attacks: begin -->", "<!-- attacks: end -->"
HEAD = "| attack | tries | result | figure |\n| --- | --- | --- | --- |"

APP, HERE, CHAOS = "tests/dispensary/app", "tests/hostile", "tests/attacks"


@dataclass(frozen=True)
class Attack:
    """A row of the table."""

    name: str
    tests: tuple[str, ...]
    """Files, or tests in them, as pytest names them."""


ATTACKS = (
    Attack("every operation of the API by schemathesis, all checks, signed in", (f"{HERE}/test_api_fuzzed.py",)),
    Attack(
        "every form with hostile values, missing and repeated fields",
        (f"{HERE}/test_forms_fuzzed.py::test_no_form_breaks_whatever_its_fields_hold",),
    ),
    Attack(
        "SQL in every part of every address",
        (f"{HERE}/test_forms_fuzzed.py::test_sql_in_an_address_is_text_like_any_other",),
    ),
    Attack(
        "a planted sign-in, a stolen cookie, a sign-in that ended",
        (
            f"{APP}/test_app_door.py::TestTheDoor::test_a_planted_cookie_is_not_adopted",
            f"{APP}/test_app_door.py::TestTheDoor::test_signing_out_ends_it_at_the_server_too",
            f"{HERE}/test_requests.py::TestSomebodyElsesCookie",
        ),
    ),
    Attack(
        "a planted form token, a form from another origin",
        (f"{APP}/test_app_door.py::TestForgery", f"{HERE}/test_requests.py::TestAnotherOrigin"),
    ),
    Attack("a replayed or guessed second factor", (f"{APP}/test_app_second_factor.py",)),
    Attack("unknown accounts and phones told by time", (f"{HERE}/test_timing.py",)),
    Attack("forged and replayed webhooks", ("tests/dispensary/test_hooks.py", "tests/notifications/test_kannel.py")),
    Attack("tampered, copied and guessed passes", ("tests/dispensary/test_passes.py",)),
    Attack("tricks with paths, methods and heads of requests", (f"{HERE}/test_requests.py::TestPathsAndHeads",)),
    Attack("script in every text field, looked at in Chromium", (f"{HERE}/test_stored_script.py",)),
    Attack("huge and slow requests to the server itself", (f"{HERE}/test_heavy.py",)),
    Attack("unsafe settings of production", (f"{HERE}/test_unsafe_start.py",)),
    Attack("a reader of tables, WAL, logs, backups and packs", (f"{HERE}/test_plaintext.py",)),
    Attack(
        "kill -9 of server, PostgreSQL and everything during 500 doses",
        (f"{CHAOS}/test_killed_mid_dose.py",),
    ),
    Attack(
        "kill -9 while booking, at the slots, under a form, during an import and a close",
        (
            f"{CHAOS}/test_killed_while_booking.py",
            f"{CHAOS}/test_killed_at_the_slots.py",
            f"{CHAOS}/test_killed_under_a_form.py",
            f"{CHAOS}/test_killed_commands.py",
        ),
    ),
    Attack("kill -9 of the worker that leads, of two; two servers at once", (f"{CHAOS}/test_several.py",)),
    Attack("a start after every kind of end", (f"{CHAOS}/test_starting.py",)),
    Attack("a full disk", (f"{CHAOS}/test_full_disk.py",)),
    Attack("a clock that jumps", (f"{CHAOS}/test_clock_jumps.py",)),
    Attack(
        "the line to the gateway is cut, the sender is killed",
        (
            "tests/notifications/test_senders.py",
            "tests/notifications/test_sending.py",
            "tests/notifications/test_twilio.py",
        ),
    ),
    Attack("the primary dies under load, its standby takes over", (f"{CHAOS}/test_standby.py",)),
    Attack(
        "restore drill: a backup, and a moment from the WAL",
        (f"{CHAOS}/test_point_in_time.py", "tests/dispensary/test_backups.py"),
    ),
)


@dataclass
class Outcome:
    """What became of a row's tests."""

    passed: int = 0
    broke: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    tries: int = 0
    figures: list[str] = field(default_factory=list)

    def row(self, name: str) -> str:
        if self.broke:
            result = "**broken**"
        elif self.skipped and not self.passed:
            result = "not tried: " + "; ".join(self.skipped)
        else:
            result = "held"
        tests = f"{self.passed} tests"
        return f"| {name} | {self.tries or self.passed:,} | {result} | {'; '.join(self.figures) or tests} |"


def run(attack: Attack) -> Outcome:
    """Runs a row's tests in a process of their own."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="takehome-attack-") as folder:
        report = Path(folder) / "report.xml"
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "-o",
                "junit_family=xunit1",
                f"--junitxml={report}",
                *attack.tests,
            ],
            cwd=ROOT,
            env={**os.environ, "ATTACK": "1", "PYTHONPATH": str(ROOT)},
            check=False,
            stdout=sys.stderr,
        )
        if not report.exists():
            return Outcome(broke=["pytest itself"])
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            _count(case, outcome)
    if not outcome.passed and not outcome.skipped:
        outcome.broke.append("no test ran")
    return outcome


def _count(case: ElementTree.Element, outcome: Outcome) -> None:
    name = f"{case.get('classname')}::{case.get('name')}"
    if case.find("failure") is not None or case.find("error") is not None:
        outcome.broke.append(name)
    elif (skipped := case.find("skipped")) is not None:
        outcome.skipped.append(skipped.get("message", ""))
    else:
        outcome.passed += 1
    for said in case.iter("property"):
        if said.get("name") == "tries":
            outcome.tries += int(said.get("value", "0"))
        elif said.get("name") == "figure":
            outcome.figures.append(said.get("value", ""))


def rows_on(page: str) -> dict[str, str]:
    """The rows of the table on the page, by the name of the attack."""
    table = page.split(BEGIN)[1].split(END)[0].strip().splitlines()[2:]
    return {line.split("|")[1].strip(): line for line in table}


def main() -> int:
    """Runs the attacks that are named by a part of their name, or all; keeps the rows of those that ran."""
    options = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    options.add_argument("only", nargs="*", help="parts of names; all attacks when none is given")
    options.add_argument("--dry", action="store_true", help="print the table and leave docs/security.md as it is")
    asked = options.parse_args()
    page = PAGE.read_text("utf-8")
    rows, broke = rows_on(page), []
    for attack in ATTACKS:
        if asked.only and not any(part in attack.name for part in asked.only):
            continue
        outcome = run(attack)
        broke += outcome.broke
        rows[attack.name] = outcome.row(attack.name)
        print(rows[attack.name], flush=True)
        if not asked.dry:
            kept = "\n".join(rows[each.name] for each in ATTACKS if each.name in rows)
            before, rest = page.split(BEGIN)
            page = f"{before}{BEGIN}\n{HEAD}\n{kept}\n{END}{rest.split(END)[1]}"
            PAGE.write_text(page, "utf-8")
    for name in broke:
        print(f"broken: {name}", file=sys.stderr)
    return 1 if broke else 0


if __name__ == "__main__":
    sys.exit(main())
