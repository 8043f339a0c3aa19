"""What is asked at the moment of handing over: is it this person, and are they sober and well. Pure."""

from __future__ import annotations

from enum import StrEnum

from dispensary.refusals import Refusal

OTHER_BIRTH_DATE = "another birth date"
"""In the place of how a client is known: they said a birth date that is not on record."""
IDENTIFIED_BY = ("photo", "second_identifier", "born")
"""How a client can be known: by their photo, by a second identifier, by the birth date where there is neither."""


class Found(StrEnum):
    """What a safety check can find without withholding the dose; somebody intoxicated is never dosed (`withhold`)."""

    UNWELL = "unwell"
    ASKS_DOCTOR = "asks_doctor"
    ASKS_COUNSELLOR = "asks_counsellor"
    OTHER = "other"


def identified(identified_by: str) -> tuple[Refusal, ...]:
    """Why nothing is handed over when nobody said how the client was known; empty when somebody did."""
    if identified_by in IDENTIFIED_BY:
        return ()
    if identified_by == OTHER_BIRTH_DATE:
        return (
            Refusal(
                "born-differs",
                "This is not the birth date that is on record.",
                "Ask again: day, month and year. If it stays another one, hand nothing over and find out who this is.",
                field="identified_by",
            ),
        )
    return (
        Refusal(
            "not-identified",
            "The client was not identified at the moment of handing over.",
            "Compare the photo, or ask for the second identifier or the birth date, and say which.",
            field="identified_by",
        ),
    )


def well_enough(*, well: bool, found: str = "", observation: str = "") -> tuple[Refusal, ...]:
    """Why nothing is handed over before it was asked how they are; empty when it was.

    All is well, or the dispenser says what is not, in words of their own, and lets the dose go on.
    """
    faults = []
    if found in list(Found) and not well:
        if not observation.strip():
            faults.append(
                Refusal(
                    "found-what",
                    "Something is not right, and nobody wrote down what.",
                    "Write what you saw or what the client asks.",
                    field="observation",
                )
            )
    elif not well:
        faults.append(
            Refusal(
                "not-well",
                "The safety check was not passed: sober, well, no questions.",
                "Withhold for now, write what you saw, and see the client again later today; call the prescriber.",
                field="well",
            )
        )
    return tuple(faults)
