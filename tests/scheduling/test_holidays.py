"""Public holidays: whose they are, on which days, and what is said where there is no calendar."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.holidays import (
    NoCalendar,
    PublicHoliday,
    Subdivision,
    public_holidays,
    subdivision_of,
    subdivisions,
)

KUALA_LUMPUR = Subdivision("14", "Wilayah Persekutuan Kuala Lumpur")


def names(country: str, part: str, first: date, last: date, language: str = "en") -> dict[date, str]:
    return {each.day: each.name for each in public_holidays(country, part, first=first, last=last, language=language)}


@pytest.mark.parametrize(
    ("country", "part", "day", "language", "name"),
    [
        ("MY", "14", date(2027, 2, 1), "en", "Federal Territory Day"),
        ("MY", "14", date(2027, 2, 1), "ms", "Hari Wilayah Persekutuan"),
        ("MY", "14", date(2027, 2, 1), "zh_Hans", "Hari Wilayah Persekutuan"),  # no Chinese there: the country's own
        ("MY", "", date(2027, 2, 1), "en", None),
        ("MY", "01", date(2027, 2, 1), "en", None),
        ("MY", "01", date(2027, 3, 23), "en", "Birthday of the Sultan of Johor"),
        ("MY", "14", date(2027, 8, 31), "en", "National Day"),
        ("my", "MY-KUL", date(2027, 2, 1), "en", "Federal Territory Day"),
        ("VN", "", date(2027, 9, 2), "en", "National Day"),
        ("CN", "", date(2027, 10, 1), "zh_Hans", "国庆节"),
        ("GB", "SCT", date(2026, 11, 30), "en", "Saint Andrew's Day"),
        ("GB", "ENG", date(2026, 11, 30), "en", None),
        ("US", "", date(2026, 11, 26), "en", "Thanksgiving Day"),
        ("US", "", date(2027, 12, 31), "en", "New Year's Day (observed)"),  # in lieu of the first day of the next year
    ],
)
def test_a_country_or_its_part_keeps_its_own_days_in_the_language_of_the_site(
    country: str, part: str, day: date, language: str, name: str | None
) -> None:
    assert names(country, part, day, day, language).get(day) == name


def test_a_holiday_on_a_sunday_is_kept_on_the_monday_too() -> None:
    found = public_holidays("MY", "14", first=date(2027, 8, 14), last=date(2027, 8, 17))

    assert found == [
        PublicHoliday(date(2027, 8, 15), "Prophet Muhammad's Birthday"),
        PublicHoliday(date(2027, 8, 16), "Prophet Muhammad's Birthday (observed)"),
    ]


@pytest.mark.parametrize("written", ["14", "MY-14", "my-14", "KUL", "MY-KUL", "wilayah persekutuan kuala lumpur"])
def test_a_part_is_known_by_each_of_its_codes_and_by_its_name(written: str) -> None:
    assert subdivision_of("MY", written) == KUALA_LUMPUR


def test_the_parts_of_a_country_are_listed_by_name() -> None:
    parts = subdivisions("MY")

    assert len(parts) == 16
    assert parts[0] == Subdivision("01", "Johor")
    assert parts[-3] == KUALA_LUMPUR
    assert subdivisions("VN") == []


@pytest.mark.parametrize("country", ["XX", "", "Malaysia and more", "1"])
def test_a_country_without_a_calendar_is_said_so(country: str) -> None:
    with pytest.raises(NoCalendar) as refused:
        public_holidays(country, first=date(2027, 1, 1), last=date(2027, 1, 2))
    assert refused.value.code == "no-calendar"
    with pytest.raises(NoCalendar):
        subdivisions(country)


@pytest.mark.parametrize(("country", "part"), [("MY", "99"), ("MY", "GB-SCT"), ("VN", "HN"), ("MY", " ")])
def test_a_part_that_is_not_there_is_said_with_some_that_are(country: str, part: str) -> None:
    with pytest.raises(NoCalendar) as refused:
        public_holidays(country, part, first=date(2027, 1, 1), last=date(2027, 1, 2))
    assert refused.value.code == "no-subdivision"
    assert ("01 (Johor)" if country == "MY" else "Parts: none") in refused.value.sentence


@given(
    st.sampled_from([("MY", "14"), ("MY", "02"), ("VN", ""), ("ID", ""), ("US", "NY"), ("AU", "VIC"), ("CN", "")]),
    st.dates(date(1990, 1, 1), date(2060, 12, 31)),
    st.integers(0, 500),
    st.integers(0, 500),
)
def test_a_stretch_of_days_has_the_holidays_of_its_halves_in_order(
    whose: tuple[str, str], first: date, length: int, cut: int
) -> None:
    last = first + timedelta(days=length)
    middle = first + timedelta(days=min(cut, length))
    whole = public_holidays(*whose, first=first, last=last)

    assert whole == [
        *public_holidays(*whose, first=first, last=middle),
        *public_holidays(*whose, first=middle + timedelta(days=1), last=last),
    ]
    assert [each.day for each in whole] == sorted({each.day for each in whole})
    assert all(first <= each.day <= last and each.name for each in whole)


@pytest.mark.parametrize("year", [1, 1899, 2200, 9999])
def test_years_that_no_calendar_reaches_have_none(year: int) -> None:
    first, last = date(year, 3, 1), date(year, 10, 31)

    assert public_holidays("MY", "14", first=first, last=last) == []
