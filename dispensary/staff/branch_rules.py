"""What a programme's tree may look like, and a file of it: every fault named with its line. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from zoneinfo import available_timezones

from dispensary.refusals import BadInput, Refusal

NEEDED = ("code", "name", "parent", "kind")
COLUMNS = (*NEEDED, "zone", "language", "lat", "lon")
LONGEST_NAME = 120
MOST_LINES = 20_000
_CODE = re.compile(r"[A-Z0-9-]{1,12}", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,8})?", re.ASCII)
_DEGREES = re.compile(r"-?\d{1,3}(\.\d{1,8})?", re.ASCII)


class Kind(StrEnum):
    """What a node of the tree is, from the top down."""

    COUNTRY = "country"
    PROVINCE = "province"
    DISTRICT = "district"
    MAIN = "main"
    SATELLITE = "satellite"


AREAS = (Kind.COUNTRY, Kind.PROVINCE, Kind.DISTRICT)
LIES_IN: Mapping[Kind, tuple[Kind, ...]] = {
    Kind.COUNTRY: (),
    Kind.PROVINCE: (Kind.COUNTRY,),
    Kind.DISTRICT: (Kind.PROVINCE,),
    Kind.MAIN: AREAS,
    Kind.SATELLITE: (Kind.MAIN,),
}
"""What a node may have above it."""


@dataclass(frozen=True)
class Node:
    """An area or a site, as a file has it or as it is known."""

    code: str
    kind: Kind
    parent: str = ""
    """Code of what it lies in; for a satellite its main site; nothing for the country, and for a clinic that is alone.
    """
    name: str = ""
    zone: str = ""
    """Nothing: it has that of what it lies in."""
    language: str = ""
    lat: Decimal | None = None
    lon: Decimal | None = None
    line: int = 0


def plain_code(typed: str) -> str:
    """A code as it is compared: no blanks around, upper case."""
    return typed.strip().upper()


def faults_of_node(node: Node) -> Iterator[Refusal]:
    """What is wrong with a node by itself."""
    if not _CODE.fullmatch(node.code):
        yield Refusal("bad-branch-code", "A code has 1 to 12 capital letters, digits or dashes.", field="code")
    if not 1 <= len(node.name) <= LONGEST_NAME:
        yield Refusal("branch-name", f"A name has 1 to {LONGEST_NAME} letters.", "Correct it.", field="name")
    if node.zone and node.zone not in available_timezones():
        yield Refusal("bad-zone", f"“{node.zone}” is not a time zone.", "Write one such as Asia/Bangkok.", field="zone")
    if node.language and not _LANGUAGE.fullmatch(node.language):
        yield Refusal("bad-language", f"“{node.language}” is not a language.", "Write a code: vi.", field="language")
    if fault := fault_of_place(node.lat, node.lon):
        yield fault
    elif node.lat is not None and node.kind in AREAS:
        yield Refusal("area-on-map", "An area has no coordinates of its own.", "Give them to its sites.", field="lat")


def fault_of_place(lat: Decimal | None, lon: Decimal | None) -> Refusal | None:
    """What is wrong with coordinates: degrees north and east, both or neither."""
    if (lat is None) != (lon is None):
        return Refusal("half-a-place", "One coordinate is missing.", "Write both, or neither.", field="lat")
    if lat is not None and lon is not None and not (abs(lat) <= 90 and abs(lon) <= 180):
        return Refusal(
            "off-the-earth", "Latitude is -90 to 90, longitude -180 to 180.", "Are the two exchanged?", field="lat"
        )
    return None


def degrees(typed: str) -> Decimal | None:
    """Degrees as typed; nothing where nothing was. Raises ValueError."""
    if not typed.strip():
        return None
    if not _DEGREES.fullmatch(typed.strip()):
        raise ValueError(typed)
    return Decimal(typed.strip())


def read_tree(content: bytes) -> list[Node]:
    """The nodes of a CSV file, as it has them. Raises BadInput with every line that cannot be read."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(Refusal("not-utf8", "The file is not in UTF-8.", "Save it as CSV UTF-8.")) from None
    rows = csv.reader(io.StringIO(text, newline=""))
    header = [cell.strip().casefold() for cell in next(rows, [])]
    wrong = [f"the column “{name}” is missing" for name in NEEDED if name not in header]
    wrong += [f"the column “{name}” is not known" for name in header if name not in COLUMNS]
    wrong += [f"the column “{name}” is there twice" for name in sorted(set(header)) if header.count(name) > 1]
    if wrong:
        raise BadInput(Refusal("header", f"Line 1: {', '.join(wrong)}.", f"Columns: {', '.join(COLUMNS)}."))
    faults: list[Refusal] = []
    nodes: list[Node] = []
    for cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        found = _node(header, cells, rows.line_num)
        if isinstance(found, Node):
            nodes.append(found)
        else:
            faults += found
    if not nodes and not faults:
        faults = [Refusal("empty-file", "The file has no line but the header.", "Is it the right one?")]
    if len(nodes) > MOST_LINES:
        faults = [Refusal("long-file", f"The file has more than {MOST_LINES} lines.", "Split it by province.")]
    if faults:
        raise BadInput(*faults)
    return nodes


