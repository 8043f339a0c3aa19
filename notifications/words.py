"""The words that people write to us, in English, Malay and Chinese, and what each of them means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rapidfuzz.distance import OSA

from notifications.rules import OPT_OUT


class Verb(StrEnum):
    BOOK = "book"
    MOVE = "move"
    DROP = "drop"
    WHEN = "when"
    """Which bookings do I have?"""
    SLOTS = "slots"
    """Which times are free?"""
    WAIT = "wait"
    """How long is the wait now?"""
    OK = "ok"
    MENU = "menu"
    LANG = "lang"
    CHOOSE = "choose"
    """A digit alone: one of what was last offered."""


class Half(StrEnum):
    AM = "am"
    NOON = "noon"
    PM = "pm"


class Aside(StrEnum):
    NEXT = "next"
    """The weekday of the coming week, not of this one."""
    NOT = "not"
    FILLER = "filler"


@dataclass(frozen=True)
class Offset:
    days: int


@dataclass(frozen=True)
class Weekday:
    number: int
    """0 is Monday."""


@dataclass(frozen=True)
class Language:
    tag: str


Meaning = Verb | Aside | Offset | Weekday | Language

_LATIN: Mapping[Meaning, str] = {
    Verb.BOOK: "book tempah",
    Verb.MOVE: "move change reschedule tukar pindah ubah",
    Verb.DROP: "drop batal batalkan",
    Verb.WHEN: "when bila",
    Verb.SLOTS: "slots slot free kosong",
    Verb.WAIT: "wait waiting queue tunggu menunggu giliran beratur",
    Verb.OK: "ok okay okey yes ya setuju",
    Verb.MENU: "menu help bantuan arahan",
    Verb.LANG: "lang language",
    Aside.NEXT: "next depan",
    Aside.NOT: "no not dont don't never jangan tak tidak bukan",
    Aside.FILLER: "a i to on at for in is it my the this please pls thanks want would like can me of and am pm "
    "booking bookings appointment time day date "
    "saya nak mahu hendak untuk pada ke hari ini tolong sila jam pukul tempahan temujanji masa tarikh yang boleh "
    "minggu",
    Offset(0): "today tdy harini",
    Offset(1): "tomorrow tmr tmrw tomoro esok besok",
    Offset(2): "lusa",
    Offset(3): "tulat",
    Weekday(0): "mon monday isn isnin",
    Weekday(1): "tue tues tuesday sel selasa",
    Weekday(2): "wed weds wednesday rab rabu",
    Weekday(3): "thu thur thurs thursday kha kham khamis",
    Weekday(4): "fri friday jum jumaat",
    Weekday(5): "sat saturday sab sabtu",
    Weekday(6): "sun sunday ahd ahad",
    Language("en"): "english inggeris en eng",
    Language("ms"): "bahasa melayu malay ms bm",
    Language("zh_Hans"): "chinese mandarin cina zh",
}
_CHINESE: Mapping[Meaning, str] = {
    Verb.BOOK: "预约 預約 预订 預訂 订 訂",
    Verb.MOVE: "改期 改约 改約 更改 改到 改 换 換",
    Verb.DROP: "取消",
    Verb.WHEN: "查询 查詢 什么时候 什麼時候 几时 幾時 何时 何時 我的预约 我的預約",
    Verb.SLOTS: "空位 时段 時段 有空 可约 可約",
    Verb.WAIT: "要等多久 等多久 等候 等待 排队 排隊",
    Verb.OK: "好的 好 确认 確認 可以 是的 👍",
    Verb.MENU: "菜单 菜單 帮助 幫助",
    Verb.LANG: "语言 語言",
    Aside.NOT: "不 别 別 没 沒",
    Aside.FILLER: "我 想 要 请 請 的 在 吗 嗎 您好 你好 时间 時間 了 到 去 来 來 谢谢 謝謝",
    Offset(0): "今天 今日",
    Offset(1): "明天 明日 明早",
    Offset(2): "后天 後天",
    Offset(3): "大后天 大後天",
    Language("en"): "英文 英语 英語",
    Language("ms"): "马来文 馬來文 马来语 馬來語",
    Language("zh_Hans"): "中文 华语 華語 简体 簡體",
}

LATIN: Mapping[str, Meaning] = {word: meaning for meaning, words in _LATIN.items() for word in words.split()}
CHINESE: Mapping[str, Meaning] = dict(
    sorted(
        ((word, meaning) for meaning, words in _CHINESE.items() for word in words.split()),
        key=lambda pair: -len(pair[0]),
    )
)
"""Longest first: 大后天 is no 后天."""

HALVES: Mapping[str, Half] = {
    word: half
    for half, words in {
        Half.AM: "am a.m. a.m pagi pg subuh 上午 早上 早 凌晨 清晨",
        Half.NOON: "noon tengahari tgh 中午",
        Half.PM: "pm p.m. p.m petang ptg malam mlm 下午 傍晚 晚上 晚",
    }.items()
    for word in words.split()
}
MONTHS: Mapping[str, int] = {
    word: number
    for number, words in enumerate(
        (
            "january januari jan",
            "february februari feb",
            "march mac mar",
            "april apr",
            "may mei",
            "june jun",
            "july julai jul",
            "august ogos aug ogo",
            "september sept sep",
            "october oktober oct okt",
            "november nov",
            "december disember dec dis",
        ),
        1,
    )
    for word in words.split()
}

_CORRECTABLE = [word for word, meaning in LATIN.items() if len(word) >= 4 and meaning is not Aside.FILLER]


def meaning_of(word: str) -> tuple[Meaning, bool] | None:
    """What a word means, and whether that is a guess; nothing when it means nothing, or could mean two things.

    One letter too many, missing, wrong or swapped is understood in words of four letters or more. A word by which a
    number opts out is never taken for one of ours.
    """
    if word in LATIN:
        return LATIN[word], False
    if len(word) < 3 or word in OPT_OUT:
        return None
    near = {LATIN[other] for other in _CORRECTABLE if OSA.distance(word, other, score_cutoff=1) <= 1}
    return (near.pop(), True) if len(near) == 1 else None
