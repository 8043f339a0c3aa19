"""What leaves with a client's name, on paper: what was chosen and no more, on whose word, with the notice."""

from __future__ import annotations

from dispensary.clients.consent_rules import Information
from dispensary.clients.consent_words import grounds, information
from dispensary.clients.consents import consent_of
from dispensary.clients.disclosing import Ground, released
from dispensary.clients.disclosure_models import Release
from dispensary.clients.models import Client
from dispensary.clients.notices import notice_with
from dispensary.clients.queries import Face, face_of
from dispensary.database import ReadSession
from dispensary.staff.models import Site
from dispensary.supplies.printing.letter import Letter, letter_pdf
from dispensary.supplies.printing.wording import moment, plain_day
from dispensary.supplies.told import Period, parts_of
from dispensary.units import ClientId
from dispensary.words import _, pgettext


def disclosure_pdf(session: ReadSession, *, site: Site, client_id: ClientId, release: Release, period: Period) -> bytes:
    """The paper that goes with a line of the register, in the site's language.

    It holds the kinds of information that the line names, with what covers them and the notice that the line names. The
    same line and the same record give the same bytes.
    """
    kinds = frozenset(Information(kind) for kind in release.kinds)
    line = released(session, release)
    face = face_of(session, session.get_one(Client, client_id))

    def letter() -> Letter:
        words = information()
        about = [
            (_("About"), who(face)),
            (pgettext("recipient", "To"), line.recipient),
            (pgettext("purpose", "For"), line.reason or _("treatment in an emergency")),
            (_("Given"), grounds()[Ground(release.ground)]),
        ]
        if release.consent_id is not None:
            agreed = consent_of(session, client_id=client_id, consent_id=release.consent_id)
            ends = plain_day(agreed.rule.until_day) if agreed.rule.until_day else agreed.until_event
            named = ", ".join(words[kind] for kind in agreed.kinds)
            about.append((_("The consent names"), named))
            about.append((_("It lasts until"), ends))
        elif line.authority:
            about.append((_("Resting on"), line.authority))
        about.append((_("This paper tells"), ", ".join(words[kind] for kind in Information if kind in kinds)))
        return Letter(
            title=_("In confidence"),
            sender=sender(site),
            about=tuple(about),
            parts=parts_of(session, client_id=client_id, kinds=kinds, period=period),
            notice=notice_with(session, release.notice).said(site.language),
            sign=(_("%(name)s, for the programme", name=line.by),),
            foot=_(
                "Given %(at)s. What does not stand on this paper was not told. Line %(line)s.",
                at=moment(release.at, site.zone),
                line=str(release.id)[-8:],
            ),
        )

    return letter_pdf(letter, made_at=release.at, language=site.language)


def who(face: Face) -> str:
    """A client as a paper names them: name, number, birth date."""
    born = _("born %(day)s", day=plain_day(face.born)) if face.born else ""
    return ", ".join(filter(None, (face.name, face.number, born)))


def sender(site: Site) -> tuple[str, ...]:
    """The lines above a letter: the site, and where it is."""
    return tuple(filter(None, (f"{site.name} ({site.code})", ", ".join(filter(None, (site.address, site.phone))))))
