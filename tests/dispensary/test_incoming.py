"""Files of results as they are read: CSV, FHIR R4 and HL7 v2: no file breaks them, no value becomes another."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispensary.monitoring.analytes import BadValue, analytes, read_value
from dispensary.monitoring.incoming import LARGEST_FILE, Incoming, Mapped, Said, Sent, limits_of
from dispensary.monitoring.incoming_csv import read_csv
from dispensary.monitoring.incoming_fhir import read_fhir
from dispensary.monitoring.incoming_hl7 import read_hl7
from dispensary.refusals import BadInput

READERS = {"csv": read_csv, "fhir": read_fhir, "hl7": read_hl7}
HEADER = "client,test,value,unit,range,day"
FORMED = (
    f"{HEADER}\nK-7,ALT,34,U/L,10-40,2026-01-10\n",
    '{"resourceType":"Observation","status":"final","code":{"text":"ALT"},"valueQuantity":{"value":34,"unit":"U/L"}}',
    "MSH|^~\\&|L||||20260110||ORU^R01|1|P|2.5\rPID|1||K-7\rOBR|1||9||||20260110\rOBX|1|NM|1742-6^ALT^LN||34|U/L|||||F\r",
)


def csv_of(*lines: str, header: str = HEADER, **mapped: Any) -> list[Sent]:
    return list(read_csv("\n".join((header, *lines)).encode(), Mapped(**mapped)).results)


def observation(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "vl1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "20447-9", "display": "HIV 1 RNA"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-01-10",
        "valueQuantity": {
            "value": 40,
            "comparator": "<",
            "unit": "copies/mL",
            "system": "http://unitsofmeasure.org",
            "code": "{copies}/mL",
        },
        **more,
    }


def fhir_of(*resources: dict[str, Any]) -> list[Sent]:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in resources]}
    return list(read_fhir(json.dumps(bundle).encode()).results)


def without_value(**more: Any) -> dict[str, Any]:
    return {name: each for name, each in observation(**more).items() if name != "valueQuantity" or name in more}


def hl7_of(*segments: str) -> list[Sent]:
    head = ("MSH|^~\\&|LAB|H|TH|C|20260110101500+0800||ORU^R01|M1|P|2.5", "PID|1||K-7^^^H~S99^^^N||X^Y")
    return list(read_hl7("\r".join((*head, "OBR|1||A77|LFT|||20260109||||||||", *segments)).encode()).results)


class TestCsv:
    def test_a_line_is_a_value_with_its_limits_and_day(self) -> None:
        (sent,) = csv_of("K-7,ALT,34,U/L,10-40,2026-01-10T08:00")
        assert (sent.line, sent.numbers, sent.test, sent.value, sent.unit) == (2, ("K-7",), "ALT", "34", "U/L")
        assert (sent.lower, sent.upper, sent.on, sent.fault) == ("10", "40", date(2026, 1, 10), "")

    def test_headers_and_days_are_as_the_laboratory_writes_them(self) -> None:
        header = "No;Was;Ergebnis;Tag"
        columns = {"client": "no", "test": "was", "value": "ergebnis", "day": "tag"}
        (sent,) = csv_of("K-7;GPT;3,5;03/02/2026", header=header, columns=columns, day="dmy")
        assert (sent.test, sent.value, sent.on) == ("GPT", "3,5", date(2026, 2, 3))

    def test_a_day_that_is_none_is_a_fault_of_its_line(self) -> None:
        sent = csv_of("K-7,ALT,34,U/L,,2026-02-30", "K-7,ALT,34,U/L,,03/02/2026", "K-7,ALT,34,U/L,,")
        assert [bool(each.fault) for each in sent] == [True, True, True]
        assert [each.line for each in sent] == [2, 3, 4]

    @pytest.mark.parametrize(
        "content", [b"", b"  \n ", b"client,value\nK,1\n", b"\xff\xfe\x00", b"x" * (LARGEST_FILE + 1)]
    )
    def test_what_is_no_such_table_is_refused_whole(self, content: bytes) -> None:
        with pytest.raises(BadInput):
            read_csv(content)


class TestFhir:
    def test_an_observation_keeps_its_comparator_unit_and_code(self) -> None:
        (sent,) = fhir_of(observation())
        assert (sent.loinc, sent.value, sent.unit, sent.given) == ("20447-9", "<40", "{copies}/mL", "vl1")
        assert (sent.numbers, sent.on, sent.said) == (("p1",), date(2026, 1, 10), Said.FINAL)

    def test_a_patient_in_the_bundle_lends_their_numbers(self) -> None:
        patient = {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:x", "value": "K-7"}]}
        assert [each.numbers for each in fhir_of(patient, observation())] == [("K-7",)]
        named = observation(subject={"identifier": {"value": "K-9"}})
        assert [each.numbers for each in fhir_of(named)] == [("K-9",)]

    def test_nobody_is_meant_by_a_subject_that_names_nobody(self) -> None:
        patient = {"resourceType": "Patient", "identifier": [{"value": "K-7"}]}
        assert [each.numbers for each in fhir_of(patient, observation(subject={}))] == [()]
        assert [each.numbers for each in fhir_of(patient, observation(subject={"reference": "Patient/"}))] == [()]

    def test_a_finding_without_a_number_is_a_choice(self) -> None:
        found = {"coding": [{"system": "http://snomed.info/sct", "code": "260415000", "display": "Not detected"}]}
        (sent,) = fhir_of(without_value(valueCodeableConcept=found))
        assert sent.value == "negative"

    def test_components_are_values_of_one_panel(self) -> None:
        def part(code: str, value: int, unit: str) -> dict[str, Any]:
            coding = [{"system": "http://loinc.org", "code": code}]
            return {"code": {"coding": coding}, "valueQuantity": {"value": value, "unit": unit}}

        sent = fhir_of(without_value(component=[part("8634-8", 400, "ms"), part("8867-4", 75, "/min")]))
        assert [(each.loinc, each.value, each.unit) for each in sent] == [
            ("8634-8", "400", "ms"),
            ("8867-4", "75", "/min"),
        ]
        assert len({each.panel for each in sent}) == 1
        assert len({each.given for each in sent}) == 2

    @pytest.mark.parametrize(
        ("changed", "fault"),
        [
            ({"valueQuantity": {"value": 40, "comparator": "<="}}, "cannot be kept"),
            ({"valueQuantity": {"unit": "copies/mL"}}, "no value"),
            ({"status": "perhaps"}, "not known"),
            ({"effectiveDateTime": "2026"}, "not a day"),
            ({"valueQuantity": "40"}, "cannot be read"),
        ],
    )
    def test_what_cannot_be_meant_is_a_fault_and_the_others_stand(self, changed: dict[str, Any], fault: str) -> None:
        wrong, right = fhir_of(observation(**changed), observation())
        assert fault in wrong.fault
        assert right.fault == ""

    def test_limits_in_another_unit_than_the_value_are_left(self) -> None:
        high = {"high": {"value": 40, "unit": "ukat/L"}}
        value = {"value": 34, "unit": "U/L"}
        assert [(e.lower, e.upper) for e in fhir_of(observation(valueQuantity=value, referenceRange=[high]))] == [
            ("", "")
        ]
        high["high"]["unit"] = "U/L"
        assert [(e.lower, e.upper) for e in fhir_of(observation(valueQuantity=value, referenceRange=[high]))] == [
            ("", "40")
        ]


class TestHl7:
    def test_a_segment_is_a_value_of_its_order_and_client(self) -> None:
        (sent,) = hl7_of("OBX|1|NM|1742-6^ALT^LN||34|U/L^^UCUM|10-40|N|||F|||20260110")
        assert (sent.line, sent.numbers, sent.loinc, sent.value, sent.unit) == (
            4,
            ("K-7", "S99"),
            "1742-6",
            "34",
            "U/L",
        )
        assert (sent.lower, sent.upper, sent.on, sent.given) == ("10", "40", date(2026, 1, 10), "A77/1742-6/")

    def test_a_structured_number_and_escapes_are_read(self) -> None:
        below, strange = hl7_of("OBX|1|SN|20447-9^HIV RNA^LN||<^40|{copies}/mL|||||F", "OBX|2|ST|X^a\\T\\b||7||||||C")
        assert (below.value, below.on) == ("<40", date(2026, 1, 9))
        assert (strange.test, strange.said) == ("a&b", Said.CORRECTED)

    @pytest.mark.parametrize(
        ("segment", "fault"),
        [
            ("OBX|1|NM|1742-6^ALT^LN||34~35|U/L|||||F", "several values"),
            ("OBX|1|NM|1742-6^ALT^LN|||U/L|||||F", "no value"),
            ("OBX|1|SN|1742-6^ALT^LN||<=^40|U/L|||||F", "cannot be kept"),
            ("OBX|1|SN|1742-6^ALT^LN||^3^-^4|U/L|||||F", "cannot be kept"),
            ("OBX|1|ED|1742-6^ALT^LN||^PDF|U/L|||||F", "not read"),
            ("OBX|1|NM|1742-6^ALT^LN||34|U/L|||||F|||2026", "not a day"),
        ],
    )
    def test_what_cannot_be_meant_is_a_fault(self, segment: str, fault: str) -> None:
        (sent,) = hl7_of(segment)
        assert fault in sent.fault

    def test_a_message_of_another_kind_is_a_fault_and_the_next_one_stands(self) -> None:
        sent = read_hl7((FORMED[2].replace("ORU^R01", "ADT^A01") + FORMED[2]).encode()).results
        assert [bool(each.fault) for each in sent] == [True, False]


def test_limits_are_read_as_laboratories_write_them() -> None:
    written = ("10-40", "10 – 40", "<41", "> 3.5", "≤ 41", "negative", "", "10-40 U/L")
    assert [limits_of(each) for each in written] == [
        ("10", "40"),
        ("10", "40"),
        ("", "41"),
        ("3.5", ""),
        ("", "41"),
        ("", ""),
        ("", ""),
        ("", ""),
    ]


@pytest.mark.parametrize(
    ("test", "typed", "kept"),
    [
        ("viral_load", "1,234", "1234"),
        ("viral_load", "1 234 567", "1234567"),
        ("bilirubin", "1,234", None),
        ("bilirubin", "12,5", "12.5"),
        ("albumin", "0,123", "0.123"),
        ("alt", "3 4", None),
        ("alt", "1_0", None),
        ("alt", "10⁵", None),
        ("alt", "3½", None),
        ("alt", "<=40", None),
        ("alt", "><40", None),
        ("alt", "٣٤", None),
        ("alt", "1e2", "100"),
    ],
)
def test_a_number_that_can_be_read_in_two_ways_is_not_read(test: str, typed: str, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(BadValue):
            read_value(analytes()[test], typed)
    else:
        assert read_value(analytes()[test], typed).number == Decimal(kept)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@settings(max_examples=120)
@given(data=st.data())
def test_whatever_is_sent_is_read_or_refused(reader: Any, data: st.DataObject) -> None:
    formed = data.draw(st.sampled_from(FORMED)).encode()
    at = data.draw(st.integers(0, len(formed)))
    until = data.draw(st.integers(at, len(formed)))
    bits = data.draw(st.binary(max_size=20) | st.sampled_from([b"\x00", b"|", b'"', b"~", b"^", b"{}", b"[[", b"\r"]))
    content = data.draw(st.sampled_from([formed[:at] + bits + formed[until:], formed[:at] + bits, bits]))
    try:
        incoming = reader(content)
    except BadInput:
        return
    assert isinstance(incoming, Incoming)
    for sent in incoming.results:
        assert "\x00" not in json.dumps([sent.value, sent.unit, sent.test, *sent.numbers], ensure_ascii=False)


@settings(max_examples=80)
@given(
    value=st.decimals(0, 999999, allow_nan=False, places=3),
    comparator=st.sampled_from(["", "<", ">"]),
    unit=st.sampled_from(["U/L", "umol/L", "mg/dL", "copies/mL", "10*9/L"]),
)
def test_a_value_is_the_same_out_of_every_format(value: Decimal, comparator: str, unit: str) -> None:
    typed = f"{comparator}{value}"
    quantity = f'{{"value": {value}, "unit": "{unit}"' + (f', "comparator": "{comparator}"}}' if comparator else "}")
    fhir = (
        '{"resourceType": "Observation", "status": "final", "code": {"text": "ALT"},'
        f' "effectiveDateTime": "2026-01-10", "valueQuantity": {quantity}}}'
    )
    sent = [
        *csv_of(f"K-7,ALT,{typed},{unit},,2026-01-10"),
        *read_fhir(fhir.encode()).results,
        *hl7_of(f"OBX|1|SN|ALT^ALT||{comparator}^{value}|{unit}|||||F|||20260110"),
    ]
    assert {(each.value, each.unit, each.on, each.fault) for each in sent} == {(typed, unit, date(2026, 1, 10), "")}
