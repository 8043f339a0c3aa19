"""The counter's camera: a frame that the browser posts is read, whatever it is, and nothing is kept."""

from __future__ import annotations

import json
import struct
import zlib
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest
from httpx import Response
from PIL import Image, ImageFilter
from sqlalchemy import text

from dispensary.database import Database
from dispensary.keys import fresh_vault
from dispensary.refusals import BadInput
from dispensary.staff.rules import Role
from dispensary.supplies import passes
from dispensary.supplies.printing.camera import LARGEST_FRAME, text_in
from dispensary.supplies.printing.qr import qr_png
from dispensary.units import new_id
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_pickups import prepared

TOKEN = passes.token_of(fresh_vault(), new_id())


def frame(text: str = TOKEN, *, blur: float = 0, turned: float = 0, kind: str = "JPEG") -> bytes:
    """A camera's view of a pass: grey, on a table, held askew."""
    code = Image.open(BytesIO(qr_png(text, 6))).convert("L")
    view = Image.new("L", (640, 480), 110)
    view.paste(code, ((640 - code.width) // 2, (480 - code.height) // 2))
    view = view.rotate(turned, fillcolor=110).filter(ImageFilter.GaussianBlur(blur))
    kept = BytesIO()
    view.save(kept, kind, quality=80)
    return kept.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_pass_that_is_blurred_and_held_askew_is_read(kind: str) -> None:
    assert text_in(frame(blur=1.5, turned=20, kind=kind)) == TOKEN


def test_a_picture_without_a_code_reads_as_nothing() -> None:
    empty = BytesIO()
    Image.new("L", (640, 480), 128).save(empty, "JPEG")
    assert text_in(empty.getvalue()) == ""
    assert text_in(frame("A" * 300)) == "", "no pass is so long"


def _bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that would unpack to `side` squared pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100_000, 9))


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        pytest.param(b"hello", "frame-unreadable", id="text"),
        pytest.param(frame()[:400], "frame-unreadable", id="cut short"),
        pytest.param(_bomb(9_000), "frame-large", id="bomb"),
        pytest.param(b"\xff" * (LARGEST_FRAME + 1), "frame-large", id="too many bytes"),
    ],
)
def test_what_is_no_frame_is_refused_before_it_is_unpacked(sent: bytes, why: str) -> None:
    with pytest.raises(BadInput) as refused:
        text_in(sent)
    assert refused.value.first.code == why


@pytest.fixture
def place(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def posted(place: Desks, role: Role, body: bytes, to: str = "/counter/camera") -> tuple[int, str]:
    visitor = place.seat(role)
    drawn = visitor.drawn()
    ours = {"X-CSRFToken": drawn["_csrf_token"], "X-Acting": drawn["_acting"]}
    headers = {**ours, "Content-Type": "image/jpeg", "Accept": "application/json"}
    answer = visitor.client.post(to, content=body, headers=headers, follow_redirects=False)
    return answer.status_code, answer.text


def test_dispensers_alone_may_have_a_frame_read(place: Desks) -> None:
    assert posted(place, Role.PHARMACIST, frame()) == (200, f'{{"text":"{TOKEN}"}}')
    for role in (Role.DOCTOR, Role.NURSE, Role.RECEPTION, Role.ADMINISTRATOR):
        assert posted(place, role, frame())[0] == 403
    assert posted(place, Role.PHARMACIST, b"x" * (LARGEST_FRAME + 1))[0] == 413
    assert posted(place, Role.PHARMACIST, b"x")[0] == 422


def test_the_counter_alone_is_allowed_the_camera(place: Desks) -> None:
    visitor = place.seat(Role.PHARMACIST)
    assert visitor.get("/counter").headers["permissions-policy"].startswith("camera=(self)")
    assert visitor.get("/counter/pickups").headers["permissions-policy"].startswith("camera=()")
    assert visitor.get("/signin").headers["permissions-policy"].startswith("camera=()")
    found = visitor.post("/counter/find", {"sought": "nobody"})
    assert found.headers["permissions-policy"].startswith("camera=(self)")


def at_home(place: Desks, role: Role, body: bytes) -> tuple[int, str]:
    return posted(place, role, body, "/carrying/camera")


def test_a_carrier_s_phone_reads_the_code_that_the_client_shows(place: Desks) -> None:
    for role in (Role.NURSE, Role.PHARMACIST):
        assert at_home(place, role, frame(blur=1.5, turned=10)) == (200, f'{{"text":"{TOKEN}"}}')
    for role in (Role.DOCTOR, Role.RECEPTION, Role.ADMINISTRATOR):
        assert at_home(place, role, frame())[0] == 403


def test_a_picture_that_shows_nothing_is_no_answer_and_what_is_no_picture_is_refused(place: Desks) -> None:
    empty = BytesIO()
    Image.new("L", (640, 480), 128).save(empty, "JPEG")
    assert at_home(place, Role.NURSE, empty.getvalue()) == (200, '{"text":""}')
    assert at_home(place, Role.NURSE, frame(blur=14)) == (200, '{"text":""}')
    status, said = at_home(place, Role.NURSE, frame()[:400])
    assert (status, "frame-unreadable" in said) == (422, True)
    assert at_home(place, Role.NURSE, b"x" * (LARGEST_FRAME + 1))[0] == 413


def test_somebody_else_s_code_is_read_at_a_home_and_opens_nothing_there(place: Desks) -> None:
    clinic, nurse, counter = place.place, place.seat(Role.NURSE), place.seat(Role.PHARMACIST)
    rounds = []
    for _ in range(2):
        client = clinic.client(mg="60")
        clinic.decide(client, per_supply=6)
        pickup = prepared(clinic, client, 1)
        with place.database.reading() as session:
            carrier = session.execute(text("SELECT id FROM account WHERE username = 'nurse'")).scalar_one()
        out = {"carrier_id": str(carrier), "bottles": "1"}
        assert counter.post(f"/counter/pickups/{pickup.pickup_id}/carry", out).status_code == 303
        with place.database.reading() as session:
            chosen = text("SELECT id FROM carrying WHERE pickup_id = :pickup")
            carrying = session.execute(chosen, {"pickup": pickup.pickup_id}).scalar_one()
        assert nurse.post(f"/carrying/{carrying}/take", {"bottles": "1"}).status_code == 303
        rounds.append((pickup, f"/carrying/{carrying}"))
    (own, home), (other, _) = rounds
    shown = passes.screen_of(place.database.vault, other.pass_id, clinic.now)
    status, said = at_home(place, Role.NURSE, frame(shown))
    assert (status, json.loads(said)) == (200, {"text": shown})

    def hands_over(code: str) -> Response:
        return nurse.post(
            f"{home}/deliver",
            {
                "key": "0192f000-0000-7000-8000-0000000000b1",
                "shown": code,
                "well": "yes",
                "identified_by": "03 04 1985",
            },
        )

    refused = hands_over(json.loads(said)["text"])
    assert "pass-of-another" in refused.text
    assert "Hand nothing over" in refused.text
    with place.database.reading() as session:
        log = session.execute(text("SELECT why FROM pass_attempt")).scalars().all()
        assert log == ["pass-of-another"], "it is a line of the refused passes"
        assert session.execute(text("SELECT count(*) FROM supply")).scalar_one() == 0
    mine = passes.screen_of(place.database.vault, own.pass_id, clinic.now)
    read = json.loads(at_home(place, Role.NURSE, frame(mine))[1])["text"]
    assert hands_over(read).headers["location"] == "/carrying?done=delivered"
