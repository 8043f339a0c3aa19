import re
import string
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.commands import Verb, parse
from notifications.discretion import reveals
from notifications.segments import Encoding, measure
from notifications.texts import CATALOGUES, KINDS, LOCALE, MOST_CHOICES, BadFields, Status, language_for, plain, render

ZONE = ZoneInfo("Asia/Kuala_Lumpur")
AT = datetime(2026, 11, 26, 23, 0, tzinfo=UTC)
LINK = "https://pass.example.org/p/ABCDEFGHIJKLMNOPQRSTUVWX"
SENDERS = ("", "Harapan", "Methadone Klinik", "美沙酮诊所", "คลินิกเมทาโดน", "Phòng khám Methadone", "x" * 200)
LINKS = (LINK, "https://methadone.example/p/A", "", "https://x.example/" + "y" * 300)

# Written apart from notifications.discretion, so that a word missing there is missed by it alone.
BANNED = re.compile(
    r"methad|metadon|metadone|heroin|opio|opiat|buprenor|naloxon|drug|dadah|\bdos(e|es|ing)?\b|\bmg\b|\bml\b|medicin"
    r"|\bubat|clinic|klinik|hospital|pharmac|farmasi|doctor|doktor|nurse|jururawat|treatment|rawatan|terapi|therap"
    r"|patient|pesakit|addict|penagih|rehab|pemulihan|\bhiv\b|\baids\b|hepatit|tubercul|tibi|penyakit|disease|sakit"
    r"|bottle|botol|take-?home|supervis|prescri|preskrip|tablet|syring|needle|jarum|test\b"
    r"|美沙酮|海洛因|毒|药|藥|剂|诊|診|医|醫|治|疗|病|戒|瘾|肝|艾滋|结核|瓶|针|处方|护士|康复|检测|健康"
    # Indonesian, Filipino, Vietnamese
    r"|\bobat|dosis|narkoba|pecandu|pasien|perawat|apotek|kesehatan|pulih|\bgamot|botika|\badik|kalusugan|ospital"
    r"|thuốc|liều|bệnh|phòng khám|điều trị|bác sĩ|y tá|ma t[uú]y|nghiện|cai|viêm gan|sức khỏe|xét nghiệm"
    # Thai, Lao, Khmer, Burmese, Tamil
    r"|เมทาโดน|ยาเสพติด|รับยา|กินยา|คลินิก|โรงพยาบาล|หมอ|แพทย์|พยาบาล|ผู้ป่วย|รักษา|บำบัด|โรค|ป่วย|สุขภาพ"
    r"|ຢາເສບຕິດ|ກິນຢາ|ຮັບຢາ|ໂຮງໝໍ|ຄລີນິກ|ໝໍ|ພະຍາດ|ປິ່ນປົວ|ເຈັບ|ສຸຂະພາບ"
    r"|ថ្នាំ|ពេទ្យ|ជំងឺ|ព្យាបាល|ញៀន|គ្លីនិក|សុខភាព|ឈឺ"
    r"|ဆေး|ဆရာဝန်|ရောဂါ|ကုသ|လူနာ|မူးယစ်|ကျန်းမာ|နာမကျန်း"
    r"|மருந்து|மருத்துவ|நோய்|சிகிச்சை|போதை|மாத்திரை|கிளினிக்|ஊசி|உடல்நல",
    re.IGNORECASE,
)
GSM = ("en", "ms", "id", "fil")
SCRIPTS = {
    "zh_Hans": "\u4e00\u9fff",
    "ta": "\u0b80\u0bff",
    "vi": "\u1ea0\u1ef9",
    "th": "\u0e00\u0e7f",
    "lo": "\u0e80\u0eff",
    "my": "\u1000\u109f",
    "km": "\u1780\u17ff",
}
"""The first and the last sign of what a language alone is written in."""

moments = st.integers(0, 12 * 366 * 24 * 60).map(lambda m: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=m))


