"""Writes permissions.md from the house's document: who may do what, how far a site may go, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from dispensary.staff.permission_rules import Permission, Role, permissions

PAGE = Path(__file__).with_name("permissions.md")

OPENING = """\
# Permissions

Who may do what, as the program comes. This page is written (`make permissions`) from
[`dispensary/staff/permissions.toml`](../dispensary/staff/permissions.toml), and a test fails when it is not current. A
site's administrator may change what is marked, for that site, with a reason
([handbook](handbook/administrator.md#who-may-do-what)); what is not marked stands for every site.

- **yes**: allowed; **yes, changeable**: a site may take it away.
- a dash: not allowed; **no, changeable**: a site may allow it.

Whoever has several roles may what any of them may. What every route of the program answers to each role is one table,
[`tests/dispensary/permissions.csv`](../tests/dispensary/permissions.csv), and a test asks every one of them.

"""


def page() -> str:
    """The whole page."""
    return OPENING + "".join(_table(permissions().values())) + "".join(_reasons(permissions().values()))


def _table(all_of_them: Iterable[Permission]) -> Iterator[str]:
    yield "| act | " + " | ".join(role.value for role in Role) + " |\n"
    yield "| --- |" + " --- |" * len(Role) + "\n"
    for each in all_of_them:
        yield f"| {each.act.value} | " + " | ".join(_cell(each, role) for role in Role) + " |\n"


def _cell(permission: Permission, role: Role) -> str:
    if role in permission.roles:
        return "yes, changeable" if role in permission.may_take_away else "yes"
    return "no, changeable" if role in permission.may_add else "–"


def _reasons(all_of_them: Iterable[Permission]) -> Iterator[str]:
    yield "\n## What each is, and why\n\n| act | what it is | why so |\n| --- | --- | --- |\n"
    for each in all_of_them:
        yield f"| {each.act.value} | {each.says} | {each.why} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
