"""Tables of the supplies room: the hand-over, the doses in it, the bottles, the pickups and their passes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Digest, Id
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams, Millilitres, SiteId


class Pickup(Base):
    """A take-home supply that is prepared for a client to collect on a day."""

    __tablename__ = "pickup"
    __table_args__ = (
        Index(
            "uq_pickup_open",
            "client_id",
            "collect_on",
            unique=True,
            postgresql_where=text("state IN ('prepared', 'out') AND NOT twice"),
        ),
        Index(None, "client_id", "collect_on"),
        Index(None, "site_id", "collect_on"),
        CheckConstraint("state IN ('prepared', 'out', 'collected', 'unclaimed', 'cancelled')", name="state"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episode.id"))
    collect_on: Mapped[date]
    state: Mapped[str]
    prepared_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    prepared_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="")
    twice: Mapped[bool] = mapped_column(default=False, server_default="false")
    """Whether another site had prepared one for this client and day too, while one of them was apart."""


class PickupPass(Base):
    """A pass that verifies one pickup: a signed token for the QR and a typed code. Only their digests are kept."""

    __tablename__ = "pickup_pass"
    __table_args__ = (
        UniqueConstraint("token_digest"),
        Index(
            "uq_pickup_pass_live_code", "site_id", "code_digest", unique=True, postgresql_where=text("ended_at IS NULL")
        ),
        Index(None, "pickup_id"),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="end_has_reason"),
        CheckConstraint("end_reason IN ('redeemed', 'revoked', 'expired', 'wrong_person')", name="end_reason"),
        Index("uq_pickup_pass_key", "pickup_id", "key", unique=True, postgresql_where=text("key <> ''")),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    pickup_id: Mapped[UUID] = mapped_column(ForeignKey("pickup.id"))
    token_digest: Mapped[Digest]
    code_digest: Mapped[Digest]
    signed_by: Mapped[str]
    """The id of the signing key that it was made with, and is made again with."""
    issued_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    key: Mapped[str] = mapped_column(default="")
    """The idempotency key with which it was asked for anew; empty for the first pass of a pickup."""
    issued_at: Mapped[datetime]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class PassAttempt(Base):
    """A pass or code that was refused at a site, and which pass it was where that is known.

    They are counted so that codes cannot be guessed, and listed so that somebody sees what is tried.
    """

    __tablename__ = "pass_attempt"
    __table_args__ = (Index(None, "site_id", "at"),)

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    at: Mapped[datetime]
    account_id: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    pass_id: Mapped[UUID | None] = mapped_column(ForeignKey("pickup_pass.id"))
    why: Mapped[str]


class Supply(Base):
    """One hand-over to a client: perhaps an observed dose, perhaps bottles."""

    __tablename__ = "supply"
    __table_args__ = (
        UniqueConstraint("site_id", "key"),
        Index(None, "client_id", "at"),
        Index(None, "site_id", "dose_day"),
        Index("uq_supply_pickup", "pickup_id", unique=True, postgresql_where=text("voided_at IS NULL")),
        Index("ix_supply_agent_consent_id", "agent_consent_id", postgresql_where=text("agent_consent_id IS NOT NULL")),
        CheckConstraint("origin IN ('counter', 'import', 'outage')", name="origin"),
        CheckConstraint(
            "identified_by IN ('photo', 'second_identifier', 'born', 'document', 'import')", name="identified_by"
        ),
        CheckConstraint("collected_by IN ('client', 'agent', 'carrier')", name="collected_by"),
        CheckConstraint(
            "(collected_by = 'agent') = (agent_id IS NOT NULL) AND (agent_id IS NULL) = (agent_consent_id IS NULL)",
            name="agent_has_consent",
        ),
        CheckConstraint("collected_by = 'client' OR pickup_id IS NOT NULL", name="collected_with_pickup"),
        CheckConstraint("(identified_by = 'document') = (collected_by = 'agent')", name="agent_shows_document"),
        CheckConstraint("id_requested OR NOT id_provided", name="id_provided_when_requested"),
        CheckConstraint("collected_by <> 'agent' OR id_provided", name="agent_is_identified"),
        CheckConstraint(
            "found IS NULL OR (found IN ('unwell', 'asks_doctor', 'asks_counsellor', 'other') AND observation <> '')",
            name="found",
        ),
        Index("ix_supply_found", "client_id", "at", postgresql_where=text("found IS NOT NULL")),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episode.id"))
    dose_day: Mapped[date]
    """The site's dose day on which it was handed over."""
    at: Mapped[datetime]
    key: Mapped[str]
    """The idempotency key: a repeated request with it gets the first answer."""
    request_sha256: Mapped[Digest]
    decision_id: Mapped[UUID | None] = mapped_column(ForeignKey("decision.id"))
    pickup_id: Mapped[UUID | None] = mapped_column(ForeignKey("pickup.id"))
    identified_by: Mapped[str]
    """`photo`, `second_identifier` or `born` of the client, or the `document` of the agent who collects."""
    collected_by: Mapped[str] = mapped_column(default="client", server_default="client")
    """`client`, `agent`, or `carrier`: somebody of the staff, who handed it to the client at their home."""
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id"))
    agent_consent_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent_consent.id"))
    id_requested: Mapped[bool] = mapped_column(default=False, server_default="false")
    """Whether a document was asked for, and shown: the UK's register has a column for each."""
    id_provided: Mapped[bool] = mapped_column(default=False, server_default="false")
    found: Mapped[str | None]
    """What the safety check found although the dose was given; nothing when all was well."""
    observation: Mapped[str] = mapped_column(default="")
    """The same in the dispenser's words."""
    second_look: Mapped[str] = mapped_column(default="")
    """Why a dose that jumps from the last one was right."""
    dispensed_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    origin: Mapped[str] = mapped_column(default="counter")
    """`import` came from another system; `outage` was written on paper and entered afterwards (its `late_entry`)."""
    answer: Mapped[dict[str, Any]]
    voided_at: Mapped[datetime | None]


