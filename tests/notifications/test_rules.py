from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.discretion import reveals
from notifications.models import State
from notifications.rules import OPT_OUT, RANK, Wish, earlier, wait_before_next, wish


def test_every_state_has_a_rank_and_an_end_is_left_for_nothing():
    assert set(RANK) == set(State)
    for end in (State.DELIVERED, State.UNDELIVERED, State.FAILED, State.EXPIRED):
        assert all(end not in earlier(state) for state in State)


def test_waits_between_tries_grow_and_come_to_an_end():
    waits = [wait_before_next(attempts) for attempts in range(1, 10)]
    assert waits[0] == timedelta(seconds=30)
    assert waits[:-1] == sorted(waits[:-1])
    assert waits[-1] is None
    assert wait_before_next(1000) is None


@pytest.mark.parametrize(
    "text",
    ["STOP", "stop", " Stop. ", "CANCEL", "END", "QUIT", "UNSUBSCRIBE", "STOPALL", "stop all", "REVOKE", "OPTOUT",
             "opt-out", "berhenti", "退订", "停止"],
)  # fmt: skip
def test_one_word_opts_a_number_out(text):
    assert wish(text) is Wish.OUT


@pytest.mark.parametrize("text", ["", "drop", "batal", "取消", "please stop", "cancel friday", "the end", "1"])
def test_a_sentence_or_another_word_does_not(text):
    assert wish(text) is None


@pytest.mark.parametrize("text", ["START", "yes", "UNSTOP", "mula", "开始"])
def test_one_word_opts_a_number_in_again(text):
    assert wish(text) is Wish.IN


@pytest.mark.parametrize(("by_gateway", "meant"), [("STOP", Wish.OUT), ("START", Wish.IN), ("HELP", Wish.HELP)])
def test_the_word_of_the_gateway_counts_before_the_text(by_gateway, meant):
    assert wish("anything at all", by_gateway) is meant


@given(st.text())
def test_a_wish_is_found_or_not_in_any_text(text):
    assert wish(text) in (None, Wish.OUT, Wish.IN)
    assert wish(f"{text} x9") is not Wish.OUT or text.strip() in OPT_OUT


@pytest.mark.parametrize(
    "text",
    ["Your methadone is ready", "dose at 8", "40 mg", "40mg", "the CLINIC", "https://methadoneclinic.example/p",
     "https://take-home.example", "klinik anda", "ubat", "dos pagi", "美沙酮", "诊所", "服药时间", "HIV", "TB test",
     "Hospital Sungai Buloh", "rawatan", "戒毒", "Hep C", "肝炎"],
)  # fmt: skip
def test_words_that_give_the_treatment_away_are_found(text):
    assert reveals(text)


@pytest.mark.parametrize(
    "text",
    ["Reminder: you are booked for Fri 27 Nov at 07:00.", "start of the month", "archive", "dosier?", "Karisma",
     "https://kl.example/p/ABCDEF", "您的预约", "tempahan anda", "ask at the desk"],
)  # fmt: skip
def test_harmless_words_are_not(text):
    assert reveals(text) == ""
