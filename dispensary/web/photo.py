"""A photo as it comes in, looked at by its content, made small and rid of all but the picture; and as it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from litestar.datastructures import UploadFile
from litestar.response import Response
from PIL import Image, ImageOps

from dispensary.refusals import BadInput, NotThere, Refusal

LARGEST_UPLOAD = 1_500_000
LONGEST_SIDE = 480
_MOST_PIXELS = 25_000_000


def sent_photo(data: Mapping[str, Any]) -> tuple[bytes | None, tuple[Refusal, ...]]:
    """The photo of a form as it is kept, nothing where none was sent; or why it cannot be."""
    sent = data.get("photo")
    upload = sent.file.read(LARGEST_UPLOAD + 1) if isinstance(sent, UploadFile) else b""
    try:
        return (portrait(upload), ()) if upload else (None, ())
    except BadInput as refused:
        return None, refused.refusals


def shown_photo(found: bytes | None) -> Response[bytes]:
    """A kept photo as it is answered. Raises NotThere where there is none."""
    if found is None:
        raise NotThere(Refusal("no-photo", "There is no photo of this person."))
    return Response(found, media_type="image/png" if found.startswith(b"\x89PNG") else "image/jpeg")


def portrait(upload: bytes) -> bytes:
    """The picture of a JPEG or PNG as a JPEG of at most 480 pixels a side, upright, without place, time or device.

    What the file calls itself counts for nothing. Raises BadInput for what is no picture, and for one of more than
    1.5 MB or 25 million pixels, which is not even unpacked.
    """
    if len(upload) > LARGEST_UPLOAD:
        raise _refused("photo-large", "The photo is larger than 1.5 MB.", "Send a smaller one.")
    try:
        with Image.open(BytesIO(upload), formats=("JPEG", "PNG")) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise _refused("photo-large", "The photo has more than 25 million pixels.", "Send a smaller one.")
            picture.draft("RGB", (2 * LONGEST_SIDE, 2 * LONGEST_SIDE))
            upright = _opaque(ImageOps.exif_transpose(picture))
            upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            kept = BytesIO()
            upright.save(kept, "JPEG", quality=82, optimize=True)
            return kept.getvalue()
    except BadInput:
        raise
    except Exception:
        # A broken or hostile file makes Pillow raise almost anything; whatever it is, this is no photo.
        raise _refused("photo-unreadable", "This is not a JPEG or PNG picture.", "Choose another file.") from None


def _opaque(picture: Image.Image) -> Image.Image:
    """The picture in a new image of its own, which nothing of the file's metadata follows; see-through parts white."""
    plain = Image.new("RGB", picture.size, "white")
    see_through = picture.convert("RGBA")
    plain.paste(see_through, mask=see_through.getchannel("A"))
    return plain


def _refused(code: str, sentence: str, remedy: str) -> BadInput:
    return BadInput(Refusal(code, sentence, remedy, field="photo"))