class Dose(Base):
    """A portion of a dose day that a client has, swallowed at the counter or carried home in a bottle: coverage."""

    __tablename__ = "dose"
    __table_args__ = (
        Index(
            "uq_dose_covers_once",
            "client_id",
            "dose_day",
            "portion",
            unique=True,
            postgresql_where=text("voided_at IS NULL"),
        ),
        Index(None, "supply_id"),
        Index(None, "site_id", "dose_day"),
        Index("ix_dose_voided", "client_id", "dose_day", postgresql_where=text("voided_at IS NOT NULL")),
        CheckConstraint("kind IN ('observed', 'take_home')", name="kind"),
        CheckConstraint("mg > 0", name="mg"),
        CheckConstraint("portion BETWEEN 1 AND portions AND portions BETWEEN 1 AND 4", name="portion"),
    )

    id: Mapped[Id]
    supply_id: Mapped[UUID] = mapped_column(ForeignKey("supply.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("dose_order.id"))
    dose_day: Mapped[DoseDay]
    portion: Mapped[int] = mapped_column(SmallInteger)
    portions: Mapped[int] = mapped_column(SmallInteger)
    kind: Mapped[str]
    mg: Mapped[Milligrams]
    ml: Mapped[Millilitres | None]
    lot_id: Mapped[UUID | None] = mapped_column(ForeignKey("lot.id"))
    """Nothing for imported history, which came from another system's stock."""
    closed_day: Mapped[bool] = mapped_column(default=False)
    """A bottle for a day on which the site is closed, which some policies do not count."""
    voided_at: Mapped[datetime | None]


class DoseException(Base):
    """Something at the counter that no rule of a usual day covers, with what the guideline said and who decided."""

    __tablename__ = "dose_exception"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('vomited', 'intoxicated', 'refused', 'partly_taken', 'spilled', 'late', 'wrong_dose', 'top_up')",
            name="kind",
        ),
        CheckConstraint(
            "allowed_mg IS NULL OR (allowed_mg > 0 AND prescriber_id IS NOT NULL)", name="allowed_by_prescriber"
        ),
        CheckConstraint("(closed_at IS NULL) = (outcome = '')", name="closed_has_outcome"),
        Index(None, "client_id", "dose_day"),
        Index(None, "site_id", "dose_day"),
        Index("ix_dose_exception_dose", "dose_id", postgresql_where=text("dose_id IS NOT NULL")),
        Index("ix_dose_exception_open", "site_id", postgresql_where=text("closed_at IS NULL")),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    dose_day: Mapped[date]
    kind: Mapped[str]
    dose_id: Mapped[UUID | None] = mapped_column(ForeignKey("dose.id"))
    """The dose that was vomited, spilled, partly taken or wrong."""
    details: Mapped[dict[str, Any]]
    """What was seen, in figures and words: minutes, witnessed, mg given."""
    ruling: Mapped[dict[str, Any] | None]
    """What the site's guideline said, with its version and source."""
    prescriber_id: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Who was called."""
    said: Mapped[str] = mapped_column(default="")
    allowed_mg: Mapped[Milligrams | None]
    """What the prescriber allowed to be given again or on top, on this day."""
    observe_until: Mapped[datetime | None]
    blocks: Mapped[bool] = mapped_column(default=False)
    """Whether no further dose leaves until a prescriber has reviewed it (closed it)."""
    recorded_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    recorded_at: Mapped[datetime]
    closed_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    closed_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(default="")


class ExtraDose(Base):
    """A second entry for a dose day under its own kind: it covers nothing, and needs an exception of its own."""

    __tablename__ = "extra_dose"
    __table_args__ = (
        CheckConstraint("kind IN ('replacement', 'top_up', 'in_error')", name="kind"),
        CheckConstraint("mg > 0 AND ml > 0", name="amount"),
        Index(
            "uq_extra_dose_exception",
            "exception_id",
            unique=True,
            postgresql_where=text("voided_at IS NULL"),
        ),
        Index(None, "client_id", "dose_day"),
        Index(None, "supply_id"),
    )

    id: Mapped[Id]
    supply_id: Mapped[UUID] = mapped_column(ForeignKey("supply.id"))
    exception_id: Mapped[UUID] = mapped_column(ForeignKey("dose_exception.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    dose_day: Mapped[DoseDay]
    kind: Mapped[str]
    """`replacement` of a vomited dose, `top_up` after an increase, or what was given `in_error` above the order."""
    mg: Mapped[Milligrams]
    ml: Mapped[Millilitres]
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lot.id"))
    voided_at: Mapped[datetime | None]


class BottleReturn(Base):
    """A bottle came back, empty or full. What is full uncovers its day, and goes to what awaits destruction."""

    __tablename__ = "bottle_return"
    __table_args__ = (
        UniqueConstraint("bottle_id"),
        Index(None, "client_id", "dose_day"),
        Index("ix_bottle_return_full", "site_id", postgresql_where=text("is_full")),
        CheckConstraint("NOT is_full OR reason <> ''", name="full_has_reason"),
    )

    id: Mapped[Id]
    bottle_id: Mapped[UUID] = mapped_column(ForeignKey("bottle.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    dose_day: Mapped[DoseDay]
    is_full: Mapped[bool]
    returned_on: Mapped[date]
    reason: Mapped[str] = mapped_column(default="")
    recorded_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime]


class Recall(Base):
    """Bottles at home are called back to be counted, or because their strength is no longer what is ordered."""

    __tablename__ = "recall"
    __table_args__ = (
        Index("uq_recall_open", "client_id", unique=True, postgresql_where=text("state = 'open'")),
        Index(None, "client_id", "called_on"),
        CheckConstraint("cause IN ('dose_changed', 'restart', 'stopped', 'check')", name="cause"),
        CheckConstraint("state IN ('open', 'passed', 'failed', 'cancelled')", name="state"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed_has_moment"),
        CheckConstraint("state IN ('open', 'passed') OR note <> ''", name="failure_has_note"),
        CheckConstraint("bring_by >= called_on", name="bring_by"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    cause: Mapped[str]
    from_day: Mapped[date]
    """Bottles for this dose day and later ones are called back."""
    called_on: Mapped[date]
    bring_by: Mapped[date]
    called_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Nobody when chance called them back, by the site's rule."""
    called_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="open")
    expected_full: Mapped[int | None] = mapped_column(SmallInteger)
    counted_full: Mapped[int | None] = mapped_column(SmallInteger)
    note: Mapped[str] = mapped_column(default="")
    closed_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    closed_at: Mapped[datetime | None]


