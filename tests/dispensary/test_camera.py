"""The counter's camera: a frame that the browser posts is read, whatever it is, and nothing is kept."""

from __future__ import annotations

import struct
import zlib
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from dispensary.database import Database
from dispensary.keys import fresh_vault
from dispensary.refusals import BadInput
from dispensary.staff.rules import Role
from dispensary.supplies import passes
from dispensary.supplies.printing.camera import LARGEST_FRAME, text_in
from dispensary.supplies.printing.qr import qr_png
from dispensary.units import new_id
from tests.dispensary.desk_place import Desks, desks

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


def posted(place: Desks, role: Role, body: bytes) -> tuple[int, str]:
    visitor = place.seat(role)
    drawn = visitor.drawn()
    ours = {"X-CSRFToken": drawn["_csrf_token"], "X-Acting": drawn["_acting"]}
    headers = {**ours, "Content-Type": "image/jpeg", "Accept": "application/json"}
    answer = visitor.client.post("/counter/camera", content=body, headers=headers, follow_redirects=False)
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
