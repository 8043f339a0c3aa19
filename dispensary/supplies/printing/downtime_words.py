"""What a downtime pack says of a client, in sentences: the same on the PDF and on the page."""

from __future__ import annotations

from collections.abc import Sequence

from dispensary.staff.models import Site
from dispensary.supplies.outage_pack import ClientInPack, DayAhead, Pack
from dispensary.supplies.printing.wording import day_runs, moment, short_day
from dispensary.units import plain
from dispensary.words import _


def blanks() -> tuple[str, ...]:
    """What is filled in by hand for each hand-over."""
    return (
        _("Time"),
        _("mg"),
        _("mL"),
        _("Lot"),
        _("Known by"),
        _("Bottles for"),
        _("Given by"),
        _("Seen by"),
        _("Signature"),
    )


def drill(site: Site) -> list[str]:
    """What to do, in three lines, and whom to call."""
    phones = [
        *([_("the site %(phone)s", phone=site.phone)] if site.phone else []),
        *([_("the prescriber %(phone)s", phone=site.prescriber_phone)] if site.prescriber_phone else []),
    ]
    return [
        _("1. Know the client by photo, second identifier or birth date. Give what stands here and nothing else."),
        _("2. Whoever is stopped, held, marked or not on this list: call the prescriber before you give anything."),
        _("3. Write each hand-over at once: time, mg, lot, your name. Enter the sheets once the system is back."),
        *([_("Telephone: %(phones)s.", phones=", ".join(phones))] if phones else []),
    ]


def known_by(client: ClientInPack) -> list[str]:
    """How the client is known, beside the photo."""
    face = client.face
    return [
        *([_("Born %(day)s", day=short_day(face.born))] if face.born else []),
        *([face.second_identifier] if face.second_identifier else []),
    ]


def due(client: ClientInPack) -> str:
    """Today's dose at the counter: how much, or that there is none."""
    if client.here is not None:
        portion, mg = client.here
        today = client.days[0]
        if len(today.mg) > 1:
            return _("%(mg)s mg (portion %(n)s of %(all)s)", mg=plain(mg), n=portion, all=len(today.mg))
        return _("%(mg)s mg", mg=plain(mg))
    return _("No dose: has it") if client.days[0].mg else _("No dose: no order")


def volumes(client: ClientInPack) -> str:
    """The same in mL of each open lot."""
    return "; ".join(_("%(ml)s mL of %(lot)s", ml=plain(ml), lot=batch) for batch, ml in client.ml)


def against(client: ClientInPack) -> list[str]:
    """Why today's dose may not be given without a call, and what must be said first."""
    said = [_("Say first: %(what)s", what=each) for each in client.say_first]
    return [_("STOP. %(why)s", why=_(each.sentence)) for each in client.against] + said


def ahead(client: ClientInPack) -> list[str]:
    """Each later day."""
    return [f"{day_runs([each.day])}: {_of_day(each)}" for each in client.days[1:]]


def _of_day(each: DayAhead) -> str:
    if not each.mg:
        return _("no order")
    mg = " + ".join(plain(part) for part in each.mg)
    if each.held:
        return _("%(mg)s mg, HELD", mg=mg)
    if not each.due:
        return _("%(mg)s mg, has it", mg=mg)
    return _("%(mg)s mg, due", mg=mg)


def carried(client: ClientInPack, pack: Pack) -> list[str]:
    """What may be carried home, what stands prepared, and what was had last."""
    lines = []
    if client.limits is None:
        lines.append(_("No bottles: no decision"))
    else:
        week = _(", %(n)s a week", n=client.limits.per_week) if client.limits.per_week is not None else ""
        lines.append(_("Bottles: at most %(n)s at once%(week)s", n=client.limits.per_supply, week=week))
        if client.bottles_due:
            lines.append(_("Due today, at most: %(days)s", days=day_runs(client.bottles_due)))
    for each in client.pickups:
        state = _("with a carrier") if each.with_carrier else _("in the safe")
        lines.append(
            _(
                "Prepared for %(day)s: %(n)s for %(days)s, %(state)s",
                day=day_runs([each.collect_on]),
                n=each.bottles,
                days=day_runs(each.days),
                state=state,
            )
        )
        if each.pass_until:
            lines.append(_("Pass until %(moment)s", moment=moment(each.pass_until, pack.site.zone)))
    if client.last:
        lines.append(_("Last: %(mg)s mg on %(day)s", mg=plain(client.last[1]), day=day_runs([client.last[0]])))
    return lines


def heading(pack: Pack) -> str:
    """What the pack is, and of when."""
    made = moment(pack.made_at, pack.site.zone)
    return _("%(site)s downtime pack, made %(moment)s", site=pack.site.code, moment=made)


def lot_lines(pack: Pack) -> Sequence[str]:
    """The open lots, first expired first."""
    return [
        _(
            "Lot %(lot)s: %(strength)s mg/mL, expires %(day)s, %(ml)s mL by the register",
            lot=lot.batch,
            strength=plain(lot.strength),
            day=short_day(lot.expires_on),
            ml=plain(lot.balance),
        )
        for lot in pack.lots
    ]
