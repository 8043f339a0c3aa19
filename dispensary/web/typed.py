"""What was typed becomes days, amounts and numbers; every fault is kept, not only the first, for its own field."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

from dispensary.refusals import BadInput, Refusal
from dispensary.units import BadAmount, Milligrams, Millilitres, Strength, milligrams, millilitres, strength
from dispensary.web.forms import one, several
from notifications.numbers import BadNumber, e164

Choice = TypeVar("Choice", bound=StrEnum)

_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
LONGEST_NOTE = 500
"""Characters of a reason or an observation: it stands in the register, on paper, in the alert that somebody reads."""
_MISSING = Refusal("missing", "This is missing.", "Fill it in.")


class Typed:
    """Reads fields within a `with` block, whose end raises BadInput with one refusal for each field that is wrong.

    A field that is wrong reads as some value of its type: use what was read after the block, never within it.
    """

    def __init__(self, form: Mapping[str, Any]) -> None:
        self._form = form
        self._faults: list[Refusal] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None and self._faults:
            raise BadInput(*self._faults)

    def fault(self, field: str, code: str, sentence: str, remedy: str = "") -> None:
        """Keeps a fault that the caller found."""
        self._faults.append(Refusal(code, sentence, remedy, field=field))

    def text(self, name: str, *, most: int = 200, required: bool = True) -> str:
        value = one(self._form, name)
        if not value and required:
            self.fault(name, _MISSING.code, _MISSING.sentence, _MISSING.remedy)
        if len(value) > most:
            self.fault(name, "too-long", f"This is longer than {most} characters.", "Shorten it.")
        return value

    def day(self, name: str) -> date:
        """A day that must be given."""
        found = self.day_or_none(name)
        if found is None and not one(self._form, name):
            self.fault(name, _MISSING.code, _MISSING.sentence, _MISSING.remedy)
        return found or _FIRST_DAY

    def day_or_none(self, name: str) -> date | None:
        """A day that may be left open."""
        value = one(self._form, name)
        if not value:
            return None
        try:
            found = date.fromisoformat(value)
        except ValueError:
            self.fault(name, "not-a-day", f"“{value[:20]}” is not a day.", "Write it like 2026-11-24.")
            return None
        return found if self.near(name, found) else None

    def moment(self, name: str) -> datetime:
        """A moment that a page put into its form, to know what its reader saw."""
        try:
            found = datetime.fromisoformat(one(self._form, name))
        except ValueError:
            found = None
        if found is not None and found.tzinfo is not None:
            return found
        self.fault(name, "not-a-moment", "The page did not say what it showed.", "Open it anew.")
        return datetime(1900, 1, 1, tzinfo=UTC)

    def near(self, name: str, day: date | None) -> bool:
        """Whether a day, or none, lies within the years that anybody means; a program sends any that there is."""
        if day is None or _FIRST_DAY <= day <= _LAST_DAY:
            return True
        self.fault(name, "not-a-day", f"{day} is too far away.", "Correct the year.")
        return False

    def time(self, name: str) -> time:
        """A time of day such as 07:30."""
        value = one(self._form, name)
        try:
            return time.fromisoformat(value.zfill(5))
        except ValueError:
            self.fault(name, "not-a-time", f"“{value[:20]}” is not a time of day.", "Write it like 07:30.")
            return time()

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number that must be given."""
        found = self.whole_or_none(name, least, most)
        if found is None and not one(self._form, name):
            self.fault(name, _MISSING.code, _MISSING.sentence, _MISSING.remedy)
        return least if found is None else found

    def whole_or_none(self, name: str, least: int, most: int) -> int | None:
        """A whole number that may be left open."""
        value = one(self._form, name)
        if not value:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < 9 and least <= int(value) <= most):
            self.fault(name, "not-a-number", f"This must be a whole number from {least} to {most}.", "Correct it.")
            return None
        return int(value)

    def choice(self, name: str, choices: type[Choice]) -> Choice:
        """One of a list. Somebody who chose nothing is told so."""
        value = one(self._form, name)
        if value in list(choices):
            return choices(value)
        self.fault(name, "no-choice", "Nothing was chosen here.", "Choose one.")
        return next(iter(choices))

    def choice_or_none(self, name: str, choices: type[Choice]) -> Choice | None:
        """One of a list, or nothing where it was left open."""
        return self.choice(name, choices) if one(self._form, name) else None

    def id(self, name: str) -> UUID:
        """The id of a row that the page had in a hidden field."""
        try:
            return UUID(one(self._form, name))
        except ValueError:
            self.fault(name, "no-id", "The page has lost what this is about.", "Open the page again.")
            return UUID(int=0)

    def ids(self, name: str) -> list[UUID]:
        """The ids of what was ticked in a list; none when nothing was."""
        try:
            return [UUID(value) for value in several(self._form, name) if value]
        except ValueError:
            self.fault(name, "no-id", "What was chosen here is not readable.", "Open the page again.")
            return []

    def phone(self, name: str, region: str) -> str:
        """A number that can get texts, as it was typed, or nothing where it was left open."""
        value = one(self._form, name)
        try:
            return value if not value or e164(value, region) else ""
        except BadNumber as reason:
            self.fault(name, "bad-number", str(reason))
            return ""

    def yes_no(self, name: str) -> bool | None:
        """Yes, no, or not asked."""
        return {"yes": True, "no": False}.get(one(self._form, name))

    def milligrams(self, name: str) -> Milligrams:
        try:
            return milligrams(one(self._form, name))
        except BadAmount as reason:
            self.fault(name, "bad-amount", str(reason))
            return Milligrams(Decimal(0))

    def portions(self, name: str) -> list[Milligrams]:
        """The portions of a day as people write them, `60+40`; none for a whole dose."""
        value = one(self._form, name).replace(" ", "")
        try:
            return [milligrams(part) for part in value.split("+")] if value else []
        except BadAmount as reason:
            self.fault(name, "bad-amount", str(reason), "Write the portions like 60+40.")
            return []

    def millilitres(self, name: str, *, zero: bool = False) -> Millilitres:
        try:
            return millilitres(one(self._form, name), zero=zero)
        except BadAmount as reason:
            self.fault(name, "bad-amount", str(reason))
            return Millilitres(Decimal(0))

    def strength(self, name: str) -> Strength:
        try:
            return strength(one(self._form, name))
        except BadAmount as reason:
            self.fault(name, "bad-amount", str(reason))
            return Strength(Decimal(0))
