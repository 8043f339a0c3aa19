from __future__ import annotations

import re
import threading
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest
from httpx import Response
from PIL import Image
from sqlalchemy import func, select, text

from dispensary.clients.circumstances import Circumstances
from dispensary.clients.models import Client, Episode
from dispensary.clients.queries import face_of, photo_of
from dispensary.clients.rules import Identity
from dispensary.database import Database
from dispensary.refusals import BadInput
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from dispensary.web import consultation
from dispensary.web.photo import LARGEST_UPLOAD, LONGEST_SIDE, portrait
from notifications.queries import contact_details
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.visiting import text_of

PATH = "/consulting/clients/new"
CIRCUMSTANCES = ("lockbox", "housing_stable", "employed", "health_stable", "children_at_home", "guardian")


def picture(kind: str = "JPEG", size: tuple[int, int] = (900, 600), mode: str = "RGB", **options: object) -> bytes:
    image = Image.new(mode, size, 200 if mode == "P" else (180, 140, 110, 0)[: len(mode)])
    written = BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def with_place_and_time() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Some Phone"
    exif[0x0112] = 6  # on its side
    exif.get_ifd(0x8825)[1] = "N"
    return picture(exif=exif)


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def form(here: Desks, **changed: str) -> dict[str, str]:
    return {
        "number": "h-500",
        "name": "Tan Wei Ming",
        "born": "1980-02-29",
        "sex": "male",
        "national_id": "800229-14-5521",
        "second_identifier": "",
        "phone": "",
        "language": "ms",
        "began_on": day(0, here),
        "lockbox": "yes",
        "housing_stable": "no",
        "employed": "not asked",
        "health_stable": "yes",
        "children_at_home": "no",
        "guardian": "not asked",
        "distance_km": "",
        **changed,
    }


def send(here: Desks, data: dict[str, str], photo: bytes | None = None, *roles: Role) -> Response:
    visitor = here.seat(*(roles or (Role.NURSE,)))
    files = {"photo": ("IMG_0001.gif", photo or b"", "image/gif" if photo else "application/octet-stream")}
    return visitor.post(PATH, data, files=files)


def the_client(here: Desks) -> Client:
    with here.database.reading() as session:
        return session.scalars(select(Client)).one()


