"""The office's page on which a site sets the figures that a policy leaves to it, in a version of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, ReadSession, WriteSession
from dispensary.documents import BadDocument
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.takehome.models import PolicyVersion
from dispensary.takehome.parameters import Parameter, Value, fill
from dispensary.takehome.policy import parse
from dispensary.takehome.publishing import publish
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import _

_NAME = re.compile(r"[A-Z0-9][A-Z0-9.-]*")


@get("/office/policies/{version_id:uuid}/figures", sync_to_thread=True, guards=[requires_administrator])
def figures(version_id: FromPath[UUID], database: TheDatabase, site: TheSite) -> Template:
    """What the policy leaves open, to be filled in; what a version has set already stands there."""
    return _figures_page(database, site, version_id)


def kind_words() -> dict[object, str]:
    """The words that a parameter may choose from, as a person reads them."""
    return {"required": _("required"), "consideration": _("to be weighed"), "advice": _("advice")}


def _figures_page(
    database: Database,
    site: Place,
    version_id: UUID,
    *,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        version = _the_version(session, version_id)
        policy = parse(version.document)
    words = kind_words()
    return page(
        "office/figures.html",
        version=version,
        policy=policy,
        suggested=f"{re.sub(r'[^A-Z0-9.]+', '-', site.code.upper()).strip('-') or 'SITE'}-{policy.policy}"[:60],
        title=re.sub(r" \([a-z, ]+ to be set\)$", "", policy.title),
        choices=lambda parameter: [(choice, words.get(choice, choice)) for choice in parameter.choices],
        refused=refused,
        typed=typed,
    )


@post("/office/policies/{version_id:uuid}/figures", sync_to_thread=True, guards=[requires_administrator])
def set_figures(
    version_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Publishes the site's own version with every figure set. It affects nobody until it is adopted."""
    now = clock()

    def act(session: WriteSession) -> None:
        draft = _the_version(session, version_id)
        with Typed(data) as typed:
            values = {each.name: _value(typed, each) for each in parse(draft.document).parameters}
            name, version = typed.text("policy", most=60), typed.text("version", most=20)
            title, set_by = typed.text("title"), typed.text("set_by")
            if name and not _NAME.fullmatch(name):
                typed.fault(
                    "policy", "bad-name", "A name has capital letters, digits, dots and hyphens.", "Correct it."
                )
        try:
            document = fill(draft.document, values, policy=name, version=version, title=title, set_by=set_by)
            parse(document)
        except BadDocument as reason:
            raise BadInput(*(Refusal("policy-problem", each, "Correct it.") for each in reason.problems)) from None
        kept = publish(session, document=document, at=now)
        details = {"policy": kept.policy, "version": kept.version, "sha256": kept.sha256.hex(), "from": draft.id}
        audit.record(
            session, actor=actor, act="published policy", subject="policy", subject_id=kept.id, at=now, details=details
        )

    try:
        database.write(act)
    except Refused as refused:
        return _figures_page(database, site, version_id, refused=refused, typed=data)
    return Redirect("/office/policies?done=set", status_code=303)


def _value(typed: Typed, parameter: Parameter) -> Value:
    field = f"value-{parameter.name}"
    written = typed.text(field, most=20)
    if not written:
        return 0
    value = written if parameter.choices else _number(written)
    if value is None or parameter.fault(value):
        told = (
            _("Choose one.")
            if parameter.choices
            else f"This is a number from {parameter.least} to {parameter.most}, such as {parameter.least}."
        )
        typed.fault(field, "figure-out-of-bounds", told, "Correct it.")
        return 0
    return value


def _number(written: str) -> Value | None:
    try:
        number = Decimal(written.replace(",", "."))
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    return int(number) if number == number.to_integral_value() and abs(number) < 100_000 else number


def _the_version(session: ReadSession, version_id: UUID) -> PolicyVersion:
    version = session.get(PolicyVersion, version_id)
    if version is None or not parse(version.document).parameters:
        raise NotThere(
            Refusal("no-figures", "This policy leaves no figure open.", "Choose another one on the page of policies.")
        )
    return version


HANDLERS: list[ControllerRouterHandler] = [figures, set_figures]
