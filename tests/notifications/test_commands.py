from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.commands import Command, Verb, parse
from notifications.rules import OPT_OUT
from notifications.words import LEXICONS, ORDER, UNSPACED, Half, meaning_of

TUESDAY = date(2026, 11, 24)
TODAY, TOMORROW, WEDNESDAY = TUESDAY, date(2026, 11, 25), date(2026, 11, 25)
THURSDAY, FRIDAY, SATURDAY, SUNDAY = (date(2026, 11, day) for day in (26, 27, 28, 29))
NEXT_FRIDAY = date(2026, 12, 4)


def understood(text: str, today: date = TUESDAY, language: str = "") -> tuple[Verb | None, date | None, str | None]:
    command = parse(text, today, language)
    return command.verb, command.day, f"{command.time:%H:%M}" if command.time else None


@pytest.mark.parametrize(
    ("text", "verb", "day", "at"),
    [
        # English
        ("BOOK", Verb.BOOK, None, None),
        ("book fri 7", Verb.BOOK, FRIDAY, "07:00"),
        ("7 friday book", Verb.BOOK, FRIDAY, "07:00"),
        ("Book, Friday 7.30am please!", Verb.BOOK, FRIDAY, "07:30"),
        ("fri 7", None, FRIDAY, "07:00"),
        ("7.30", None, None, "07:30"),
        ("7:30 pm", None, None, "19:30"),
        ("tomorrow 0715", None, TOMORROW, "07:15"),
        ("tmr 730", None, TOMORROW, "07:30"),
        ("28/11 8am", None, SATURDAY, "08:00"),
        ("28.11", None, SATURDAY, None),
        ("28 Nov 7.15", None, SATURDAY, "07:15"),
        ("nov 28 8", None, SATURDAY, "08:00"),
        ("2026-12-04 08:00", None, NEXT_FRIDAY, "08:00"),
        ("4/12/26 8", None, NEXT_FRIDAY, "08:00"),
        ("book 1st 8am", Verb.BOOK, date(2026, 12, 1), "08:00"),
        ("tue 8", None, TODAY, "08:00"),
        ("next fri 8", None, NEXT_FRIDAY, "08:00"),
        ("day after tomorrow at 8", None, THURSDAY, "08:00"),
        ("book at 8", Verb.BOOK, None, "08:00"),
        ("book 10", Verb.BOOK, None, "10:00"),
        ("wed 12 noon", None, WEDNESDAY, "12:00"),
        ("12am", None, None, "00:00"),
        ("12 pm", None, None, "12:00"),
        ("8 o'clock", None, None, "08:00"),
        ("MOVE to sat 9.30", Verb.MOVE, SATURDAY, "09:30"),
        ("change my booking to thu 8", Verb.MOVE, THURSDAY, "08:00"),
        ("move fri to sat 8", Verb.MOVE, SATURDAY, "08:00"),
        ("drop", Verb.DROP, None, None),
        ("drop fri", Verb.DROP, FRIDAY, None),
        ("when", Verb.WHEN, None, None),
        ("slots fri", Verb.SLOTS, FRIDAY, None),
        ("OK thanks", Verb.OK, None, None),
        ("help", Verb.MENU, None, None),
        # Malay
        ("tempah jumaat 7", Verb.BOOK, FRIDAY, "07:00"),
        ("esok 8 pagi", None, TOMORROW, "08:00"),
        ("lusa pukul 8", None, THURSDAY, "08:00"),
        ("jumaat depan 8 pagi", None, NEXT_FRIDAY, "08:00"),
        ("tukar ke rabu 0930", Verb.MOVE, WEDNESDAY, "09:30"),
        ("3 petang", None, None, "15:00"),
        ("1 tengah hari", None, None, "13:00"),
        ("4hb 8 pagi", None, NEXT_FRIDAY, "08:00"),
        ("28 ogos", None, date(2027, 8, 28), None),
        ("batal", Verb.DROP, None, None),
        ("bila", Verb.WHEN, None, None),
        ("kosong sabtu", Verb.SLOTS, SATURDAY, None),
        # Chinese
        ("明天7点", None, TOMORROW, "07:00"),
        ("明天七点半", None, TOMORROW, "07:30"),
        ("预约周五7点", Verb.BOOK, FRIDAY, "07:00"),
        ("我想预约明天上午9点半", Verb.BOOK, TOMORROW, "09:30"),
        ("下周五十点", None, NEXT_FRIDAY, "10:00"),
        ("后天下午两点", None, THURSDAY, "14:00"),
        ("大后天 上午八点一刻", None, FRIDAY, "08:15"),
        ("改到12月4日8点", Verb.MOVE, NEXT_FRIDAY, "08:00"),
        ("十二月四号", None, NEXT_FRIDAY, None),
        ("礼拜天10点", None, SUNDAY, "10:00"),
        ("取消预约", Verb.DROP, None, None),
        ("查询", Verb.WHEN, None, None),
        ("空位", Verb.SLOTS, None, None),
        ("好", Verb.OK, None, None),
        ("預約 星期五 ８：３０", Verb.BOOK, FRIDAY, "08:30"),
    ],
)
def test_what_people_write_is_understood_without_a_guess_but_for_two_days(text, verb, day, at):
    assert understood(text) == (verb, day, at)
    assert parse(text, TUESDAY).guessed == (text == "move fri to sat 8")


