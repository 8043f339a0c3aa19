"""The desks where people work, and which of them somebody's roles open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dispensary.staff.rules import Act, Actor


@dataclass(frozen=True)
class Desk:
    """A place in the clinic where one kind of work is done."""

    name: str
    path: str
    purpose: str
    acts: tuple[Act, ...]
    """Any of these opens the desk."""


def _(message: str) -> str:
    return message  # marks a message for extraction; pages translate it where they show it


DESKS: tuple[Desk, ...] = (
    Desk(_("Counter"), "/counter", _("Give today's dose, hand over bottles, close the day."), (Act.DISPENSE,)),
    Desk(
        _("Consulting"),
        "/consulting",
        _("Order doses, decide on take-home, answer alerts."),
        (Act.ORDER, Act.ENROL),
    ),
    Desk(_("Care"), "/care", _("Ask, offer, keep sessions: what surrounds the dose."), (Act.CARE,)),
    Desk(_("Home visits"), "/carrying", _("Bottles that you carry to a home."), (Act.CARRY,)),
    Desk(_("Reception"), "/reception", _("Book times and check people in."), (Act.BOOK, Act.CHECK_IN)),
    Desk(_("My clients"), "/peers", _("Keep in touch with those you were given."), (Act.LOOK_AFTER_OWN,)),
    Desk(_("Evaluation"), "/evaluation", _("See what the programme achieves, and export it."), (Act.EXPORT,)),
    Desk(
        _("Disclosure"),
        "/disclosure",
        _("See what left with a name, and what is kept for a court."),
        (Act.KEEP_RECORD, Act.ERASE),
    ),
    Desk(_("Office"), "/office", _("Accounts, hours, closures and the site itself."), (Act.RUN_SITE,)),
)


def desks_open_to(actor: Actor, desks: Sequence[Desk] = DESKS) -> list[Desk]:
    """The desks that are open to somebody where they work now, in the order of a morning."""
    return [desk for desk in desks if any(actor.may(act) for act in desk.acts)]
