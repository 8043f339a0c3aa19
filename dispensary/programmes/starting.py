"""Opens a real clinic, or a programme of them, from a programme's folder: its place, and nobody of its records.

Areas and sites that are there already under the same facts are left as they are, with all that was set there since;
where a fact differs nothing is opened. Nobody gets a password: whoever is new is invited, and chooses their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from dispensary.database import ReadSession, WriteSession
from dispensary.programmes.opening import opens, set_up
from dispensary.programmes.own_care import publish_care
from dispensary.programmes.shapes import Programme, SiteTable, StaffTable
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff import audit, invitations
from dispensary.staff.branch_import import import_tree
from dispensary.staff.branch_queries import known_nodes
from dispensary.staff.branch_rules import AREAS, Node, plain_code
from dispensary.staff.branches import grant_at_branch
from dispensary.staff.models import Account
from dispensary.staff.queries import place
from dispensary.staff.rules import Actor, Role, plain_username, the_program
from dispensary.staff.service import add_account, grant
from dispensary.staff.text_languages import accept_language
from dispensary.takehome.opening import Missing, NewSite, missing_at, open_site
from dispensary.units import AccountId, SiteId
from dispensary.words import on_screens
from notifications.texts import DRAFTS


@dataclass(frozen=True)
class Started:
    """A site that was opened just now."""

    code: str
    name: str
    invited: Sequence[tuple[str, str, str]]
    """Account name, person, and the code by which they choose their password: it is told once, and kept nowhere."""
    known: Sequence[str]
    """Account names of people who were there before, and work here too from now on."""
    everywhere: Sequence[tuple[str, str]]
    """Account names, each with the branch at all of whose sites they have their roles, those of before too."""
    lacks: Sequence[Missing]
    """What it still needs before it serves anybody."""


@dataclass
class Opened:
    """What became of a folder."""

    areas: Sequence[str] = ()
    """Codes of the areas that were made."""
    sites: list[Started] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Codes of the sites that were there, and are as they were."""


def start(session: WriteSession, programme: Programme, *, factor: bool, said_by: str, at: datetime) -> Opened:
    """Opens what of the folder is not there: areas, sites, and at each new site its people and settings.

    `said_by` is the account of the computer on whose command line it is done; it stands in each site's trail.
    Raises BadInput with everything in which the folder differs from what is there, or what a service refuses, and then
    nothing is to be kept.
    """
    known = known_nodes(session)
    if faults := [*_differs(programme, known), *_other_people(session, programme, known)]:
        raise BadInput(*faults)
    opened = Opened(areas=[area.code for area in programme.areas if plain_code(area.code) not in known])
    if opened.areas:
        nodes = [
            Node(plain_code(each.code), each.kind, plain_code(each.parent), each.name, line=n)
            for n, each in enumerate(programme.areas, 1)
        ]
        import_tree(session, nodes=nodes, region=programme.sites[0].region, at=at)
    publish_care(session, tables=programme.care, at=at)
    for table in programme.sites:
        if plain_code(table.code) in known:
            opened.left.append(plain_code(table.code))
            continue
        try:
            opened.sites.append(_starts(session, programme, table, factor, said_by, at))
        except Refused as refused:
            raise BadInput(*(_at(table.code, each) for each in refused.refusals)) from refused
    return opened


def _starts(
    session: WriteSession, programme: Programme, table: SiteTable, factor: bool, said_by: str, at: datetime
) -> Started:
    spoken = programme.head.language
    wanted = NewSite(
        table.code, table.name, table.parent, table.zone, table.region,
        language=spoken if spoken in on_screens() else "en", lat=table.lat, lon=table.lon,
    )  # fmt: skip
    site = open_site(session, actor=None, wanted=wanted, factor=factor, at=at)
    site.address, site.phone, site.prescriber_phone = table.address, table.phone, table.prescriber_phone
    session.flush()
    site_id = SiteId(site.id)
    program, here = the_program(site_id), place(session, site_id)
    today = here.dose_day(at)
    opens(session, table, site_id, today)
    people = {each.username: _works(session, each, site_id, at) for each in table.staff}
    for language in (each for each in table.languages if each in DRAFTS):
        accept_language(session, actor=program, language=language, at=at)

    def who(role: Role) -> Actor:
        """A doctor signs for what a doctor signs for, and a directory is somebody's; the rest is the program's."""
        if role not in (Role.DOCTOR, Role.NURSE):
            return program
        return next((actor for actor, _ in people.values() if role in actor.roles), program)

    set_up(
        session,
        table,
        table.paper or programme.paper,
        here,
        who=who,
        rests_on=f"As the folder “{programme.key}” had it when the site was opened.",
        day=today,
        at=at,
    )
    details: dict[str, object] = {"folder": programme.key, "computer_account": said_by}
    audit.record(
        session, actor=program, act="opened site from folder", subject="site", subject_id=site_id, at=at,
        details=details,
    )  # fmt: skip
    codes = [
        (name, actor.name, invitations.invite(
            session, actor=program, site_id=site_id, account_id=_id(actor), at=at, said_by=said_by
        ))
        for name, (actor, new) in people.items() if new
    ]  # fmt: skip
    return Started(
        site.code,
        site.name,
        codes,
        [name for name, (_, new) in people.items() if not new],
        [(each.username, plain_code(each.branch)) for each in table.staff if each.branch],
        missing_at(session, site_id=site_id, today=today),
    )