def _node(header: Sequence[str], cells: Sequence[str], line: int) -> Node | list[Refusal]:
    if len(cells) != len(header):
        return [_at(line, f"{len(cells)} cells where the header has {len(header)}.", "Is a comma in a name unquoted?")]
    of = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    faults = []
    places: dict[str, Decimal | None] = {}
    for axis in ("lat", "lon"):
        try:
            places[axis] = degrees(of.get(axis, ""))
        except ValueError:
            faults.append(_at(line, f"“{of[axis][:20]}” is no {axis}.", "Write degrees such as 21.0285."))
    if of["kind"] not in list(Kind):
        faults.append(_at(line, f"“{of['kind'][:20]}” is no kind.", f"Kinds: {', '.join(Kind)}."))
    if faults:
        return faults
    node = Node(
        code=plain_code(of["code"]),
        kind=Kind(of["kind"]),
        parent=plain_code(of["parent"]),
        name=of["name"],
        zone=of.get("zone", ""),
        language=of.get("language", ""),
        lat=places["lat"],
        lon=places["lon"],
        line=line,
    )
    return [_at(line, fault.sentence, fault.remedy) for fault in faults_of_node(node)] or node


def _at(line: int, sentence: str, remedy: str = "") -> Refusal:
    return Refusal("line", f"Line {line}: {sentence}", remedy, {"line": line})


def settled(nodes: Iterable[Node], known: Mapping[str, Node]) -> list[Node]:
    """The nodes from the top down, each with the zone and language that it has or inherits.

    `known` are the nodes that are there already, by code; a line may name one again. Raises BadInput with every line
    that does not fit the tree.
    """
    nodes = list(nodes)
    said: dict[str, Node] = {}
    faults = []
    for node in nodes:
        if node.code in said:
            faults.append(_at(node.line, f"{node.code} stands on line {said[node.code].line} too.", "Leave one out."))
        said.setdefault(node.code, node)
    tree = {**known, **said}
    for node in said.values():
        faults += [_at(node.line, *fault) for fault in _misplaced(node, known, tree)]
    if faults:
        raise BadInput(*sorted(faults, key=lambda fault: int(str(fault.evidence["line"]))))
    whole = [_whole(node, known, tree) for node in said.values()]
    zoneless = [
        _at(node.line, f"{node.code} has no time zone, nor has what it lies in.", "Write it on this line or above.")
        for node in whole
        if node.kind not in AREAS and not node.zone
    ]
    if zoneless:
        raise BadInput(*zoneless)
    order = list(Kind)
    return sorted(whole, key=lambda node: (order.index(node.kind), node.line))


def _misplaced(node: Node, known: Mapping[str, Node], tree: Mapping[str, Node]) -> Iterator[tuple[str, str]]:
    allowed = LIES_IN[node.kind]
    before = known.get(node.code)
    if before is not None and before.kind is not node.kind and not (node.kind is Kind.SATELLITE and not before.parent):
        yield f"{node.code} is there already, as a {before.kind}.", "Use another code."
    if node.kind is Kind.COUNTRY:
        if node.parent:
            yield "A country lies in nothing.", "Leave its parent empty."
        others = [each.code for each in tree.values() if each.kind is Kind.COUNTRY and each.code != node.code]
        if others:
            yield f"There is one country: {others[0]}.", "Make the others provinces, or leave the line out."
        return
    above = tree.get(node.parent)
    if above is None:
        yield f"There is no “{node.parent}” that {node.code} could lie in.", "Correct its parent, or add that line."
    elif above.kind not in allowed:
        wanted = " or ".join(f"a {kind}" for kind in allowed)
        yield f"A {node.kind} belongs to {wanted}; {above.code} is a {above.kind}.", "Correct its parent."
    if before is not None and before.kind not in AREAS and node.zone and node.zone != before.zone:
        yield f"{node.code} has the zone {before.zone}, by which its days were counted.", "A zone is not changed."
    if node.kind is Kind.SATELLITE and above is not None and above.kind is Kind.MAIN:
        mains, own = inherited(above, tree, "zone"), node.zone or (before.zone if before else "")
        if own and mains and own != mains:
            yield f"{node.code} has another zone than its main site {above.code}.", "A satellite has the same days."


def _whole(node: Node, known: Mapping[str, Node], tree: Mapping[str, Node]) -> Node:
    before = known.get(node.code)
    if node.kind in AREAS:
        return node
    zone = before.zone if before else inherited(node, tree, "zone")
    language = node.language or (before.language if before else inherited(node, tree, "language"))
    return Node(node.code, node.kind, node.parent, node.name, zone, language, node.lat, node.lon, node.line)


def inherited(node: Node, tree: Mapping[str, Node], what: str) -> str:
    """What the node says of `zone` or `language`, or else the nearest that lies above it; nothing where none does."""
    at: Node | None = node  # kinds go up in the tree, so that this ends
    while at is not None:
        if value := str(getattr(at, what)):
            return value
        at = tree.get(at.parent)
    return ""