@pytest.mark.parametrize("digit", range(1, 10))
def test_a_digit_alone_is_a_choice(digit):
    assert parse(f" {digit}.", TUESDAY) == Command(Verb.CHOOSE, choice=digit)


@pytest.mark.parametrize(("text", "choice"), [("drop 2", 2), ("二", 2), ("1)", 1)])
def test_a_digit_with_a_word_or_a_sign_is_a_choice_too(text, choice):
    assert parse(text, TUESDAY).choice == choice


def test_a_digit_with_book_may_be_a_choice_or_an_hour():
    command = parse("book 7", TUESDAY)
    assert (command.choice, command.time) == (7, time(7))


@pytest.mark.parametrize(
    ("text", "either"),
    [("fri 2", True), ("2pm", False), ("0200", False), ("14.30", False), ("两点", True), ("早上七点", False)],
)
def test_an_hour_without_its_half_of_the_day_says_so(text, either):
    assert parse(text, TUESDAY).either_half is either


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("LANG MS", "ms"),
        ("lang en", "en"),
        ("中文", "zh_Hans"),
        ("English", "en"),
        ("bahasa melayu", "ms"),
        ("语言 英文", "en"),
    ],
)
def test_a_language_is_asked_for_by_its_name(text, language):
    command = parse(text, TUESDAY)
    assert (command.verb, command.language) == (Verb.LANG, language)


@pytest.mark.parametrize(
    ("text", "verb", "day"),
    [
        ("bok fri 7", Verb.BOOK, FRIDAY),
        ("boook fri 7", Verb.BOOK, FRIDAY),
        ("book firday 7", Verb.BOOK, FRIDAY),
        ("dorp", Verb.DROP, None),
        ("drpo fri", Verb.DROP, FRIDAY),
        ("tomorow 7am", None, TOMORROW),
        ("tmepah jumat 7", Verb.BOOK, FRIDAY),
        ("batl", Verb.DROP, None),
    ],
)
def test_one_typing_error_a_word_is_understood_and_said_to_be_a_guess(text, verb, day):
    command = parse(text, TUESDAY)
    assert (command.verb, command.day, command.guessed) == (verb, day, True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("drop me at the station fri", "words that mean nothing"),
        ("move or drop", "two verbs"),
        ("book fri or sat", "two days"),
        ("book 7am 8am", "two times"),
        ("book 31/2", "a date that does not exist"),
        ("book 7:75", "a time that does not exist"),
        ("book fri 25", "an hour that does not exist"),
    ],
)
def test_what_is_not_all_understood_is_a_guess(text, why):
    assert parse(text, TUESDAY).guessed, why


@pytest.mark.parametrize("text", ["do not drop", "don't drop it", "jangan batal", "不要取消", "no"])
def test_a_denial_gives_nothing_up(text):
    assert parse(text, TUESDAY).verb is None


@pytest.mark.parametrize("word", sorted(OPT_OUT))
def test_a_word_that_opts_out_is_no_command_alone_or_in_a_sentence(word):
    assert not any(word in lexicon.meanings for lexicon in LEXICONS.values())
    assert not parse(word, TUESDAY).understood
    assert not parse(f"{word} friday 8am", TUESDAY).understood


