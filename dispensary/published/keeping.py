"""The file in the data folder by which a server knows what was published of the programme whose records it keeps.

`dispensary demo --programme` writes it. A clinic that is a programme's has it in its own data folder; no other has one.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from dispensary.published.shapes import Publication
from dispensary.refusals import NotThere, Refusal

NAME = "published.json"


def keep(folder: Path, publication: Publication) -> None:
    """Writes it, in place of what was there before."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{NAME}.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(publication)) + b"\n")
    part.replace(folder / NAME)


def is_kept(folder: Path) -> bool:
    """Whether something was published of the programme of this server."""
    return (folder / NAME).is_file()


def kept(folder: Path) -> Publication:
    """What was published. Raises NotThere where nothing was, or where the file cannot be read."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Publication)
    except FileNotFoundError:
        raise NotThere(Refusal("nothing-published", "Nothing is published of this clinic here.")) from None
    except msgspec.MsgspecError as reason:
        raise NotThere(
            Refusal(
                "published-unreadable",
                f"The file {NAME} in the data folder cannot be read: {reason}.",
                "Have it written again by `dispensary demo --programme`, or restore it from a backup.",
            )
        ) from None
