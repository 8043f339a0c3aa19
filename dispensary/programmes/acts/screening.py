"""Acts of screening: a questionnaire is asked, and what its result opens is offered."""

from __future__ import annotations

from collections.abc import Mapping

from dispensary.care.instruments import Question, instruments, questions
from dispensary.care.offer_models import Answer
from dispensary.care.offers import offer, opens
from dispensary.care.screenings import screen, screenings_of
from dispensary.programmes.acts import Act, act
from dispensary.programmes.acts.permitting import able
from dispensary.programmes.scene import Scene
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import rules as staff
from dispensary.staff.rules import Role

_NOTHING = ("no", "never", "0")
"""The answer of each kind of question by which nothing is the matter."""


@act("screen")
class Screen(Act, frozen=True):
    """An instrument is asked. What is not answered here is answered by the word that means nothing is the matter."""

    instrument: str
    answers: Mapping[str, str] = {}
    yes: tuple[int, ...] = ()
    """Numbers of the questions that are answered by yes, of an instrument that asks yes or no."""
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        asked = questions(instruments()[self.instrument])
        said = {each.name: _nothing(each) for each in asked} | {f"q{number}": "yes" for number in self.yes}
        screen(
            scene.session,
            actor=able(scene, scene.actor(self.by), staff.Act.CARE),
            client_id=scene.client,
            instrument=self.instrument,
            answers={**said, **self.answers},
            taken_on=scene.today,
            key=scene.key("screen", self.instrument),
            today=scene.today,
            at=scene.at,
        )


def _nothing(question: Question) -> str:
    if question.choices:
        words = [value for value, _ in question.choices]
        return next((each for each in _NOTHING if each in words), words[0])
    return "" if question.skippable else "72"  # beats a minute: COWS asks for no other number


@act("offer")
class Offered(Act, frozen=True):
    """Something is offered, and the client says yes, no, or that they will think about it (an empty answer)."""

    what: str
    answer: Answer
    after: str = ""
    """The instrument whose newest result opened it; nothing where it was offered without one."""
    opened: bool = False
    """It is refused unless the site's pathway opens it by that result, where somebody of this role offers it."""
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        taken = screenings_of(scene.session, client_id=scene.client) if self.after else []
        newest = next((each for each in taken if each.instrument.key == self.after), None)
        actor = able(scene, scene.actor(self.by), staff.Act.CARE)
        open_here = opens(scene.session, actor=actor, taken=newest) if newest is not None else []
        if self.opened and self.what not in {each.key for each in open_here}:
            known = ", ".join(each.key for each in open_here) or "nothing"
            said = f"The pathway opens {known} by this result, and not “{self.what}”."
            raise BadInput(Refusal("not-opened", said, "Offer what it opens, or leave `opened` out."))
        offer(
            scene.session,
            actor=actor,
            client_id=scene.client,
            what=self.what,
            answer=self.answer,
            screening_id=newest.id if newest is not None else None,
            key=scene.key("offer", self.what),
            today=scene.today,
            at=scene.at,
        )
