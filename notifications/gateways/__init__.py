"""What a gateway to the phone network is: it takes a text, says what became of it, and brings in what people write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifications.models import State


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


@dataclass(frozen=True)
class Unknown:
    """No answer came: the gateway may have taken the text or not. It is looked up before it is sent again."""

    reason: str


@dataclass(frozen=True)
class Seen:
    """A text that the gateway has, as its list shows it."""

    provider_id: str
    state: State
    code: str | None = None


@dataclass(frozen=True)
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


class Gateway(Protocol):
    """A way to the phone network. Its methods never raise for what the network does."""

    @property
    def name(self) -> str:
        """The word that is kept with each message, such as `console`."""
        ...

    def send(self, to: str, body: str, reference: UUID, valid_seconds: int) -> Accepted | Rejected | Unknown:
        """Hands over one text, to be given up after `valid_seconds`. `reference` is our id of the message."""
        ...

    def look_up(self, to: str, body: str, reference: UUID, since: datetime) -> Sequence[Seen] | Unknown:
        """The texts that the gateway has to this number, with this body, from `since` on; one of them may be ours."""
        ...

    def parse_inbound(self, form: Mapping[str, str]) -> Sequence[Inbound]: ...

    def parse_status(self, form: Mapping[str, str]) -> Sequence[Status]: ...

    def verify(self, url: str, form: Mapping[str, str], signature: str) -> bool:
        """Whether the gateway itself made this request. `url` is built from the public base address, never a header."""
        ...
