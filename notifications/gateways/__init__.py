"""What a gateway to the phone network is: it takes a text, says what became of it, and brings in what people write.

Each gateway is one module of this package. It holds a class that does what `Gateway` says, and `configured`, which
makes one from the environment; `chosen` finds it by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Protocol
from urllib.parse import parse_qsl
from uuid import UUID

from notifications.models import State

MOST_FIELDS = 200


class BadGateway(ValueError):
    """The environment sets up a gateway by halves, or two at once. The text is one line that says what to change."""


@dataclass(frozen=True)
class Accepted:
    """The gateway took the text."""

    provider_id: str


@dataclass(frozen=True)
class Rejected:
    """The gateway said no, and certainly did not take the text."""

    code: str
    permanent: bool
    """Another try would get the same answer."""
    opted_out: bool = False
    """The number asked for no more texts."""
    slow_down: bool = False
    """Too many at once: every sender of this gateway waits for a while."""


@dataclass(frozen=True)
class Unknown:
    """No answer came: the gateway may have taken the text or not. It is looked up before it is sent again."""

    reason: str
    for_good: bool = False
    """Another look would not tell either: a person is told, and only a report still settles it."""


@dataclass(frozen=True)
class Seen:
    """A text that the gateway has, as its list shows it."""

    provider_id: str
    state: State
    code: str | None = None


@dataclass(frozen=True, repr=False)
class Inbound:
    """A text that somebody wrote."""

    message_id: str
    phone: str
    text: str
    opt_out_type: str = ""
    """STOP, START or HELP when the gateway itself has acted on it."""


@dataclass(frozen=True)
class Status:
    """A report of what became of a text."""

    provider_id: str
    state: State
    code: str | None = None
    reference: UUID | None = None
    """Our own id of the message, when the gateway gives it back: it finds a message whose answer was lost."""
    opted_out: bool = False


@dataclass(frozen=True)
class Called:
    """A request that came to one of our addresses. `url` is built from the public base address, never a header."""

    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """By their names in small letters."""
    body: bytes = b""

    @cached_property
    def form(self) -> Mapping[str, str]:
        """Every field of the body as it was sent, blanks included. Empty when the body is no form."""
        try:
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
        except ValueError:  # not UTF-8, or too many fields
            return {}


@dataclass(frozen=True)
class Heard:
    """What a gateway wants to read when it has brought a text: nothing that it would send on."""

    body: str
    media_type: str


class Gateway(Protocol):
    """A way to the phone network. Its methods never raise for what the network does."""

    @property
    def name(self) -> str:
        """The word that is kept with each message, such as `console`. Its hooks are at /hooks/ and this word."""
        ...

    @property
    def per_second(self) -> float | None:
        """How many texts it takes in a second, from all senders together; nothing when there is no such bound."""
        ...

    @property
    def heard(self) -> Heard: ...

    def send(self, to: str, body: str, reference: UUID, valid_seconds: int) -> Accepted | Rejected | Unknown:
        """Hands over one text, to be given up after `valid_seconds`. `reference` is our id of the message."""
        ...

    def look_up(self, to: str, body: str, reference: UUID, since: datetime) -> Sequence[Seen] | Unknown:
        """The texts that the gateway has to this number, with this body, from `since` on; one of them may be ours."""
        ...

    def parse_inbound(self, called: Called) -> Sequence[Inbound]: ...

    def parse_status(self, called: Called) -> Sequence[Status]: ...

    def verify(self, called: Called) -> bool:
        """Whether the gateway itself made this request."""
        ...


def wanted(environment: Mapping[str, str], what: str, names: Sequence[str]) -> list[str] | None:
    """The values of settings that are needed together; nothing when none is given. Raises BadGateway for some."""
    values = [environment.get(name, "").strip() for name in names]
    if not any(values):
        return None
    missing = [name for name, value in zip(names, values, strict=True) if not value]
    if missing:
        raise BadGateway(f"Texts by {what} need {', '.join(names)}; missing: {', '.join(missing)}.")
    return values


def reference_of(value: str | None) -> UUID | None:
    """Our own id, as a gateway gives it back; nothing when it is not one."""
    try:
        return UUID(value) if value else None
    except ValueError:
        return None
