"""Reading a code from a camera's picture, for browsers that cannot do it themselves."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from dispensary.refusals import BadInput, Refusal

LARGEST_FRAME = 200_000
"""Bytes. A grey frame of 640 by 480 as JPEG has a third of that."""
MOST_PIXELS = 1_400_000
"""A frame of more, such as 1280 by 1080, is not even unpacked: what is small to send may be huge to hold."""
LONGEST_TEXT = 120


def text_in(frame: bytes) -> str:
    """The text of the QR code in a PNG or JPEG picture; empty when there is none, or more than a pass could hold.

    Raises BadInput for what is no picture, and for one that is too large. Nothing of the picture is kept.
    """
    import zxingcpp

    if len(frame) > LARGEST_FRAME:
        raise BadInput(Refusal("frame-large", "The picture is larger than 200 kB.", "Type the code."))
    picture = _grey(frame)
    only = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCodeModel2])  # ours; noise is taken for the small kinds
    found = zxingcpp.read_barcodes(picture, formats=only)
    texts = [code.text for code in found if code.valid and len(code.text) <= LONGEST_TEXT]
    return texts[0] if texts else ""


def _grey(frame: bytes) -> Image.Image:
    try:
        with Image.open(BytesIO(frame), formats=("JPEG", "PNG")) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise BadInput(Refusal("frame-large", "The picture has too many pixels.", "Type the code."))
            return picture.convert("L")
    except BadInput:
        raise
    except Exception:
        # A broken or hostile file makes Pillow raise almost anything; whatever it is, this is no frame of a camera.
        raise BadInput(Refusal("frame-unreadable", "This is not a JPEG or PNG picture.", "Type the code.")) from None