class TestEnrolling:
    def test_a_nurse_enrols_somebody_and_is_led_to_their_page(self, here: Desks) -> None:
        answer = send(here, form(here, phone="012-345 6789", texts="yes"))

        client = the_client(here)
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            f"/consulting/clients/{client.id}?done=enrolled",
        )
        assert (client.number, client.sex, client.birth_year) == ("H-500", "male", 1980)
        with here.database.reading() as session:
            contact = contact_details(session, vault=session.vault, recipient_id=client.id)
            assert contact is not None
            assert (contact.phone, contact.language) == ("+60123456789", "ms")
            assert contact.consented_at == here.place.now
            assert face_of(session, client).name == "Tan Wei Ming"

    @pytest.mark.parametrize("known", CIRCUMSTANCES)
    @pytest.mark.parametrize(("answer", "kept"), [("yes", True), ("no", False), ("not asked", None)])
    def test_each_circumstance_is_a_yes_a_no_or_not_asked(
        self, here: Desks, known: str, answer: str, kept: bool | None
    ) -> None:
        send(here, form(here, **{**dict.fromkeys(CIRCUMSTANCES, "not asked"), known: answer}))

        client = the_client(here)
        assert {name: getattr(client, name) for name in CIRCUMSTANCES} == {
            **dict.fromkeys(CIRCUMSTANCES, None),
            known: kept,
        }

    @pytest.mark.parametrize(("typed", "kept"), [("", None), ("0", 0), ("35", 35), ("2000", 2000)])
    def test_how_far_they_travel_is_a_figure_or_not_asked(self, here: Desks, typed: str, kept: int | None) -> None:
        send(here, form(here, distance_km=typed))

        assert the_client(here).distance_km == kept

    @pytest.mark.parametrize("typed", ["2001", "-1", "12.5", "far"])
    def test_a_distance_that_cannot_be_is_refused_beside_its_field_and_nobody_is_enrolled(
        self, here: Desks, typed: str
    ) -> None:
        answer = send(here, form(here, distance_km=typed))

        assert answer.status_code == 422
        assert re.findall(r'id="error-(\w+)"', answer.text) == ["distance_km"]
        assert f'value="{typed}"' in answer.text
        with here.database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Client)) == 0

    def test_what_was_told_at_enrolment_stands_in_the_form_of_the_first_assessment(self, here: Desks) -> None:
        here.follow()
        send(here, form(here, children_at_home="yes", guardian="no", distance_km="35"))

        page = here.doctor.get(f"/consulting/clients/{the_client(here).id}/take-home").text

        chosen = dict(re.findall(r'<select id="field-(\w+)".*?value="([^"]*)" selected', page, re.DOTALL))
        assert {"children_at_home": "yes", "guardian": "no", "employed": "not asked"}.items() <= chosen.items()
        assert re.search(r'id="field-distance_km"[^>]*value="35"', page)

    def test_without_agreement_the_phone_is_kept_and_no_text_is_sent_to_it(self, here: Desks) -> None:
        send(here, form(here, phone="012-345 6789"))

        with here.database.reading() as session:
            contact = contact_details(session, vault=session.vault, recipient_id=the_client(here).id)
        assert contact is not None
        assert contact.consented_at is None

    def test_a_stolen_database_shows_no_name_number_of_a_person_or_face(self, here: Desks) -> None:
        send(here, form(here, phone="012-345 6789", second_identifier="blue bird"), picture())

        with here.database.reading() as session:
            rows = session.scalars(text("SELECT c::text FROM client c UNION ALL SELECT k::text FROM contact k")).all()
        everything = " ".join(rows)
        secrets = (b"Tan Wei Ming", b"800229-14-5521", b"blue bird", b"+60123456789", b"JFIF")
        assert not [secret for secret in secrets if secret.decode() in everything or secret.hex() in everything]

    def test_every_fault_stands_beside_its_field_and_all_that_was_typed_is_kept(self, here: Desks) -> None:
        typed = form(here, name="", born="29 Feb 1980", phone="12", sex="", began_on="")

        answer = send(here, typed)

        assert answer.status_code == 422
        assert re.findall(r'id="error-(\w+)"', answer.text) == ["name", "born", "sex", "began_on", "phone"]
        for value in ("h-500", "29 Feb 1980", "800229-14-5521", "12"):
            assert f'value="{value}"' in answer.text
        assert re.search(r'<option value="ms" selected>', answer.text)
        assert re.search(r'id="field-lockbox".*?<option value="yes" selected>', answer.text, re.DOTALL)
        assert re.search(r'id="field-children_at_home".*?<option value="no" selected>', answer.text, re.DOTALL)
        with here.database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Client)) == 0

    def test_the_photo_is_kept_through_a_refused_form(self, here: Desks) -> None:
        refused = send(here, form(here, name=""), picture())
        assert "This photo is kept." in text_of(refused)
        kept = re.search(r'name="photo_kept" value="([^"]+)"', refused.text)
        assert kept is not None

        assert send(here, form(here, photo_kept=kept[1])).status_code == 303

        with here.database.reading() as session:
            found = photo_of(session, ClientId(the_client(here).id), site_id=here.place.site_id)
        assert found is not None
        assert max(Image.open(BytesIO(found)).size) == LONGEST_SIDE

    def test_a_kept_photo_that_was_tampered_with_is_looked_at_again(self, here: Desks) -> None:
        answer = send(here, form(here, photo_kept="PHN2Zz48c2NyaXB0Lz48L3N2Zz4="))

        assert answer.status_code == 422
        assert "This is not a JPEG or PNG picture." in text_of(answer)
        assert "PHN2Zz48" not in answer.text

    def test_the_page_shows_the_face_within_itself_so_that_each_look_is_written_down(self, here: Desks) -> None:
        send(here, form(here), picture())
        client = the_client(here)

        page = here.doctor.get(f"/consulting/clients/{client.id}").text

        assert 'src="data:image/jpeg;base64,/9j/' in page

    def test_a_number_that_another_has_is_refused_beside_the_field(self, here: Desks) -> None:
        here.enrolled("H-500", "Somebody Else")

        answer = send(here, form(here))

        assert answer.status_code == 409
        assert "H-500 is another client's number." in text_of(answer)

    def test_nothing_to_know_them_by_at_the_counter_is_refused(self, here: Desks) -> None:
        answer = send(here, form(here, born=""))

        assert answer.status_code == 422
        assert "Add one of the three." not in answer.text or "photo, birth date or second identifier" in text_of(answer)
        assert send(here, form(here, born=""), picture()).status_code == 303

    @pytest.mark.parametrize("role", [Role.PHARMACIST, Role.RECEPTION, Role.ADMINISTRATOR])
    def test_doctors_and_nurses_enrol_and_nobody_else(self, here: Desks, role: Role) -> None:
        assert here.seat(role).get(PATH).status_code == 403
        assert send(here, form(here), None, role).status_code == 403

    def test_a_form_that_is_sent_again_finds_the_client_enrolled(self, here: Desks) -> None:
        first, second = send(here, form(here)), send(here, form(here))

        assert first.headers["location"] == second.headers["location"]
        with here.database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Episode)) == 1

    def test_twelve_at_once_enrol_one_person(self, here: Desks) -> None:
        start = threading.Barrier(12)
        made: list[object] = []

        def enrol() -> None:
            start.wait()
            made.append(
                here.database.write(
                    lambda session: consultation.enrol_client(
                        session,
                        actor=here.place.doctor,
                        number="H-1",
                        identity=Identity(name="Somebody", second_identifier="blue bird"),
                        phone=None,
                        region="MY",
                        circumstances=Circumstances(),
                        began_on=here.today,
                        today=here.today,
                        at=here.place.now,
                    )
                ).id
            )

        threads = [threading.Thread(target=enrol) for _ in range(12)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        assert len(made) == 12
        assert len(set(made)) == 1


class TestThePhoto:
    @pytest.mark.parametrize(
        "upload",
        [
            picture(),
            picture("PNG"),
            picture("PNG", mode="RGBA"),
            picture("PNG", mode="P"),
            picture("PNG", mode="L"),
            picture(mode="CMYK"),
            picture(size=(100, 80)),
            with_place_and_time(),
        ],
    )
    def test_it_is_made_a_small_jpeg_of_the_picture_alone(self, upload: bytes) -> None:
        kept = Image.open(BytesIO(portrait(upload)))

        assert (kept.format, kept.mode) == ("JPEG", "RGB")
        assert max(kept.size) <= LONGEST_SIDE
        assert not kept.getexif()
        assert not {"exif", "icc_profile", "comment", "xmp"} & set(kept.info)

    def test_one_that_lay_on_its_side_stands_upright(self) -> None:
        assert Image.open(BytesIO(portrait(with_place_and_time()))).size == (320, 480)

    def test_what_was_see_through_is_white(self) -> None:
        corner = Image.open(BytesIO(portrait(picture("PNG", mode="RGBA")))).getpixel((0, 0))

        assert corner == (255, 255, 255)

    @pytest.mark.parametrize(
        "upload",
        [
            b"",
            b"not a picture",
            b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
            picture("GIF", mode="P"),
            picture("BMP", size=(90, 60)),
            picture("TIFF", size=(90, 60)),
            picture()[:2000],
            picture("PNG")[:60],
            b"\x89PNG\r\n\x1a\n" + b"\x00" * 500,
        ],
    )
    def test_what_is_no_whole_jpeg_or_png_is_refused_whatever_its_name(self, upload: bytes) -> None:
        with pytest.raises(BadInput) as refused:
            portrait(upload)

        assert (refused.value.first.code, refused.value.first.field) == ("photo-unreadable", "photo")

    def test_one_that_would_unpack_to_a_giant_is_refused_unread(self) -> None:
        giant = picture("PNG", size=(6000, 5000), mode="L")
        assert len(giant) < LARGEST_UPLOAD

        with pytest.raises(BadInput) as refused:
            portrait(giant)

        assert refused.value.first.code == "photo-large"

    def test_one_above_the_limit_is_refused(self) -> None:
        with pytest.raises(BadInput) as refused:
            portrait(picture() + b"\x00" * LARGEST_UPLOAD)

        assert refused.value.first.code == "photo-large"


@pytest.mark.parametrize(("typed", "kept"), [("court", "court"), ("", None)])
def test_how_they_came_is_kept_where_it_was_asked(here: Desks, typed: str, kept: str | None) -> None:
    assert send(here, form(here, route=typed)).status_code == 303
    with here.database.reading() as session:
        assert session.execute(text("SELECT entry_route FROM episode")).scalars().all()[-1] == kept


def test_a_way_that_there_is_not_is_refused_at_its_field(here: Desks) -> None:
    refused = send(here, form(here, route="prison"))
    assert (refused.status_code, 'id="error-route"' in refused.text) == (422, True)
