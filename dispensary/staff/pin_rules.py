"""What a counter PIN may be, and when a screen closes. Pure."""

from __future__ import annotations

import re
from datetime import timedelta

from dispensary.refusals import Refusal
from dispensary.staff.common_passwords import is_common

PIN_DIGITS = 6
WRONG_PINS = 5
"""After so many wrong ones in a row a PIN is not heard until its person has signed in with the password."""
LOCK_AFTER_MINUTES = 2
"""Where the site has no figure of its own. As EasyDose, which closes its screen after two minutes."""
LOCK_AFTER_BOUNDS = (1, 10)
MOST_AT_STATION = 8
"""People in the shift of one browser: as many as a digit picks with the eye."""
TOUCH_EVERY = timedelta(seconds=5)
"""How finely the last touch of a screen is kept: a write for each request would cost more than it tells."""
_RUN = "01234567890123456789"


def pin_fits(pin: str, again: str) -> tuple[Refusal, ...]:
    """Why these digits are no PIN: not six of them, easily guessed, or typed differently the second time.

    Refused are runs (also over 9 to 0), fewer than three different digits, three that come twice, pairs of twins, and
    what stands on a list of common passwords: of a million PINs a few thousand, and the first that anybody tries.
    """
    if not re.fullmatch(rf"[0-9]{{{PIN_DIGITS}}}", pin):
        return (Refusal("bad-pin", f"A PIN has {PIN_DIGITS} digits.", field="pin"),)
    runs = pin in _RUN or pin[::-1] in _RUN
    repeats = len(set(pin)) < 3 or pin == pin[:3] * 2 or pin[::2] == pin[1::2]
    if runs or repeats or is_common(pin):
        return (
            Refusal(
                "guessable-pin",
                "This PIN is easily guessed: it is a run of digits, repeats a few, or is one that many people have.",
                "Choose digits that mean something to you alone.",
                field="pin",
            ),
        )
    if pin != again:
        return (
            Refusal("pins-differ", "The two PINs are not the same.", "Type the same six digits twice.", field="again"),
        )
    return ()
