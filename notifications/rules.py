"""What must hold of every text: how its state moves, when it is tried again, which words end it, what it never says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from notifications.models import State
from notifications.scripts import as_read, spaced, words_of

RANK: Mapping[State, int] = {
    State.QUEUED: 0,
    State.SENDING: 1,
    State.UNKNOWN: 2,
    State.SENT: 3,
    State.DELIVERED: 4,
    State.UNDELIVERED: 4,
    State.FAILED: 4,
    State.EXPIRED: 4,
}
"""A state is left only for one of a higher rank, so that reports may come in any order and the first end stands.

A message that must be tried again stays `sending`, or `unknown` when it was looked up first, and waits there.
"""


def earlier(state: State) -> tuple[State, ...]:
    """The states that may be left for this one."""
    return tuple(before for before in State if RANK[before] < RANK[state])


HOLD = timedelta(minutes=10)
"""How long a sender may keep a message in hand. After that its sender counts as dead, and the message as unknown."""

LOOK_UP_AFTER = timedelta(minutes=1)
"""How long after a time-out a message is looked up: a slow gateway may still be taking it in."""

_WAITS = tuple(timedelta(seconds=s) for s in (30, 120, 300, 900, 1800, 3600, 7200, 14400))


def wait_before_next(attempts: int) -> timedelta | None:
    """How long to wait after this many tries, growing from 30 s to 4 h; nothing when there have been enough (9)."""
    return _WAITS[attempts - 1] if 1 <= attempts <= len(_WAITS) else None


class Wish(StrEnum):
    """What a one-word text asks of the number itself."""

    OUT = "out"
    IN = "in"
    HELP = "help"


BLOCKING = frozenset(("cancel", "stop", "end", "quit", "unsubscribe", "stopall", "revoke", "optout"))
"""The words at which Twilio blocks the number. No text of ours asks for one but STOP, and no command is one."""
OPT_OUT = BLOCKING | {
    as_read(word)
    for words in (
        "berhenti|hentikan|henti mesej",
        "停止|退订|退訂",
        "stop pesan|hentikan pesan|berhenti langganan",
        "itigil|tigil|ihinto|hinto",
        "dừng|ngừng|dừng lại|ngừng tin|hủy đăng ký|huỷ đăng ký|dung lai|ngung|ngung tin|huy dang ky|từ chối|tu choi",
        "หยุด|หยุดข้อความ|ยกเลิกข้อความ|เลิกรับ",
        "ຢຸດ|ຢຸດຂໍ້ຄວາມ|ຍົກເລີກຂໍ້ຄວາມ|ເຊົາ",
        "ឈប់|បញ្ឈប់|ឈប់ផ្ញើ",
        "ရပ်|ရပ်ပါ|ရပ်တန့်",
        "நிறுத்து|நிறுத்தவும்|நிறுத்த",
    )
    for word in words.split("|")
}
"""Those, and the same wish in the other languages."""
OPT_IN = frozenset(
    as_read(word)
    for words in ("start|yes|unstop|mula|mulai|simulan|开始|開始|bắt đầu|bat dau", "เริ่ม|ເລີ່ມ|ចាប់ផ្តើម|စတင်|தொடங்கு")
    for word in words.split("|")
)
_ENDING = re.compile(
    "|".join(
        rf"(?<![^\W\d_]){re.escape(word)}(?![^\W\d_])" if spaced(word) else re.escape(word)
        for word in sorted(OPT_OUT, key=len, reverse=True)
    )
)


def ends_texts(written: str) -> str:
    """The first word in a text that is ready to be read by which numbers opt out; empty when there is none."""
    found = _ENDING.search(written)
    return found.group() if found else ""


_BY_GATEWAY = {"STOP": Wish.OUT, "START": Wish.IN, "HELP": Wish.HELP}


def wish(text: str, opt_out_type: str = "") -> Wish | None:
    """What the text asks of the number, by the gateway's own word for it when it sends one.

    Only a text of one word counts, as at the gateways: a sentence that holds “stop” is no opt-out.
    """
    if opt_out_type.upper() in _BY_GATEWAY:
        return _BY_GATEWAY[opt_out_type.upper()]
    word = " ".join(words_of(as_read(text))).replace("opt out", "optout").replace("opt-out", "optout")
    word = word.replace("stop all", "stopall").replace("stop-all", "stopall")
    if word in OPT_OUT:
        return Wish.OUT
    return Wish.IN if word in OPT_IN else None
