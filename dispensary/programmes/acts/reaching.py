"""Acts of reaching people who are not there: over a screen, by a call, and by news to those who want it."""

from __future__ import annotations

from dispensary.care.reaching import note_contact
from dispensary.clients.contact_rules import CameOf, How
from dispensary.clients.wish_rules import Group
from dispensary.clients.wishes import set_wishes, wishes_of
from dispensary.phone.news import send_news
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.staff.rules import Role


@act("reach")
class Reach(Act, frozen=True):
    """Somebody of the staff was in touch with the client: by a call, over a screen in place of a visit, or at home."""

    words: str
    how: How = How.CALL
    came_of: CameOf | None = None
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        note_contact(
            scene.session,
            actor=scene.actor(self.by),
            client_id=scene.client,
            reached=True,
            words=self.words,
            key=scene.key("reach"),
            at=scene.at,
            how=self.how,
            came_of=self.came_of,
        )


@act("wants-news")
class WantsNews(Act, frozen=True):
    """The client wants the clinic's news by text."""

    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        wants = wishes_of(scene.session, scene.client).with_(Group.NEWS, wanted=True, hours=None)
        set_wishes(scene.session, actor=scene.actor(self.by), client_id=scene.client, wishes=wants, at=scene.at)


@act("news")
class News(Act, frozen=True):
    """News of the clinic, sent to everybody who wants it; its words give nothing away."""

    words: str

    def do(self, scene: Scene) -> None:
        send_news(
            scene.session,
            actor=scene.actor(Role.ADMINISTRATOR),
            site=scene.site,
            words=self.words,
            key=scene.key("news"),
            at=scene.at,
        )
