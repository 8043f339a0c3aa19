"""Figures leave in one way: the files are written, who took them is put on record, and they are packed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from litestar.response import Response

from dispensary.database import Database, ReadSession
from dispensary.evaluation.taken import note_taken
from dispensary.reporting.beside import pack
from dispensary.staff.rules import Actor


def taken(
    database: Database,
    actor: Actor,
    name: str,
    write: Callable[[ReadSession, Path], None],
    now: datetime,
    asked: Mapping[str, Any],
) -> Response[bytes]:
    """Files that are written at once, as a ZIP. The same question gives the same bytes."""
    with TemporaryDirectory() as folder:
        parts, archive = Path(folder) / "parts", Path(folder) / "packed.zip"
        parts.mkdir()
        with database.reading() as session:
            write(session, parts)
        with database.writing() as session:
            note_taken(session, actor=actor, name=name, at=now, asked=asked)
        pack(parts, archive)
        return _handed_over(archive.read_bytes(), name)


def _handed_over(content: bytes, name: str) -> Response[bytes]:
    """The answer that a browser keeps as a file."""
    headers = {"content-disposition": f'attachment; filename="{name}.zip"'}
    return Response(content, media_type="application/zip", headers=headers)
