"""How a client is found by what somebody types, and what an enrolment must say. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from dispensary.refusals import Refusal

LONGEST_NAME = 120
_LONGEST_PREFIX = 10


class Sex(StrEnum):
    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


class EntryRoute(StrEnum):
    """By whom or from where somebody came to treatment. Whoever sent them is told nothing back by this."""

    SELF = "self"
    FAMILY = "family"
    OUTREACH = "outreach"
    HOSPITAL = "hospital"
    COURT = "court"
    POLICE = "police"
    TRANSFER = "transfer"
    OTHER = "other"


class ExitReason(StrEnum):
    """Why an episode ended."""

    COMPLETED = "completed"
    DROPPED_OUT = "dropped_out"
    DIED = "died"
    IMPRISONED = "imprisoned"
    TRANSFERRED = "transferred"
    ENDED_BY_PROGRAMME = "ended_by_programme"

    @property
    def comes_no_more(self) -> bool:
        """Whether nothing that was agreed with them can go on, and nobody reads what would be texted to them."""
        return self in (ExitReason.DIED, ExitReason.IMPRISONED)


@dataclass(frozen=True, repr=False)
class Identity:
    """What an enrolment says of a person. Everything but the number is sealed before it is stored."""

    name: str
    born: date | None = None
    national_id: str = ""
    second_identifier: str = ""
    photo: bytes | None = None
    sex: Sex = Sex.UNKNOWN


def day_as_said(text: str) -> date | None:
    """A birth date as somebody says it, day first: 6.5.1984, 06051984, 6 5 1984, or as 1984-05-06; nothing else."""
    parts = re.findall(r"\d+", text)
    if len(parts) == 1 and len(parts[0]) == 8:
        parts = [parts[0][:2], parts[0][2:4], parts[0][4:]]
    if len(parts) != 3 or max(map(len, parts)) > 4:
        return None
    day, month, year = reversed(parts) if len(parts[0]) == 4 else parts
    try:
        return date(int(year), int(month), int(day)) if len(year) == 4 else None
    except ValueError:
        return None


def folded(text: str) -> str:
    """Lower case without accents and marks, words by single spaces: how names are compared."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    letters = (mark for mark in decomposed if not unicodedata.combining(mark))
    return " ".join("".join(c if c.isalnum() else " " for c in letters).split())


def name_beginnings(name: str) -> Iterator[str]:
    """The beginnings by which a name is found: of each word from two letters on, of one in scripts without spaces."""
    for word in dict.fromkeys(folded(name).split()):
        shortest = 1 if ord(word[0]) > 0x2E80 else 2
        for length in range(min(shortest, len(word)), min(len(word), _LONGEST_PREFIX) + 1):
            yield word[:length]
        if ord(word[0]) > 0x2E80:  # a Chinese given name is also looked for without the family name
            yield word[1 : 1 + _LONGEST_PREFIX]


def sought(text: str) -> list[str]:
    """What to look for when this was typed: each word's beginning; a client has all of them."""
    return [word[:_LONGEST_PREFIX] for word in folded(text).split()]


def plain_number(number: str) -> str:
    """A client number as it is compared: no spaces around, upper case."""
    return number.strip().upper()


PROGRAMME_KINDS = ("programme.national_id", "programme.person")
"""By which somebody is found in the whole programme: the national id; the whole name with the day of birth."""


def known_everywhere(name: str, born: str, national_id: str) -> dict[str, str]:
    """What is looked for in the whole programme, by kind, however it is written; nothing of what is not known."""
    said = {}
    if number := "".join(each for each in plain_number(national_id) if each.isalnum()):
        said["programme.national_id"] = number
    if born and (words := folded(name).split()):
        said["programme.person"] = f"{' '.join(sorted(words))}|{date.fromisoformat(born)}"
    return said


def faults_of(identity: Identity, *, number: str, began_on: date, today: date) -> list[Refusal]:
    """What is wrong with an enrolment, field by field; nothing when it can be kept."""
    faults = []
    if not identity.name.strip():
        faults.append(Refusal("name-missing", "The name is missing.", "Type the client's name.", field="name"))
    if len(identity.name) > LONGEST_NAME:
        faults.append(
            Refusal("name-long", f"The name is longer than {LONGEST_NAME} letters.", "Shorten it.", field="name")
        )
    if not 1 <= len(plain_number(number)) <= 24:
        faults.append(
            Refusal("number-length", "A client number has 1 to 24 characters.", "Correct it.", field="number")
        )
    if identity.born is not None and not date(1900, 1, 1) <= identity.born <= today:
        faults.append(
            Refusal("born-impossible", f"A birth date of {identity.born} cannot be right.", "Correct it.", field="born")
        )
    if identity.photo is None and identity.born is None and not identity.second_identifier.strip():
        faults.append(
            Refusal(
                "no-identifier",
                "There is no photo, birth date or second identifier to know the client by at the counter.",
                "Add one of the three.",
                field="second_identifier",
            )
        )
    if began_on > today:
        faults.append(
            Refusal("begins-later", "An episode begins today or earlier.", "Correct the date.", field="began_on")
        )
    return faults