def fields_for(kind: str, at: datetime = AT, choices: list[datetime] | None = None) -> dict[str, object]:
    everything = {
        "at": at,
        "day": at.date(),
        "last": at.date() + timedelta(days=3),
        "choices": choices or [at + timedelta(hours=25 * n) for n in range(MOST_CHOICES)],
        "bookings": [at, at + timedelta(days=7)],
        "until": at + timedelta(minutes=30),
        "weekdays": (0, 2, 4, 6),
        "code": "4821-30795",
        "minutes": 240,
        "number": 1234,
        "link": LINK,
        "words": "From Monday on we open at 06:30. On Friday there is tea from 9 to 10. Come, and bring a friend.",
    }
    return {name: everything[name] for name in KINDS[kind].fields}


def sources() -> list[str]:
    return [s for kind in KINDS.values() for s in (kind.sentence, kind.without_link) if s]


def catalogue(language: str, ending: str):
    path = LOCALE / language / "LC_MESSAGES" / f"texts.{ending}"
    with Path(path).open("rb") as file:
        return read_po(file, locale=language) if ending == "po" else read_mo(file)


TRANSLATED = [language for language in CATALOGUES if language != "en"]
in_every_language = pytest.mark.parametrize("language", CATALOGUES)
MOVING = [kind for kind in KINDS if {"at", "day", "last", "choices", "bookings", "until"} & set(KINDS[kind].fields)]
"""The texts in which something depends on the day."""


class TestEveryText:
    @in_every_language
    def test_says_nothing_of_treatment_and_keeps_to_its_size_whatever_is_filled_in(self, language):
        senders = [("covert", SENDERS[1]), *(("open", sender) for sender in SENDERS)]
        for kind in KINDS:
            links = LINKS if "link" in KINDS[kind].fields else ("",)
            for (wording, sender), link in product(senders, links):
                fields = {**fields_for(kind), "sender": sender}
                if "link" in fields:
                    fields["link"] = link
                text = render(kind, language, fields, zone=ZONE, wording=wording)
                assert not BANNED.search(text), (kind, text)
                assert_size(text, language)

    @in_every_language
    def test_keeps_to_its_size_with_the_longest_that_is_filled_in(self, language):
        """Names of days and months differ in length: the five longest days of a year, each with one of the choices."""
        year = [datetime(2028, 1, 1, 15, 30, tzinfo=UTC) + timedelta(days=n) for n in range(366)]
        longest = sorted(sorted(year, key=lambda at: -len(written_day(at, language)))[:MOST_CHOICES])
        for kind in KINDS:
            fields = fields_for(kind, longest[0], longest)
            if "bookings" in fields:
                fields["bookings"] = longest
            text = render(kind, language, fields, zone=ZONE)
            assert_size(text, language)
            assert not BANNED.search(text), (kind, text)
            assert not reveals(text), (kind, text)

    @given(at=moments, spread=st.lists(st.integers(0, 100_000), min_size=1, max_size=MOST_CHOICES))
    @settings(deadline=None, max_examples=30)  # each of them is every text with a day in every language
    def test_keeps_to_its_size_on_any_day(self, at, spread):
        choices = sorted(at + timedelta(minutes=minutes) for minutes in spread)
        for kind in MOVING:
            for language in CATALOGUES:
                text = render(kind, language, fields_for(kind, at, choices), zone=ZONE)
                assert_size(text, language)
                assert not BANNED.search(text), text

    @in_every_language
    def test_is_written_in_its_language(self, language):
        for kind in KINDS:
            text = render(kind, language, fields_for(kind), zone=ZONE)
            if language != "vi":  # a short sentence of Vietnamese may have none of its rarer letters
                assert {tag for tag, (low, high) in SCRIPTS.items() if any(low <= c <= high for c in text)} == (
                    {language} & SCRIPTS.keys()
                ), (kind, text)
            assert (text == render(kind, "en", fields_for(kind), zone=ZONE)) == (language == "en"), kind
            assert "{" not in text, (kind, text)

    def test_begins_with_the_place_only_when_its_recipient_chose_so(self):
        fields = {"at": AT, "sender": "Harapan"}
        assert render("booking_kept", "en", fields, zone=ZONE, wording="open").startswith("Harapan: Thank you.")
        assert render("booking_kept", "en", fields, zone=ZONE, wording="covert").startswith("Thank you.")

    def test_leaves_out_a_link_that_gives_the_treatment_away_but_not_the_code(self):
        fields = {"code": "4821-30795", "link": "https://methadone.example/p/A"}
        assert render("pickup_ready", "en", fields, zone=ZONE) == "Ready to collect. Say the code 4821-30795."
        assert LINK in render("pickup_ready", "en", {**fields, "link": LINK}, zone=ZONE)


