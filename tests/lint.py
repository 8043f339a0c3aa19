"""Rules that no linter of others knows, read from the syntax of our own code: what each forbids, where, and why.

A rule is a function from a module to the lines that break it. `SHOWN` has for each what it must find and what it must
let pass, so that a rule cannot fall silent unnoticed.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

Found = Iterator[int]


@dataclass(frozen=True)
class Rule:
    """Something that is never written."""

    name: str
    why: str
    find: Callable[[ast.Module], Found]
    where: Callable[[PurePosixPath], bool]
    """Whether the rule holds in this file of the three houses."""
    excused: Mapping[str, str] = field(default_factory=dict)
    """Files in which it may be broken, each with the reason."""


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def floats(tree: ast.Module) -> Found:
    for node in ast.walk(tree):
        called = isinstance(node, ast.Call) and ast.unparse(node.func) == "float"
        if called or (isinstance(node, ast.Constant) and isinstance(node.value, float)):
            yield node.lineno


def ends_of_units(tree: ast.Module) -> Found:
    for call, _ in _calls(tree):
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("commit", "rollback", "begin"):
            yield call.lineno


def clocks(tree: ast.Module) -> Found:
    asked = ("datetime.now", "datetime.utcnow", "date.today", "datetime.today", "time.time")
    yield from (call.lineno for call, name in _calls(tree) if name in asked)


_SQL = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|DROP|ALTER|DO|GRANT|REVOKE|COPY|SET|CASE|(LEFT )?JOIN|(NOT )?EXISTS|"
    r"TRUNCATE|WHERE|AND)\b"
)


def sql_from_values(tree: ast.Module) -> Found:
    """SQL in which something stands that is no name of the module's own: it may have come from outside."""
    own = set(dir(builtins))
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            own |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            own |= {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            put_in = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
            begins = next((part for part in node.values if isinstance(part, ast.Constant)), None)
            sql = begins is not None and isinstance(begins.value, str) and _SQL.match(begins.value)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            put_in, left = [node.right], node.left
            sql = isinstance(left, ast.Constant) and isinstance(left.value, str) and _SQL.match(left.value)
        else:
            continue
        names = {part.id for value in put_in for part in ast.walk(value) if isinstance(part, ast.Name)}
        drawn = {  # the variable of a comprehension is as trustworthy as what it runs through
            part.id
            for value in put_in
            for each in ast.walk(value)
            if isinstance(each, ast.comprehension)
            for part in ast.walk(each.target)
            if isinstance(part, ast.Name)
        }
        if sql and names - drawn - own:
            yield node.lineno


def told_to_a_log(tree: ast.Module) -> Found:
    """A line of the log that is put together from values: what the values are, nobody sees at that place."""
    levels = ("debug", "info", "warning", "error", "exception", "critical")
    for call, name in _calls(tree):
        if name.rsplit(".", 1)[-1] in levels and name.rsplit(".", 2)[0] in ("log", "logger", "logging") and call.args:
            said = call.args[0]
            if isinstance(said, ast.JoinedStr | ast.BinOp) or (
                isinstance(said, ast.Call) and ast.unparse(said.func) not in ("str",)
            ):
                yield call.lineno


_SECRET = re.compile(r"(^|_)(digest|signature|token|secret|mac|hash)s?$")


def secrets_compared_by_time(tree: ast.Module) -> Found:
    """Two secrets compared by ==: how long that takes tells how much of them is alike."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and all(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            sides = [node.left, *node.comparators]
            names = [each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "") for each in sides]
            columns = any(isinstance(each, ast.Attribute) and ast.unparse(each)[0].isupper() for each in sides)
            constants = any(isinstance(each, ast.Constant) for each in sides)
            if any(_SECRET.search(name) for name in names) and not columns and not constants:
                yield node.lineno


def made_of_text(tree: ast.Module) -> Found:
    """Markup that is told to be safe, other than of a text that stands there as it is."""
    for call, name in _calls(tree):
        if name.rsplit(".", 1)[-1] == "Markup" and call.args and not isinstance(call.args[0], ast.Constant):
            yield call.lineno


def environment_read(tree: ast.Module) -> Found:
    """The environment, read where nobody looks for a setting."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv"):
            yield node.lineno


_DOSES = ("supplies", "prescribing", "stock", "takehome", "checks")
_ROOMS_WITH_CLOCKS = ("commands", "demo", "web", "desks", "api", "migrations")


def _doses(path: PurePosixPath) -> bool:
    # Where a label's lines stand on paper is a length, and no dose.
    return path.parts[:1] == ("dispensary",) and path.parts[1] in _DOSES and "printing" not in path.parts


def _use_cases(path: PurePosixPath) -> bool:
    if path.parts[0] in ("scheduling", "notifications"):
        return True
    return len(path.parts) > 2 and path.parts[1] not in _ROOMS_WITH_CLOCKS


