"""A programme as those who work in it see it: whether its pages are in the language that its folder names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from babel.support import NullTranslations
from httpx import Response
from sqlalchemy import text

from dispensary import words
from dispensary.app import create_app
from dispensary.care.instruments import Asks, Wording, instruments, questions
from dispensary.care.pathways import shipped
from dispensary.care.plans import plans
from dispensary.demo.clinic import PASSWORD
from dispensary.published.keeping import keep
from dispensary.staff.rules import Role
from tests.dispensary.visiting import Visitor, demo_settings, text_of
from tests.programmes.conftest import Built

LEAST = 0.95
"""Of the messages of a page; what is left is read in English."""
SCRIPTS = {
    "km": ("\u1780", "\u17ff"),
    "lo": ("\u0e80", "\u0eff"),
    "ta": ("\u0b80", "\u0bff"),
    "th": ("\u0e00", "\u0e7f"),
    "zh_Hans": ("\u4e00", "\u9fff"),
}
"""Between which signs a language is written that has a script of its own."""
PAGES: Mapping[Role, tuple[str, ...]] = {
    Role.PHARMACIST: ("/", "/counter", "/reception/queue", "/counter/clients/{client}"),
    Role.DOCTOR: ("/", "/consulting", "/consulting/clients/{client}", "/consulting/clients/{client}/disclosing"),
    Role.NURSE: ("/", "/reception", "/care", "/care/clients/{client}", "/care/referrals", "/care/groups"),
    Role.RECEPTION: ("/", "/reception", "/reception/queue"),
    Role.PEER_WORKER: ("/", "/peers"),
    Role.EVALUATOR: ("/", "/evaluation", "/programme", "/programme/published"),
    Role.ADMINISTRATOR: ("/", "/office", "/disclosure"),
}


@dataclass
class Heard:
    """The translations of a language, and which messages a page asked of them."""

    within: NullTranslations
    asked: dict[str, bool] = field(default_factory=dict)
    """Of each message whether it is translated."""

    def ugettext(self, message: str) -> str:
        self._hears(message, message)
        return self.within.ugettext(message)

    def upgettext(self, about: str, message: str) -> str:
        self._hears(message, f"{about}\x04{message}", message)
        return self.within.upgettext(about, message)

    def ungettext(self, one: str, many: str, count: int) -> str:
        self._hears(one, (one, 0))
        return self.within.ungettext(one, many, count)

    def _hears(self, message: str, *known_as: object) -> None:
        catalogue = getattr(self.within, "_catalog", {})
        self.asked[message] = any(each in catalogue for each in known_as)


@contextmanager
def _heard() -> Iterator[dict[str, Heard]]:
    real, by_language = words._translations, dict[str, Heard]()

    def through(language: str, on_screen: bool) -> Heard:
        heard = by_language.setdefault(language, Heard(NullTranslations()))
        heard.within = real(language, on_screen)
        return heard

    with patch.object(words, "_translations", through):
        yield by_language


def is_spoken(built: Built, folder: Path) -> None:
    """Opens the pages of each kind of work, as the first of the accounts of the file that do it."""
    programme, language = built.programme, built.programme.head.language
    keep(folder, programme.publication)
    app = create_app(demo_settings(folder), built.database, lambda: built.now)
    by_role = {role: (site, each) for site in reversed(programme.sites) for each in site.staff for role in each.roles}
    wanting, mistakes = {}, []
    with _heard() as heard:
        for role, (site, each) in by_role.items():
            visitor = Visitor(app)
            assert visitor.signs_in(each.username, PASSWORD).status_code == 303, each.username
            client = _a_client(built, built.house.sites[site.code].id)
            for path in PAGES[role]:
                if heard:
                    heard[language].asked.clear()
                answer = _seen(visitor, path.format(client=client), client)
                assert answer.status_code == 200, (role, path, answer.status_code)
                shown = text_of(answer)
                asked = heard[language].asked
                missing = sorted(message for message, said in asked.items() if not said)
                if len(missing) > (1 - LEAST) * len(asked):
                    wanting[f"{role} {path}"] = missing
                mistakes += [path] * (f'<html lang="{language.replace("_", "-")}"' not in answer.text)
                named = any(
                    each.name in shown for each in programme.sites
                )  # whoever works at several is at one of them
                mistakes += [f"{path}: {site.name}"] * (not named)
                if path == "/programme/published":
                    _is_told(built, shown)
    assert not wanting, f"pages that are half in English: {wanting}"
    assert not mistakes, f"pages in another language, or of no site: {mistakes}"
    _own_names(built, language)


def _seen(visitor: Visitor, path: str, client: object) -> Response:
    """The page; whoever is asked why they look at somebody who is not here today says so first."""
    answer = visitor.get(path)
    if answer.headers.get("location", "").startswith("/looking/"):
        assert visitor.post(f"/looking/{client}", {"reason": "phoned", "onward": "/"}).status_code == 303
        answer = visitor.get(path)
    return answer


def _a_client(built: Built, site_id: object) -> object:
    with built.database.reading() as session:
        of = "SELECT id FROM client WHERE site_id = :site ORDER BY number LIMIT 1"
        return session.scalar(text(of), {"site": site_id})


def _is_told(built: Built, shown: str) -> None:
    """The table says each figure in the programme's language, and nothing of it in the words of the file."""
    of = built.programme.publication
    told = of.words[built.programme.head.language]
    assert of.to_be_spoken() == set(told), "everything that the page says is said"
    assert told[of.title] in shown
    assert [figure.key for figure in of.figures if told[figure.says] not in shown] == []
    for figure in of.figures:
        shown = shown.replace(figure.source, "")  # which is cited as it is called
    assert [figure.says for figure in of.figures if figure.says in shown and figure.says not in told.values()] == []


def _own_names(built: Built, language: str) -> None:
    """Its sites and areas, and what it asks, offers and agrees, are called something in its language."""
    programme = built.programme
    if language in SCRIPTS:
        first, last = SCRIPTS[language]
        for each in (*programme.sites, *programme.areas):
            assert any(first <= sign <= last for sign in each.name), each.name
    own = {each.key for site in programme.sites for each in site.instrument}
    names = {each.name for each in shipped().pathways.values()} | {each.name for each in plans().values()}
    names |= {each.says for each in shipped().offers.values()}
    for key in own:
        asks = instruments()[key]
        names |= {asks.about, asks.period}
        if asks.words is Wording.TOPICS:
            names |= {each.group if asks.asks is Asks.WEEKS and each.group else each.label for each in questions(asks)}
    with words.spoken(language, on_screen=True):
        missing = sorted(name for name in names if words.gettext(name) == name)
    assert [name for name in missing if name not in _ALIKE] == []


_ALIKE = ("Crack",)
"""Words that some of the languages have as English has them."""
