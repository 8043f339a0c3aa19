"""Paper: how a document to print is answered."""

from __future__ import annotations

from litestar.response import Response

from dispensary.refusals import Refusal, Refused


def pdf(content: bytes, name: str) -> Response[bytes]:
    """A PDF that the browser shows in place, under this name when it is kept."""
    return Response(
        content, media_type="application/pdf", headers={"content-disposition": f'inline; filename="{name}"'}
    )


def to_keep(content: bytes, name: str) -> Response[bytes]:
    """A file to keep, or to pass on to a printer, and never to show: no page of another's stands within ours."""
    return Response(
        content,
        media_type="application/octet-stream",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def no_letters() -> Refused:
    """The refusal of a paper of which nobody could read a word."""
    return Refused(
        Refusal(
            "no-font",
            "The server has no font for this language: the sheet would be full of empty boxes.",
            "Whoever runs the server installs one; on Debian they are in fonts-noto-core and fonts-noto-cjk.",
        )
    )
