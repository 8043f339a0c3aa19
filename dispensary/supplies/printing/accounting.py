"""Who was told what of a client, on paper for the client: every line of the register that is about them."""

from __future__ import annotations

from datetime import datetime

from dispensary.clients.consent_words import grounds, information
from dispensary.clients.disclosing import Ground, Released, disclosures_of
from dispensary.clients.queries import face_at
from dispensary.database import ReadSession
from dispensary.staff.models import Site
from dispensary.supplies.printing.disclosure import sender, who
from dispensary.supplies.printing.letter import Letter, letter_pdf
from dispensary.supplies.printing.wording import moment
from dispensary.supplies.told import Part
from dispensary.units import ClientId, SiteId
from dispensary.words import _


def accounting_pdf(
    session: ReadSession, *, site: Site, client_id: ClientId, language: str, printed_at: datetime
) -> bytes:
    """The client's own account of what left the programme with their name, the newest first. Raises NotThere."""
    face = face_at(session, site_id=SiteId(site.id), client_id=client_id)
    lines = disclosures_of(session, client_id=client_id)

    def letter() -> Letter:
        return Letter(
            title=_("Who was told what about me"),
            sender=sender(site),
            about=((_("About"), who(face)), (_("Lines"), str(len(lines)))),
            parts=tuple(_part(line, site) for line in lines)
            or (Part(_("Nobody"), (_("Nothing has left the programme with my name."),)),),
            foot=_("Printed %(at)s.", at=moment(printed_at, site.zone)),
        )

    return letter_pdf(letter, made_at=printed_at, language=language)


def _part(line: Released, site: Site) -> Part:
    words = information()
    what = ", ".join(words[kind] for kind in line.kinds) or line.what
    said = [
        _("To: %(recipient)s", recipient=line.recipient),
        _("What: %(what)s", what=what),
        _("Why: %(ground)s", ground=grounds()[Ground(line.ground)]),
    ]
    if line.reason:
        said.append(_("For: %(reason)s", reason=line.reason))
    said.append(_("By: %(name)s", name=line.by))
    return Part(moment(line.at, site.zone), tuple(said))