def _units(path: PurePosixPath) -> bool:
    # These open connections, migrate, or are commands, which make a demo anew and undo a dry run.
    return path.name not in ("database.py", "schema.py", "cli.py") and "commands" not in path.parts


def _everywhere(_: PurePosixPath) -> bool:
    return True


RULES = (
    Rule(
        "float near a dose",
        "Amounts are exact: a tenth of a milligram has no exact float.",
        floats,
        _doses,
    ),
    Rule(
        "a unit of work ended in the middle",
        "What belongs together commits together: the desk or the job opens the unit, and its block ends it.",
        ends_of_units,
        _units,
    ),
    Rule(
        "a clock in a use case",
        "A use case is given the moment: so it can be tried at any, and a whole act has one.",
        clocks,
        _use_cases,
    ),
    Rule(
        "SQL put together from values",
        "Values are bound. Only the module's own constants are written into SQL.",
        sql_from_values,
        lambda path: "migrations" not in path.parts,
        {
            "dispensary/backups/sums.py": "the kinds of guards of a table of its own",
            "dispensary/demo/rows.py": "tables and columns of a table of its own",
            "dispensary/evaluation/answering.py": "measures and strata, which the house writes, found by their key",
            "dispensary/evaluation/entry.py": "strata, found by their key",
            "dispensary/evaluation/facts.py": "tables of a list of its own",
            "dispensary/evaluation/known.py": "conditions that measures of the house add",
            "dispensary/evaluation/linking.py": "what is asked of rows that the house names",
            "dispensary/evaluation/strata.py": "columns that the file itself names",
            "dispensary/evaluation/summed.py": "conditions that the file itself names",
            "dispensary/parts/catalogue.py": "names and definitions that the catalogue says of a table, made again",
            "dispensary/parts/coming.py": "what the catalogue says of a table of a list of its own, and its months",
            "dispensary/parts/keys.py": "names of keys and columns that the catalogue says of a table",
            "dispensary/parts/dividing.py": "what the catalogue says of a table of a list of its own, made again",
            "dispensary/resealing/counting.py": "tables and columns of the metadata",
            "dispensary/resealing/digests.py": "tables and columns of a list of its own",
            "dispensary/resealing/moving.py": "tables and columns of the metadata",
            "dispensary/supplies/history_rows.py": "columns that the file itself names",
            "dispensary/verification/safe.py": "the number of an invariant, counted by the file itself",
        },
    ),
    Rule(
        "a line of the log put together from values",
        "No line of the log holds a name: values are given by keyword, where a reader sees which.",
        told_to_a_log,
        _everywhere,
    ),
    Rule(
        "secrets compared by ==",
        "hmac.compare_digest takes as long for a wrong secret as for the right one.",
        secrets_compared_by_time,
        _everywhere,
        {
            "dispensary/staff/audit.py": "links of the audit chain, which are printed for everybody",
            "dispensary/supplies/losses.py": "whether a request came before: its own digest, which whoever asks knows",
            "dispensary/supplies/voiding.py": "whether a request came before",
            "dispensary/supplies/writing.py": "whether a request came before",
        },
    ),
    Rule(
        "markup made of text",
        "A page escapes what it shows; Markup() says that somebody has looked, so somebody must.",
        made_of_text,
        _everywhere,
        {
            "dispensary/desks/factor.py": "a QR code that the house draws itself: paths, and no text",
            "dispensary/desks/passpage.py": "an SVG that is drawn from 42 checked characters",
            "dispensary/desks/staffing.py": "a QR code that the house draws itself: paths, and no text",
        },
    ),
    Rule(
        "the environment read beside the settings",
        "Whoever runs the program finds every setting in one file, and README names each.",
        environment_read,
        _everywhere,
        {
            "dispensary/settings.py": "where settings are read",
            "dispensary/backups/trying.py": "handed on to PostgreSQL's own tools",
            "dispensary/supplies/printing/fonts.py": "where Windows keeps its fonts",
        },
    ),
)

# What each rule must find, and what it must let pass.
SHOWN: Mapping[str, tuple[str, str]] = {
    "float near a dose": ("mg = 0.1", "mg = Decimal('0.1')"),
    "a unit of work ended in the middle": ("session.commit()", "session.flush()"),
    "a clock in a use case": ("at = datetime.now(UTC)", "at = clock()"),
    "SQL put together from values": (
        "def find(session, name):\n    session.run(f'SELECT id FROM client WHERE name = {name}')",
        "_ROWS = 'client'\ndef find(session, name):\n    session.run(f'SELECT id FROM {_ROWS} WHERE name = %(n)s', {})",
    ),
    "a line of the log put together from values": ("log.info(f'gave {name}')", "log.info('gave', supply=supply_id)"),
    "secrets compared by ==": ("if given_digest == kept: pass", "if SignIn.token_digest == digest: pass"),
    "markup made of text": ("shown = Markup(words)", "shown = Markup('<b>{}</b>').format(words)"),
    "the environment read beside the settings": ("os.environ['A']", "settings.data"),
}