class TestMoments:
    @pytest.mark.parametrize(
        ("language", "written"),
        [
            ("en", "Fri 27 Nov at 07:00"),
            ("ms", "Jum 27 Nov jam 07:00"),
            ("zh_Hans", "11月27日周五 07:00"),
            ("ta", "வெள். 27/11, 07:00"),
            ("vi", "Th 6 27/11 lúc 07:00"),
            ("th", "ศ. 27/11 เวลา 07:00"),
            ("id", "Jum 27 Nov jam 07:00"),
            ("lo", "ສຸກ 27/11 ເວລາ 07:00"),
            ("my", "သောကြာ 27/11 07:00"),
            ("km", "សុក្រ 27/11 ម៉ោង 07:00"),
            ("fil", "Biy 27 Nob, 07:00"),
        ],
    )
    def test_are_written_in_the_zone_of_the_place(self, language, written):
        assert written in render("booking_kept", language, {"at": AT}, zone=ZONE)

    def test_choices_are_numbered_through_and_grouped_by_day(self):
        choices = [AT, AT + timedelta(minutes=30), AT + timedelta(hours=24)]
        text = render("slots_offered", "en", {"choices": choices}, zone=ZONE)
        assert text == "Free: Fri 27 Nov 1) 07:00 2) 07:30; Sat 28 Nov 3) 07:00. Reply with a number."

    def test_invisible_characters_become_plain_spaces_or_nothing(self):
        assert plain("8:00\u202fAM \u2068Fri\u2069\u00a0 27\nNov") == "8:00 AM Fri 27 Nov"


class TestBadFields:
    @pytest.mark.parametrize(
        ("kind", "fields"),
        [
            ("no_such_text", {}),
            ("booking_kept", {}),
            ("booking_kept", {"at": AT, "dose": "40 mg"}),
            ("booking_kept", {"at": datetime(2026, 11, 27, 7)}),  # noqa: DTZ001 - no zone is the mistake
            ("booking_kept", {"at": "tomorrow"}),
            ("closure", {"day": AT}),
            ("slots_offered", {"choices": []}),
            ("slots_offered", {"choices": [AT] * (MOST_CHOICES + 1)}),
        ],
    )
    def test_are_refused(self, kind, fields):
        with pytest.raises(BadFields):
            render(kind, "en", fields, zone=ZONE)


