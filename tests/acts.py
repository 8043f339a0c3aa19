"""Every act that the program writes into the audit trail, read from the code itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent


def _written(node: ast.expr, names: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)  # type: ignore[misc]
    elif isinstance(node, ast.IfExp):
        yield from _written(node.body, names)
        yield from _written(node.orelse, names)
    elif isinstance(node, ast.Name) and node.id in names:
        yield names[node.id]


def _passing_on(tree: ast.Module) -> dict[str, int | None]:
    """The functions that write an entry with the act that they are given, and at which place, if not by its name."""
    found: dict[str, int | None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and "record(" in ast.unparse(node):
            given = [each.arg for each in node.args.args]
            if "act" in given or "act" in [each.arg for each in node.args.kwonlyargs]:
                found[node.name] = given.index("act") if "act" in given else None
    return found


def acts_of_the_code() -> dict[str, set[str]]:
    """Each act with the files that write it: as it is given to `record`, and to whatever passes it on by `act`."""
    found: dict[str, set[str]] = {}
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sorted((ROOT / "dispensary").rglob("*.py"))}
    known_everywhere = {
        name: place for tree in trees.values() for name, place in _passing_on(tree).items() if not name.startswith("_")
    }
    for path, tree in trees.items():
        names = {
            target.id: node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and isinstance(node.value.value, str)
        }
        passes_on = {"record": None, **known_everywhere, **_passing_on(tree)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func).rpartition(".")[2]
            if called not in passes_on:
                continue
            place = passes_on[called]
            values = [each.value for each in node.keywords if each.arg == "act"]
            if place is not None and len(node.args) > place:
                values.append(node.args[place])
            for value in values:
                for act in _written(value, names):
                    found.setdefault(act, set()).add(str(path.relative_to(ROOT)))
        for act in re.findall(r"entry\.act := '([^']+)'", path.read_text("utf-8")):  # by a trigger
            found.setdefault(act, set()).add(str(path.relative_to(ROOT)))
    return found
