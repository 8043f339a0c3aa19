"""Phone numbers: typed as people dial them, kept in E.164."""

from __future__ import annotations

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType


class BadNumber(ValueError):
    """What was typed is not a number that can get texts. The sentence never repeats what was typed."""


def e164(typed: str, region: str) -> str:
    """The number in E.164, from national input in `region` (ISO 3166, such as MY) or from international input.

    Raises BadNumber for what is no number of its country, and for landlines, which get no texts.
    """
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise BadNumber(f"“{region}” is not a country code. Write two letters, for example MY.")
    if len(typed) > 40:
        raise BadNumber(f"This is too long for a phone number. {_example(region)}")
    try:
        number = phonenumbers.parse(typed, region)
    except NumberParseException:
        raise BadNumber(f"This is not a phone number. {_example(region)}") from None
    if not phonenumbers.is_valid_number(number) or number.extension:
        raise BadNumber(f"This phone number does not exist in its country. {_example(region)}")
    if phonenumbers.number_type(number) == PhoneNumberType.FIXED_LINE:
        raise BadNumber(f"This is the number of a landline, which gets no texts. {_example(region)}")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _example(region: str) -> str:
    example = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    if example is None:
        return "Write it with its country code, for example +60 12-345 6789."
    return f"Write it as it is dialled, for example {phonenumbers.format_number(example, PhoneNumberFormat.NATIONAL)}."
