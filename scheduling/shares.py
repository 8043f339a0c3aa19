"""Whose place it is: a slot's places that are held for some, and those that are open to all. Pure.

A group is a neutral word that the caller knows the meaning of. `WALK_IN` is nobody's at booking: its places stay for
whoever comes without one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

OPEN = ""
"""The share of places that are open to all."""
WALK_IN = "walk-in"
WORD = re.compile(r"[a-z][a-z-]{0,19}")

Held = tuple[tuple[str, int], ...]
"""How many places are held for whom, by word."""


def held_of(places: Mapping[str, int]) -> Held:
    """The held places in their one order; none where the number is 0."""
    return tuple(sorted((word, number) for word, number in places.items() if number))


@dataclass(frozen=True)
class Places:
    """A slot's places: how many there are, are taken, are held for whom, and of those are taken."""

    capacity: int
    booked: int
    held: Held = ()
    held_booked: Held = ()

    def free_in(self, share: str) -> int:
        """The places of this share that nobody has."""
        if share == OPEN:
            held, taken = sum(number for _, number in self.held), sum(number for _, number in self.held_booked)
            return self.capacity - held - (self.booked - taken)
        return dict(self.held).get(share, 0) - dict(self.held_booked).get(share, 0)

    def free_for(self, groups: Collection[str]) -> int:
        """The places that somebody of these groups may have."""
        return self.free_in(OPEN) + sum(self.free_in(word) for word, _ in self.held if word in groups)

    @property
    def free(self) -> int:
        """The places that nobody has, whoever they are held for."""
        return self.capacity - self.booked

    def share_for(self, groups: Collection[str]) -> str | None:
        """The share from which somebody of these groups gets a place: one held for them first, then an open one.

        So the open places stay for those for whom nothing is held.
        """
        own = [word for word, _ in self.held if word in groups and self.free_in(word) > 0]
        if own:
            return max(own, key=self.free_in)
        return OPEN if self.free_in(OPEN) > 0 else None

    def share_to_give(self, groups: Collection[str]) -> str | None:
        """The share from which a place is given by an explicit act: as always, else from whichever holds the most."""
        usual = self.share_for(groups)
        if usual is not None:
            return usual
        held = [word for word, _ in self.held if self.free_in(word) > 0]
        return max(held, key=self.free_in) if held else None

    def taken(self, share: str) -> Places:
        """With one more place of this share taken."""
        held_booked = dict(self.held_booked)
        if share != OPEN:
            held_booked[share] = held_booked.get(share, 0) + 1
        return replace(self, booked=self.booked + 1, held_booked=held_of(held_booked))


def brought_up(capacity: int, held: Held, *, booked: int, held_booked: Held = ()) -> Places:
    """A slot's places as the hours have them now, given what was taken when the hours were perhaps others.

    Nobody who has a place loses it: the capacity is never below what is taken, and of the places that are to be held
    only those are that are taken by their own or still free.
    """
    capacity = max(capacity, booked)
    room, taken, fitting = capacity - booked, dict(held_booked), dict(held_booked)
    for word, number in held:
        more = min(room, max(0, number - taken.get(word, 0)))
        fitting[word] = taken.get(word, 0) + more
        room -= more
    return Places(capacity, booked, held_of(fitting), held_booked)


def fault_in_held(held: Held, capacity: int) -> str | None:
    """What is wrong with the places that are to be held, in a sentence; nothing when they can be."""
    for word, number in held:
        if not WORD.fullmatch(word):
            return f"“{word[:20]}” is no word for a group: small letters and hyphens, at most 20."
        if number < 0:
            return f"{word}: a number of held places is not below 0."
    if sum(number for _, number in held) > capacity:
        return f"{sum(number for _, number in held)} places are held, and a slot has {capacity}."
    return None