@pytest.mark.parametrize("language", ORDER)
def test_no_typing_error_turns_one_command_into_another_unnoticed(language):
    own = {**LEXICONS["en"].meanings, **LEXICONS[language].meanings}
    for word, meaning in LEXICONS[language].meanings.items():
        if len(word) < 4 or not isinstance(meaning, Verb):
            continue
        typos = {word[:i] + word[i + 1 :] for i in range(len(word))}
        typos |= {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
        typos |= {word[:i] + "x" + word[i + 1 :] for i in range(len(word))}
        for typo in typos - own.keys():
            found = meaning_of(typo, language)
            verb = found[0] if found and isinstance(found[0], Verb) else None
            assert verb in (None, meaning) or found[1] or typo in UNSPACED, typo


@pytest.mark.parametrize(
    ("text", "today", "day"),
    [
        ("1/1", date(2026, 12, 31), date(2027, 1, 1)),
        ("29/2", date(2026, 11, 24), date(2028, 2, 29)),
        ("31st", date(2026, 11, 24), date(2026, 12, 31)),
        ("24/11", TUESDAY, TUESDAY),
        ("23/11", TUESDAY, date(2027, 11, 23)),
        ("sun", date(2026, 11, 29), date(2026, 11, 29)),
        ("next sun", date(2026, 11, 29), date(2026, 12, 6)),
        ("下周一", date(2026, 11, 29), date(2026, 11, 30)),
        ("esok", date.max, None),
        ("fri", date.max, date.max),
        ("1/1", date.max, None),
    ],
)
def test_days_are_relative_to_the_given_one(text, today, day):
    assert parse(text, today).day == day


SIGNS = [
    *"0123456789月日点半周下十-/.:@ ٣½\x00\ud800",
    "28/11",
    "7.30",
    "99:99",
    "am",
    "pagi",
    "上午",
    "2026-02-30",
    "31st",
]
WORDS = sorted({word for lexicon in LEXICONS.values() for word in (*lexicon.meanings, *lexicon.after_hour)})
PIECES = st.sampled_from([*WORDS, *SIGNS, "jan", "at"])
READABLE = st.lists(PIECES, max_size=12).map("".join) | st.lists(PIECES).map(" ".join)


@given(text=st.text(max_size=400) | READABLE, today=st.dates(), language=st.sampled_from(["", "fr", *ORDER]))
def test_any_text_is_read_without_an_error(text, today, language):
    command = parse(text, today, language)
    assert command.choice is None or 1 <= command.choice <= 9
    assert command.verb is not Verb.CHOOSE or command.choice is not None
    assert command.language is None or command.verb is Verb.LANG
    assert command.guessed or not command.unread


@given(text=st.text(max_size=60))
def test_case_and_space_do_not_matter(text):
    plain = parse(text, TUESDAY)
    spaced = parse(f"  {text}\n", TUESDAY)
    assert plain == spaced


@pytest.mark.parametrize(
    ("language", "text", "verb", "day", "at"),
    [
        ("th", "พรุ่งนี้ 7 โมง", None, TOMORROW, "07:00"),
        ("th", "จองพรุ่งนี้7โมงเช้า", Verb.BOOK, TOMORROW, "07:00"),
        ("th", "จอง ศุกร์ ๗ โมงครึ่ง", Verb.BOOK, FRIDAY, "07:30"),
        ("th", "เลื่อนเป็นวันเสาร์ บ่าย 2 โมง", Verb.MOVE, SATURDAY, "14:00"),
        ("th", "ยกเลิกนัดวันศุกร์", Verb.DROP, FRIDAY, None),
        ("th", "ว่างวันเสาร์ไหม", Verb.SLOTS, SATURDAY, None),
        ("th", "ดูนัด", Verb.WHEN, None, None),
        ("th", "28 พ.ย. 8.30 น.", None, SATURDAY, "08:30"),
        ("th", "2 ทุ่ม", None, None, "20:00"),
        ("th", "เจ็ดโมงเช้าพรุ่งนี้", None, TOMORROW, "07:00"),
        ("th", "ตกลง", Verb.OK, None, None),
        ("th", "เมนู", Verb.MENU, None, None),
        ("vi", "mai 7h", None, TOMORROW, "07:00"),
        ("vi", "đặt lịch thứ sáu 7 giờ", Verb.BOOK, FRIDAY, "07:00"),
        ("vi", "dat lich thu sau 7h30", Verb.BOOK, FRIDAY, "07:30"),
        ("vi", "thu 6 7h", None, FRIDAY, "07:00"),
        ("vi", "đổi sang thứ 7 8 giờ rưỡi", Verb.MOVE, SATURDAY, "08:30"),
        ("vi", "bỏ lịch mai", Verb.DROP, TOMORROW, None),
        ("vi", "xem lịch", Verb.WHEN, None, None),
        ("vi", "giờ trống thứ bảy không", Verb.SLOTS, SATURDAY, None),
        ("vi", "28 tháng 11 8h sáng", None, SATURDAY, "08:00"),
        ("vi", "chiều mai 2h", None, TOMORROW, "14:00"),
        ("vi", "cn 8h", None, SUNDAY, "08:00"),
        ("vi", "bảy giờ sáng mai", None, TOMORROW, "07:00"),
        ("vi", "vâng", Verb.OK, None, None),
        ("vi", "ĐẶT THỨ 6 7H", Verb.BOOK, FRIDAY, "07:00"),
        ("ms", "esok 8 pagi", None, TOMORROW, "08:00"),
        ("ms", "pukul tujuh pagi esok", None, TOMORROW, "07:00"),
        ("ms", "pagi esok pukul 8", None, TOMORROW, "08:00"),
        ("ms", "ahad 9 pagi", None, SUNDAY, "09:00"),
        ("ms", "batal esok", Verb.DROP, TOMORROW, None),
        ("id", "besok jam 8 pagi", None, TOMORROW, "08:00"),
        ("id", "pesan jumat jam 7", Verb.BOOK, FRIDAY, "07:00"),
        ("id", "ubah ke kamis setengah 8", Verb.MOVE, THURSDAY, "07:30"),
        ("id", "minggu 8 pagi", None, SUNDAY, "08:00"),
        ("id", "kapan janji saya", Verb.WHEN, None, None),
        ("id", "tgl 28 jam 8", None, SATURDAY, "08:00"),
        ("id", "besok sore jam 3", None, TOMORROW, "15:00"),
        ("id", "batal", Verb.DROP, None, None),
        ("id", "kosong sabtu", Verb.SLOTS, SATURDAY, None),
        ("fil", "bukas 7 ng umaga", None, TOMORROW, "07:00"),
        ("fil", "book biyernes alas-7", Verb.BOOK, FRIDAY, "07:00"),
        ("fil", "alas siyete ng umaga bukas", None, TOMORROW, "07:00"),
        ("fil", "lipat sa sabado 9", Verb.MOVE, SATURDAY, "09:00"),
        ("fil", "alisin ang booking bukas", Verb.DROP, TOMORROW, None),
        ("fil", "kailan", Verb.WHEN, None, None),
        ("fil", "ika-28 ng nobyembre alas 8", None, SATURDAY, "08:00"),
        ("fil", "mar 7", None, TODAY, "07:00"),
        ("fil", "bakante sa sabado", Verb.SLOTS, SATURDAY, None),
        ("lo", "ມື້ອື່ນ 7 ໂມງ", None, TOMORROW, "07:00"),
        ("lo", "ຈອງ ວັນສຸກ ໗ ໂມງເຄິ່ງ", Verb.BOOK, FRIDAY, "07:30"),
        ("lo", "ເລື່ອນເປັນວັນເສົາ 9 ໂມງເຊົ້າ", Verb.MOVE, SATURDAY, "09:00"),
        ("lo", "ຍົກເລີກ", Verb.DROP, None, None),
        ("lo", "ວ່າງ", Verb.SLOTS, None, None),
        ("lo", "ເບິ່ງນັດ", Verb.WHEN, None, None),
        ("km", "ស្អែកម៉ោង៧ព្រឹក", None, TOMORROW, "07:00"),
        ("km", "កក់ ថ្ងៃសុក្រ ម៉ោង 7 កន្លះ", Verb.BOOK, FRIDAY, "07:30"),
        ("km", "ប្តូរទៅថ្ងៃសៅរ៍ ម៉ោង ៩", Verb.MOVE, SATURDAY, "09:00"),
        ("km", "បោះបង់", Verb.DROP, None, None),
        ("km", "ពេលណា", Verb.WHEN, None, None),
        ("km", "យល់ព្រម", Verb.OK, None, None),
        ("km", "ម៉ោងប្រាំពីរព្រឹកថ្ងៃសុក្រ", None, FRIDAY, "07:00"),
        ("my", "မနက်ဖြန် ၇ နာရီ", None, TOMORROW, "07:00"),
        ("my", "ချိန်း သောကြာ 7.30", Verb.BOOK, FRIDAY, "07:30"),
        ("my", "သောကြာနေ့ မနက် ၈ နာရီခွဲ", None, FRIDAY, "08:30"),
        ("my", "ရွှေ့ စနေ ၉ နာရီ", Verb.MOVE, SATURDAY, "09:00"),
        ("my", "ပယ်ဖျက်", Verb.DROP, None, None),
        ("my", "ဘယ်တော့", Verb.WHEN, None, None),
        ("my", "ညနေ ၃ နာရီ သောကြာ", None, FRIDAY, "15:00"),
        ("ta", "நாளை 7 மணி", None, TOMORROW, "07:00"),
        ("ta", "நாளை காலை 7 மணிக்கு", None, TOMORROW, "07:00"),
        ("ta", "பதிவு வெள்ளி 7.30", Verb.BOOK, FRIDAY, "07:30"),
        ("ta", "வெள்ளிக்கிழமை ஏழரை மணி", None, FRIDAY, "07:30"),
        ("ta", "மாற்று சனி ௯ மணி", Verb.MOVE, SATURDAY, "09:00"),
        ("ta", "நீக்கு", Verb.DROP, None, None),
        ("ta", "காலி சனி", Verb.SLOTS, SATURDAY, None),
        ("ta", "எப்போது", Verb.WHEN, None, None),
        ("ta", "நாளை மறுநாள் 8 மணி", None, THURSDAY, "08:00"),
        ("en", "half past 7 tomorrow", None, TOMORROW, "07:30"),
        ("en", "tomorrow morning at 8", None, TOMORROW, "08:00"),
        ("en", "fri noon", None, FRIDAY, "12:00"),
        ("en", "thu 6", None, THURSDAY, "06:00"),
    ],
)
def test_each_language_writes_days_and_times_in_its_own_way(language, text, verb, day, at):
    command = parse(text, TUESDAY, language)
    assert (command.verb, command.day, command.time and f"{command.time:%H:%M}") == (verb, day, at)
    assert not command.guessed, command.unread


@pytest.mark.parametrize(
    ("text", "language", "day", "at"),
    [
        ("thu 6 7h", "en", THURSDAY, "07:00"),
        ("thu 6 7h", "vi", FRIDAY, "07:00"),
        ("minggu 8 pagi", "ms", None, "08:00"),
        ("minggu 8 pagi", "id", SUNDAY, "08:00"),
        ("mai 7h", "vi", TOMORROW, "07:00"),
        ("mai 7 pagi", "ms", None, "07:00"),
        ("mar 7", "en", date(2027, 3, 7), None),
        ("mar 7", "fil", TODAY, "07:00"),
    ],
)
def test_a_word_of_two_languages_means_what_it_does_in_the_writers(text, language, day, at):
    assert understood(text, language=language)[1:] == (day, at)


@pytest.mark.parametrize("text", ["sorry, that was not understood", "a thai restaurant", "tha"])
def test_no_language_is_changed_by_a_typing_error_or_in_passing(text):
    assert parse(text, TUESDAY).language is None


@pytest.mark.parametrize("text", ["huy lich mai", "hủy thứ sáu", "HUỶ"])
def test_a_word_by_which_some_networks_end_texts_gives_nothing_up_without_asking(text):
    command = parse(text, TUESDAY, "vi")
    assert (command.verb, command.guessed) == (Verb.DROP, True)


@pytest.mark.parametrize("language", ORDER)
def test_no_command_of_any_language_is_a_word_at_which_a_gateway_blocks_the_number(language):
    assert not set(LEXICONS[language].meanings) & OPT_OUT
    assert {meaning for meaning in LEXICONS[language].meanings.values() if isinstance(meaning, Verb)} >= set(Verb) - {
        Verb.CHOOSE
    }
    assert {meaning for meaning in LEXICONS[language].meanings.values() if isinstance(meaning, Half)} == set(Half)
