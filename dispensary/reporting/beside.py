"""Files that take long are written beside the work: one after the other, with what is done so far to be seen.

They lie in the data folder until somebody has had an hour to take them, and are gone when the program starts again.
Whose they are was settled when they were asked for: nobody else finds them.
"""

from __future__ import annotations

import logging
import shutil
import threading
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from dispensary.database import Database, ReadSession
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.settings import Settings
from dispensary.units import AccountId, new_id

log = logging.getLogger(__name__)

KEPT = timedelta(hours=1)
"""How long a finished file can be taken."""
MOST_WAITING = 3
"""Files that one person may have under way."""
_LET_GO_WITHIN = 5

Write = Callable[[ReadSession, Path], None]
Clock = Callable[[], datetime]


class State(StrEnum):
    """How far a file is."""

    WAITING = "waiting"
    WRITING = "writing"
    READY = "ready"
    FAILED = "failed"


@dataclass
class Ordered:
    """An export that somebody asked for."""

    id: UUID
    owner: AccountId
    name: str
    asked: Mapping[str, Any]
    asked_at: datetime
    folder: Path
    state: State = State.WAITING
    began_at: datetime | None = None
    ended_at: datetime | None = None
    refusals: tuple[Refusal, ...] = ()
    cancel: Callable[[], None] | None = field(default=None, repr=False)

    @property
    def packed(self) -> Path:
        return self.folder / f"{self.name}.zip"

    @property
    def written(self) -> int:
        """Bytes so far, before they are packed; when it is ready, of what is to be taken."""
        if self.state is State.READY:
            return self.packed.stat().st_size
        size = 0
        with suppress(OSError):  # what is there gets its name, is packed and goes while one looks
            for file in self.folder.rglob("*"):
                size += file.stat().st_size if file.is_file() else 0
        return size


class Exports:
    """The files under way in this program, and those that wait to be taken."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self._settings, self._database, self._clock = settings, database, clock
        self._every: dict[UUID, Ordered] = {}
        self._turn, self._ordering = threading.Lock(), threading.Lock()
        self._closed = False

    def order(self, *, owner: AccountId, name: str, asked: Mapping[str, Any], write: Write) -> Ordered:
        """Begins to write an export, or lets it wait for the one before it. Raises Refused when too many wait."""
        with self._ordering:
            ordered = self._kept(owner, name, asked)
        here = copy_context()  # the sites in view of whoever asked, since it is written in their name
        threading.Thread(target=here.run, args=(self._work, ordered, write), name=f"writes {name}", daemon=True).start()
        return ordered

    def _kept(self, owner: AccountId, name: str, asked: Mapping[str, Any]) -> Ordered:
        self._sweep()
        under_way = [each for each in self._every.values() if each.state in (State.WAITING, State.WRITING)]
        if sum(each.owner == owner for each in under_way) >= MOST_WAITING:
            sentence = f"{MOST_WAITING} of your files are being written."
            raise Refused(Refusal("too-many-files", sentence, "Wait until one of them is ready."))
        place = self._settings.data / "exports"
        if not self._every:
            shutil.rmtree(place, ignore_errors=True)  # what was cut off when the program last ended
        number = new_id()
        folder = place / str(number)
        folder.mkdir(parents=True, mode=0o700)
        ordered = Ordered(number, owner, name, asked, self._clock(), folder)
        self._every[number] = ordered
        return ordered

    def find(self, number: UUID, *, owner: AccountId | None) -> Ordered:
        """Raises NotThere, also for somebody else's."""
        self._sweep()
        found = self._every.get(number)
        if found is None or found.owner != owner:
            raise NotThere(
                Refusal("no-file", "There is no such file, or not any more.", "Files are kept for an hour: ask again.")
            )
        return found

    def of(self, owner: AccountId | None) -> list[Ordered]:
        """A person's files as they are at this moment, the newest first: one of them may be ready before a page is."""
        self._sweep()
        mine = [replace(each) for each in self._every.values() if each.owner == owner]
        return sorted(mine, key=lambda each: (each.asked_at, each.id), reverse=True)

    def close(self) -> None:
        """Ends what is under way: the program is about to end."""
        self._closed = True
        for each in list(self._every.values()):
            if each.cancel is not None:
                each.cancel()
        if self._turn.acquire(timeout=_LET_GO_WITHIN):
            self._turn.release()

    def _sweep(self) -> None:
        now = self._clock()
        for each in list(self._every.values()):
            if each.ended_at is not None and each.ended_at < now - KEPT:
                del self._every[each.id]
                shutil.rmtree(each.folder, ignore_errors=True)

    def _work(self, ordered: Ordered, write: Write) -> None:
        with self._turn:
            if self._closed:
                return
            ordered.state, ordered.began_at = State.WRITING, self._clock()
            try:
                parts = ordered.folder / "parts"
                parts.mkdir()
                with self._database.reading() as session:
                    ordered.cancel = session.connection().connection.driver_connection.cancel  # type: ignore[union-attr]
                    write(session, parts)
                ordered.cancel = None
                pack(parts, ordered.packed)
                shutil.rmtree(parts)
                state = State.READY
            except Refused as refused:
                state, ordered.refusals = State.FAILED, refused.refusals
            except Exception as reason:
                log.exception("an export failed", extra={"export": ordered.name})
                state = State.FAILED
                sentence = "The file could not be written."
                remedy = "Ask once more; if it fails again, tell an administrator: the log has the reason."
                ordered.refusals = (Refusal("export-failed", sentence, remedy, {"reason": type(reason).__name__}),)
            ordered.cancel = None
            if state is State.FAILED:
                shutil.rmtree(ordered.folder, ignore_errors=True)
            ordered.ended_at, ordered.state = self._clock(), state


def pack(folder: Path, archive: Path) -> None:
    """Packs every file of a folder. The same files give the same bytes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(file.name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.file_size = file.stat().st_size
            with file.open("rb") as content, packed.open(entry, "w") as inside:
                shutil.copyfileobj(content, inside, 1 << 20)
