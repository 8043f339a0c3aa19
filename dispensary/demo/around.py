"""What surrounds the dose in the demonstration: places, referrals, naloxone, tests, visits, outreach, work and home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from dispensary.care.centres import import_centres
from dispensary.care.intakes import Heard, Part, assess_part, take_in
from dispensary.care.linkage import note_step
from dispensary.care.linkage_rules import Disease, Step
from dispensary.care.naloxone import answer_offer, give_kit, receive_kits, report_use
from dispensary.care.naloxone_rules import Outcome, Said, ToWhom
from dispensary.care.on_call import put_on_call
from dispensary.care.outreach import Kind, Material, Met, note_met
from dispensary.care.referral_models import Outcome as BecameOf
from dispensary.care.referral_models import Service
from dispensary.care.referral_words import Heard as HeardOf
from dispensary.care.referral_words import note_word
from dispensary.care.referrals import close_referral, refer
from dispensary.care.visits import Purpose, end_visit, plan_visit
from dispensary.clients.contacts import note_visit_wish
from dispensary.clients.goals import close_goal, set_goal
from dispensary.clients.life import note_life
from dispensary.clients.life_rules import Aspect, Housing, Work
from dispensary.clients.rules import EntryRoute
from dispensary.database import WriteSession
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId

PLACES = """code,name,services,address,phone
KK-SG,Klinik Kesihatan Sungai,hiv_test sti tuberculosis,3 Jalan Sungai,03-0000 0101
KK-BT,Klinik Kesihatan Bukit,hiv_test tuberculosis,18 Jalan Bukit,03-0000 0102
HKL-ID,"Hospital Besar, penyakit berjangkit",art hepatitis_c hospital,Jalan Hospital,03-0000 0103
HKL-PSI,"Hospital Besar, kesihatan mental",mental_health,Jalan Hospital,03-0000 0104
BBG,Biro Bantuan Guaman,legal_aid,Aras 2 Wisma Adil,03-0000 0105
RAKAN,Rakan Sebaya Chow Kit,support_group,41 Lorong Rahmat,03-0000 0106
KEMAHIRAN,Pusat Kemahiran Sentul,vocational,7 Jalan Sentul,03-0000 0107
"""
"""A directory as a site would import it. The places are nobody's: their names and numbers are made up."""