def _works(session: WriteSession, table: StaffTable, site_id: SiteId, at: datetime) -> tuple[Actor, bool]:
    """Somebody with their roles here, and whether they are new in the whole programme."""
    program = the_program(site_id)
    username = plain_username(table.username)
    there = session.scalar(select(Account.id).where(Account.username == username))
    if there is None:
        account_id = add_account(
            session, actor=program, site_id=site_id, username=username, name=table.name, initials=table.initials,
            roles=table.roles, at=at,
        ).id  # fmt: skip
    else:
        account_id = AccountId(there)
        for role in table.roles:
            grant(session, actor=program, account_id=account_id, site_id=site_id, role=role, at=at)
    for role in table.roles if table.branch else ():
        grant_at_branch(session, actor=program, username=username, branch=table.branch, role=role, at=at)
    return Actor(account_id, site_id, frozenset(table.roles), table.name, table.initials), there is None


def _differs(programme: Programme, known: Mapping[str, Node]) -> Iterator[Refusal]:
    """In what the tree that is there differs from the folder's."""
    for area in programme.areas:
        yield from _facts(known, area.code, area.kind in AREAS, (
            ("kind", "kind", str(area.kind)), ("name", "name", area.name), ("parent", "parent", area.parent),
        ))  # fmt: skip
    for site in programme.sites:
        yield from _facts(known, site.code, False, (
            ("name", "name", site.name), ("parent", "parent", site.parent), ("time zone", "zone", site.zone),
        ))  # fmt: skip


def _facts(
    known: Mapping[str, Node], code: str, is_area: bool, facts: Sequence[tuple[str, str, str]]
) -> Iterator[Refusal]:
    code = plain_code(code)
    if (kept := known.get(code)) is None:
        return
    if is_area != (kept.kind in AREAS):
        yield _conflict(code, f"it is {'an area' if kept.kind in AREAS else 'a site'} there")
        return
    for fact, key, here in facts:
        there = str(getattr(kept, key))
        if there != (plain_code(here) if key == "parent" else here.strip()):
            yield _conflict(code, f"its {fact} is “{there}” there, and “{here}” in the folder")


def _other_people(session: ReadSession, programme: Programme, known: Mapping[str, Node]) -> Iterator[Refusal]:
    """Account names of the folder that are somebody else's, or of somebody who left, at sites that are to be opened."""
    wanted = {
        plain_username(each.username): (site.code, each)
        for site in programme.sites
        if plain_code(site.code) not in known
        for each in site.staff
    }
    for account in session.scalars(select(Account).where(Account.username.in_(wanted)).order_by(Account.username)):
        code, table = wanted[account.username]
        if account.left_at is not None:
            yield _conflict(code, f"the account “{account.username}” is of somebody who left")
        elif (account.name, account.initials) != (table.name.strip(), table.initials.strip()):
            yield _conflict(code, f"the account “{account.username}” is another person's there")


def _conflict(code: str, what: str) -> Refusal:
    return Refusal(
        "folder-differs",
        f"{code}: {what}.",
        "Write the folder as it is there, or choose another code or account name; nothing was opened.",
    )


def _at(code: str, refusal: Refusal) -> Refusal:
    return Refusal(refusal.code, f"programme.toml, {code}: {refusal.sentence}", refusal.remedy, refusal.evidence)


def _id(actor: Actor) -> AccountId:
    assert actor.account_id is not None, "whoever works at a site has an account"
    return actor.account_id