class TestLanguages:
    @pytest.mark.parametrize(
        ("asked", "written"),
        [
            ("en", "en"),
            ("ms", "ms"),
            ("ms-MY", "ms"),
            ("zh", "zh_Hans"),
            ("zh-CN", "zh_Hans"),
            ("ta-IN", "ta"),
            ("fil-PH", "fil"),
            ("tl", "fil"),
            ("fr", "en"),
            ("", "en"),
        ],
    )
    def test_are_found_by_any_usual_tag(self, asked, written):
        assert language_for(asked) == written

    @pytest.mark.parametrize("language", TRANSLATED)
    def test_a_catalogue_has_every_sentence_with_the_same_places_to_fill(self, language):
        po = catalogue(language, "po")
        assert {m.id for m in po if m.id} == set(sources())
        for message in po:
            if message.id:
                assert message.string, message.id
                assert not message.fuzzy
                assert places(message.string) == places(message.id), message.id

    @pytest.mark.parametrize("language", TRANSLATED)
    def test_a_catalogue_says_whether_it_is_a_draft(self, language):
        headers = {name.lower(): value for name, value in catalogue(language, "po").mime_headers}
        text = (LOCALE / language / "LC_MESSAGES" / "texts.po").read_text()
        assert ("X-Status: draft" in text) == (CATALOGUES[language] is Status.DRAFT)
        assert headers["language"] == language

    @pytest.mark.parametrize("language", TRANSLATED)
    def test_the_compiled_catalogue_is_the_written_one(self, language):
        compiled = {m.id: m.string for m in catalogue(language, "mo") if m.id}
        assert compiled == {m.id: m.string for m in catalogue(language, "po") if m.id}

    @pytest.mark.parametrize("language", CATALOGUES)
    def test_every_word_that_a_text_asks_for_is_understood_by_whoever_writes_in_it(self, language):
        asked_for = set()
        for kind in KINDS:
            if kind == "languages":
                continue
            text = render(kind, language, fields_for(kind), zone=ZONE)
            capitals = re.findall(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]{2,}", text.replace(LINK, ""))
            asked_for |= {word for word in capitals if word.isupper()} | set(re.findall("“(.+?)”", text))
        asked_for -= {"STOP", "PIN", "FRI", "JUMAAT", "JUMAT", "BIYERNES", "THỨ", "CN"}
        asked_for -= {"ALL", "SEMUA", "HẾT", "LAHAT"}  # these stand beside a command
        asked_for -= {"EVERY", "WEEKDAY", "SETIAP", "ISNIN", "SENIN", "MỖI", "BAWAT", "LUNES"}
        assert len(asked_for) >= 5
        for word in asked_for:
            command = parse(word, date(2026, 11, 24), language)
            assert command.verb is not None, word
            assert not command.guessed, word

    @pytest.mark.parametrize("language", CATALOGUES)
    def test_the_examples_that_a_text_gives_are_understood(self, language):
        text = render("ask_time", language, {}, zone=ZONE)
        command = parse(text.rstrip(".။។").rpartition(": " if ": " in text else "? ")[2], date(2026, 11, 24), language)
        assert (command.day, command.time) == (date(2026, 11, 27), time(7, 30)), text

    @pytest.mark.parametrize("code", re.findall(r"[A-Z]{2,3}(?=[,.])", KINDS["languages"].sentence))
    def test_every_language_that_a_text_offers_is_changed_to(self, code):
        command = parse(f"LANG {code}", date(2026, 11, 24))
        assert (command.verb, command.guessed) == (Verb.LANG, False)
        assert command.language in CATALOGUES

    def test_every_language_is_offered(self):
        codes = re.findall(r"[A-Z]{2,3}(?=[,.])", KINDS["languages"].sentence)
        assert {parse(f"LANG {code}", date(2026, 11, 24)).language for code in codes} == set(CATALOGUES)


class TestDiscretion:
    @pytest.mark.parametrize(
        "text",
        [
            *("methadone", "your dose", "klinik", "obat Anda", "ang gamot mo", "uống thuốc", "phòng khám"),
            *("uong thuoc", "美沙酮", "取药", "มารับยา", "คลินิก", "ยา", "ໂຮງໝໍ", "ຢາ", "មន្ទីរពេទ្យ", "ថ្នាំ"),
            *("ဆေးခန်း", "மருத்துவமனை", "போதை"),
        ],
    )
    def test_a_word_that_gives_it_away_is_found(self, text):
        assert reveals(text)
        assert reveals(f"x {text} x")

    @pytest.mark.parametrize("text", ["อยากพูดคุย", "ຢາກລົມ", "mart", "smart start", "10 mln", "ឆ្នាំ"])
    def test_a_harmless_word_is_not(self, text):
        assert not reveals(text)


@cache
def written_day(at: datetime, language: str) -> str:
    return render("come_by", language, {"day": at.astimezone(ZONE).date()}, zone=ZONE)


def assert_size(text: str, language: str) -> None:
    size = measure(text)
    if language in GSM:
        assert (size.encoding, size.segments) == (Encoding.GSM7, 1), text
    else:
        assert size.segments <= 2, text
    assert all(unicodedata.category(c) != "Cf" and (c == " " or not c.isspace()) for c in text), text


def places(sentence: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name)