class Bottle(Base):
    """One take-home dose in a bottle of its own, from the moment it is packed."""

    __tablename__ = "bottle"
    __table_args__ = (
        UniqueConstraint("serial"),
        Index(None, "client_id", "dose_day"),
        Index(None, "pickup_id"),
        Index("uq_bottle_dose", "dose_id", unique=True),
        Index(
            "ix_bottle_live",
            "site_id",
            postgresql_where=text("state IN ('prepared', 'checked', 'out', 'handed_over', 'recalled')"),
        ),
        Index("ix_bottle_in_safe", "lot_id", postgresql_where=text("state IN ('prepared', 'checked', 'out')")),
        CheckConstraint(
            "state IN ('prepared', 'checked', 'out', 'handed_over', 'recalled', 'returned_empty', 'returned_full',"
            " 'lost', 'destroyed', 'back_in_stock', 'void')",
            name="state",
        ),
        CheckConstraint(
            "CASE WHEN state IN ('prepared', 'checked', 'out') THEN dose_id IS NULL"
            " WHEN state IN ('lost', 'back_in_stock') THEN true ELSE dose_id IS NOT NULL END",
            name="handed_over_is_a_dose",
        ),
    )

    id: Mapped[Id]
    serial: Mapped[str]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("dose_order.id"))
    pickup_id: Mapped[UUID | None] = mapped_column(ForeignKey("pickup.id"))
    dose_id: Mapped[UUID | None] = mapped_column(ForeignKey("dose.id"))
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lot.id"))
    dose_day: Mapped[DoseDay]
    portion: Mapped[int] = mapped_column(SmallInteger)
    portions: Mapped[int] = mapped_column(SmallInteger)
    mg: Mapped[Milligrams]
    ml: Mapped[Millilitres]
    state: Mapped[str]
    """Moved by the bottle's events alone."""
    packed_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    packed_at: Mapped[datetime]


class DayClose(Base):
    """A site's dose day is closed: its missed days are frozen, its register counted. Once."""

    __tablename__ = "day_close"

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    dose_day: Mapped[date] = mapped_column(primary_key=True)
    closed_at: Mapped[datetime]
    closed_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Nobody when the night closed a day that the counter had left open; its count is then still due."""
    counted: Mapped[bool]
    observed: Mapped[int]
    taken_home: Mapped[int]
    missed: Mapped[int]
    held: Mapped[int]
    unclaimed: Mapped[int]
