import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.segments import Encoding, measure


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        ("a" * 158 + "[]", "GSM-7", 162, 2),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),  # the escape is not cut from its character
        ("è@£", "GSM-7", 3, 1),
        ("ê", "UCS-2", 1, 1),
        ("`", "UCS-2", 1, 1),
        ("8:00\u202fAM", "UCS-2", 7, 1),
        ("约" * 70, "UCS-2", 70, 1),
        ("约" * 71, "UCS-2", 71, 2),
        ("约" * 134, "UCS-2", 134, 2),
        ("约" * 135, "UCS-2", 135, 3),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 36, "UCS-2", 72, 2),
        ("😀" * 66, "UCS-2", 132, 2),
        ("😀" * 67, "UCS-2", 134, 3),  # 33 a segment: a pair is not cut in two
    ],
)
def test_a_text_is_measured_as_networks_bill_it(text, encoding, units, segments):
    size = measure(text)
    assert (size.encoding, size.units, size.segments) == (encoding, units, segments)


@given(st.text(max_size=700))
def test_segments_hold_all_units_and_no_segment_is_needless(text):
    size = measure(text)
    if size.encoding is Encoding.UCS2:
        assert size.units == len(text.encode("utf-16-le", "surrogatepass")) // 2
    joined = 153 if size.encoding is Encoding.GSM7 else 67
    if size.segments > 1:
        assert size.segments * joined >= size.units
        assert (size.segments - 1) * (joined - 1) < size.units
    else:
        assert size.units <= (160 if size.encoding is Encoding.GSM7 else 70)