@dataclass(frozen=True)
class _Around:
    session: WriteSession
    actors: Mapping[Role, Actor]
    clients: Sequence[ClientId]
    """Whoever is in treatment, the longest first."""
    today: date
    now: datetime

    @property
    def nurse(self) -> Actor:
        return self.actors[Role.NURSE]

    def day(self, ago: int) -> date:
        return self.today - timedelta(days=ago)

    def moment(self, ago: int) -> datetime:
        return self.now - timedelta(days=ago)

    def key(self, *words: object) -> UUID:
        """The same in every demonstration, as if a form had sent it."""
        return uuid5(NAMESPACE_URL, " ".join(map(str, ("takehome-demonstration", *words))))

    def referrals(self) -> None:
        """One is asked about today, one was accepted, one is full, one is lost, some were attended."""
        administrator = self.actors[Role.ADMINISTRATOR]
        import_centres(self.session, actor=administrator, content=PLACES.encode(), at=self.moment(300))
        for number, (service, place, ago, heard, outcome) in enumerate(
            (
                (Service.HIV_TEST, "Klinik Kesihatan Sungai", 14, None, None),
                (Service.HEPATITIS_C, "Hospital Besar, penyakit berjangkit", 6, HeardOf.ACCEPTED, None),
                (Service.MENTAL_HEALTH, "Hospital Besar, kesihatan mental", 5, HeardOf.FULL, None),
                (Service.TUBERCULOSIS, "Klinik Kesihatan Bukit", 70, None, None),
                (Service.LEGAL_AID, "Biro Bantuan Guaman", 60, HeardOf.FEEDBACK, BecameOf.ATTENDED),
                (Service.VOCATIONAL, "Pusat Kemahiran Sentul", 90, HeardOf.FEEDBACK, BecameOf.ATTENDED),
                (Service.SUPPORT_GROUP, "Rakan Sebaya Chow Kit", 40, None, BecameOf.ATTENDED),
                (Service.STI, "Klinik Kesihatan Sungai", 100, None, BecameOf.NOT_ATTENDED),
            )
        ):
            client_id = self.clients[2 * number + 1]
            sent = refer(
                self.session,
                actor=self.nurse,
                client_id=client_id,
                service=service,
                place=place,
                agreed=True,
                ask_on=self.day(ago - 14),
                today=self.day(ago),
                at=self.moment(ago),
            )
            if heard:
                told = {
                    HeardOf.ACCEPTED: "They expect them on Thursday at ten.",
                    HeardOf.FULL: "Nobody new before next month.",
                    HeardOf.FEEDBACK: "They were kind, and explained everything twice.",
                }
                note_word(
                    self.session,
                    actor=self.nurse,
                    client_id=client_id,
                    referral_id=sent.id,
                    heard=heard,
                    words=told[heard],
                    on=self.day(ago - 4),
                    key=self.key("heard", number),
                    today=self.day(ago - 4),
                    at=self.moment(ago - 4),
                )
            if outcome:
                close_referral(
                    self.session,
                    actor=self.nurse,
                    client_id=client_id,
                    referral_id=sent.id,
                    outcome=outcome,
                    attended_on=self.day(ago - 3) if outcome is BecameOf.ATTENDED else None,
                    today=self.day(ago - 10),
                    at=self.moment(ago - 10),
                )

    def naloxone(self) -> None:
        """Two lots, of which one is soon over; kits to clients, a family, a peer and neighbours; two lives."""
        lots = [
            receive_kits(
                self.session,
                actor=self.nurse,
                batch=batch,
                product="Naloxone 4 mg nasal, two doses",
                expires_on=self.today + timedelta(days=ahead),
                kits=kits,
                today=self.day(320),
                at=self.moment(320),
            ).id
            for batch, ahead, kits in (("NX2401", 45, 60), ("NX2507", 500, 120))
        ]

        def gives(to_whom: ToWhom, client_id: ClientId | None, ago: int, *, lot: int = 1, code: str = "") -> None:
            give_kit(
                self.session,
                actor=self.nurse,
                lot_id=lots[lot],
                to_whom=to_whom,
                client_id=client_id,
                code=code,
                kits=1,
                trained=True,
                key=self.key("kit", to_whom.value, client_id or code, ago),
                today=self.day(ago),
                at=self.moment(ago),
            )

        for number, client_id in enumerate(self.clients[:30:2]):
            gives(ToWhom.CLIENT, client_id, 12 * number + 3, lot=0 if number % 5 == 4 else 1)
        for number, client_id in enumerate(self.clients[:12:4]):
            gives(ToWhom.FAMILY, client_id, 20 * number + 5)
        for number, code in enumerate(("RAKAN7", "RAKAN9", "KEDAI MAMAK")):
            gives(ToWhom.PEER if number < 2 else ToWhom.COMMUNITY, None, 30 * number + 8, code=code)
        for answered, said in ((self.clients[1], Said.DECLINED), (self.clients[3], Said.HAS_ONE)):
            answer_offer(
                self.session,
                actor=self.nurse,
                client_id=answered,
                said=said,
                key=self.key("naloxone", answered),
                today=self.day(9),
                at=self.moment(9),
            )
        uses: tuple[tuple[ClientId | None, ToWhom, int, Outcome], ...] = (
            (self.clients[0], ToWhom.CLIENT, 2, Outcome.LIVES),
            (None, ToWhom.PEER, 33, Outcome.LIVES),
            (None, ToWhom.COMMUNITY, 80, Outcome.UNKNOWN),
        )
        for user, told_by, ago, outcome in uses:
            report_use(
                self.session,
                actor=self.nurse,
                client_id=user,
                told_by=told_by,
                happened_on=self.day(ago),
                kits=1,
                outcome=outcome,
                key=self.key("use", ago),
                today=self.day(ago - 1),
                at=self.moment(ago - 1),
            )

    def linkage(self) -> None:
        """Tests that were offered, taken, told; one declined, two that are stuck."""
        steps = (
            (0, Disease.HIV, ((Step.OFFERED, 60), (Step.TESTED, 58), (Step.RESULT_GIVEN, 55))),
            (1, Disease.HIV, ((Step.OFFERED, 30),)),
            (4, Disease.HCV, ((Step.OFFERED, 80), (Step.TESTED, 75))),
            (6, Disease.TB, ((Step.OFFERED, 12), (Step.DECLINED, 12))),
            (7, Disease.HBV, ((Step.OFFERED, 20), (Step.TESTED, 18), (Step.RESULT_GIVEN, 11))),
            (9, Disease.TB, ((Step.OFFERED, 5), (Step.TESTED, 4))),
        )
        for number, disease, taken in steps:
            for step, ago in taken:
                note_step(
                    self.session,
                    actor=self.nurse,
                    client_id=self.clients[number],
                    disease=disease,
                    step=step,
                    on=self.day(ago),
                    key=self.key("step", number, disease.value, step.value),
                    today=self.day(ago),
                    at=self.moment(ago),
                )

    def entry(self) -> None:
        """Three who came from outside and are not clients yet: by themselves, by family, and sent by police."""
        for number, (heard, ago, parts) in enumerate(
            (
                (
                    Heard(
                        "Hafiz", EntryRoute.POLICE, "60100000077", "Wants work, and to sleep.", "Balai Sentul", "F-1"
                    ),
                    2,
                    (
                        (Part.HEALTH, "Has not seen a doctor for years. Coughs.", (Service.TUBERCULOSIS,)),
                        (Part.LEGAL, "Afraid of an old summons.", (Service.LEGAL_AID,)),
                    ),
                ),
                (Heard("Mei Ling", EntryRoute.FAMILY, "her sister knows", "Asks how a day here goes."), 1, ()),
                (Heard("Ravi", EntryRoute.SELF, "60100000078", "Wants to begin this week."), 0, ()),
            )
        ):
            came = take_in(self.session, actor=self.nurse, heard=heard, today=self.day(ago), at=self.moment(ago))
            for part, words, services in parts:
                assess_part(
                    self.session,
                    actor=self.nurse,
                    intake_id=came.id,
                    part=part,
                    words=words,
                    services=[each.value for each in services],
                    key=self.key("part", number, part.value),
                    today=self.day(ago),
                    at=self.moment(ago),
                )

    def visits(self) -> None:
        """A round of today with two visits, one of last week that was made, and who is on call."""
        nurse = self.nurse
        visitor_id = nurse.account_id
        assert visitor_id is not None, "the demonstration's people have accounts"
        where = ("Blue house behind the market; ask for the uncle.", "Ring twice. The neighbours are not to know.")
        for client_id, place in zip(self.clients[8:12:2], where, strict=True):
            note_visit_wish(
                self.session,
                actor=nurse,
                client_id=client_id,
                agreed=True,
                where=place,
                today=self.day(40),
                at=self.moment(40),
            )

        def plans(client_id: ClientId, ago: int, on: int, purpose: Purpose) -> UUID:
            return plan_visit(
                self.session,
                actor=nurse,
                client_id=client_id,
                visitor_id=visitor_id,
                on=self.day(on),
                purpose=purpose,
                today=self.day(ago),
                at=self.moment(ago),
            ).id

        made = plans(self.clients[8], 9, 7, Purpose.LOOK)
        end_visit(
            self.session,
            actor=nurse,
            visit_id=made,
            met=True,
            found="Well, and eating again. The steps are hard; asked about a stick.",
            key=self.key("visit", 7),
            today=self.day(7),
            at=self.moment(7),
        )
        plans(self.clients[8], 1, 0, Purpose.LOOK)
        plans(self.clients[10], 1, 0, Purpose.OTHER)
        for role, first, phone in ((Role.NURSE, 0, "03-0000 0011"), (Role.DOCTOR, 7, "03-0000 0012")):
            colleague = self.actors[role].account_id
            assert colleague is not None, "the demonstration's people have accounts"
            put_on_call(
                self.session,
                actor=nurse,
                account_id=colleague,
                first=self.today + timedelta(days=first),
                last=self.today + timedelta(days=first + 6),
                phone=phone,
                at=self.now,
            )

    def outreach(self) -> None:
        """Evenings of the peer worker in two streets, with and without codes."""
        for number, (ago, kind, place, code, materials) in enumerate(
            (
                (1, Kind.OUTREACH, "Chow Kit", "K14", {Material.NEEDLES: 20, Material.NEEDLES_BACK: 12}),
                (1, Kind.OUTREACH, "Chow Kit", "", {Material.CONDOMS: 10, Material.LEAFLETS: 2}),
                (8, Kind.OUTREACH, "Sentul", "K21", {Material.NEEDLES: 10, Material.WATER: 10}),
                (8, Kind.DROP_IN, "Lorong Rahmat", "K14", {Material.FOOD: 1, Material.HYGIENE: 1}),
                (30, Kind.EVENT, "Pasar malam", "", {Material.LEAFLETS: 60}),
            )
        ):
            note_met(
                self.session,
                actor=self.actors[Role.PEER_WORKER],
                met=Met(self.day(ago), kind, place, code, ("hiv_test",) if code else (), materials),
                key=self.key("outreach", number),
                today=self.day(ago),
                at=self.moment(ago),
            )

    def life(self) -> None:
        """How some work and live, and how that changed; a goal that was reached and one that was let go."""
        course = (
            (0, Aspect.WORK, ((Work.LOOKING, 300), (Work.DAILY, 180), (Work.EMPLOYED, 40))),
            (0, Aspect.HOUSING, ((Housing.FRIENDS, 300), (Housing.OWN, 60))),
            (1, Aspect.WORK, ((Work.EMPLOYED, 200),)),
            (5, Aspect.WORK, ((Work.UNABLE, 250), (Work.STUDYING, 30))),
        )
        for number, aspect, told in course:
            for word, ago in told:
                note_life(
                    self.session,
                    actor=self.nurse,
                    client_id=self.clients[number],
                    aspect=aspect,
                    word=word.value,
                    from_day=self.day(ago),
                    key=self.key("life", number, aspect.value, word.value),
                    today=self.day(ago),
                    at=self.moment(ago),
                )
        for number, words, state in (
            (0, "To have a key of my own.", "reached"),
            (5, "To give up the night shift.", "let_go"),
        ):
            goal = set_goal(
                self.session,
                actor=self.nurse,
                client_id=self.clients[number],
                words=words,
                today=self.day(200),
                at=self.moment(200),
            )
            close_goal(
                self.session,
                actor=self.nurse,
                client_id=self.clients[number],
                goal_id=goal.id,
                state=state,
                today=self.day(50),
                at=self.moment(50),
            )


def surrounds(
    session: WriteSession,
    actors: Mapping[Role, Actor],
    clients: Sequence[tuple[ClientId, date]],
    *,
    today: date,
    now: datetime,
) -> None:
    """Writes all of it. `clients` are those in treatment with the day on which they were enrolled; only those who have
    been here for a year are taken, so that nothing is older than its client."""
    long = [client_id for client_id, began in clients if today - began >= timedelta(days=330)]
    around = _Around(session, actors, long, today, now)
    for write in (
        around.referrals,
        around.naloxone,
        around.linkage,
        around.entry,
        around.visits,
        around.outreach,
        around.life,
    ):
        write()
