"""Paper: how a document to print is answered."""

from __future__ import annotations

from litestar.response import Response


def pdf(content: bytes, name: str) -> Response[bytes]:
    """A PDF that the browser shows in place, under this name when it is kept."""
    return Response(
        content, media_type="application/pdf", headers={"content-disposition": f'inline; filename="{name}"'}
    )


def sent_to_printer(content: bytes, name: str) -> Response[bytes]:
    """A file of commands for a label printer, which the computer passes on to it as it is."""
    return Response(
        content,
        media_type="application/octet-stream",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )
