"""Passwords and PINs that are guessed first: what many people have, and what is made of a place's own words. Pure.

The list (30,000 passwords by how often they were found) and the estimate come from zxcvbn, which is loaded when the
first password is chosen: about 0.1 s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

FEWEST_GUESSES = 10**8
"""zxcvbn's own bound for what stands against somebody who guesses over the network and is slowed down by nobody."""
_LOOKED_AT = 24
"""Signs: what is hard to guess in these is so as a whole, and an estimate takes half a second at most."""
_OURS = ("takehome", "methadone", "clinic", "dispensary", "password")
_SHORTEST_WORD = 4


def easily_guessed(password: str, around: Iterable[str] = ()) -> bool:
    """Whether fewer than FEWEST_GUESSES find it, once the words around it are taken out: of names, site and program."""
    from zxcvbn import zxcvbn

    text = password.casefold()
    words = sorted({*_OURS, *_words_of(around)}, key=len, reverse=True)
    for word in words:
        text = text.replace(word, "")
    rest = "".join(text.split())[:_LOOKED_AT]
    return not rest or int(zxcvbn(rest, user_inputs=list(words))["guesses"]) < FEWEST_GUESSES


def _words_of(names: Iterable[str]) -> set[str]:
    return {word for name in names for word in re.findall(r"\w+", name.casefold()) if len(word) >= _SHORTEST_WORD}


def is_common(secret: str) -> bool:
    """Whether this very secret, such as a PIN, stands on the list."""
    return secret in _common()


@cache
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
