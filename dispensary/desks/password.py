"""One's own password: changed by whoever knows it, and by nobody else."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.web.choosing import change_own_password
from dispensary.web.forms import Form, secret
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings
from dispensary.web.guards import requires_sign_in
from dispensary.web.signed_in import address_of, no_cookie
from dispensary.web.templating import page


@get("/password", sync_to_thread=False, guards=[requires_sign_in])
def password() -> Template:
    """The form."""
    return page("password.html")


@post("/password", sync_to_thread=True, guards=[requires_sign_in])
def change(
    request: Request[Any, Any, Any],
    data: Form,
    database: TheDatabase,
    settings: TheSettings,
    actor: TheActor,
    clock: TheClock,
) -> Response[Any]:
    """Changes it, and signs the account out everywhere, here too."""
    try:
        if secret(data, "password") != secret(data, "again"):
            words = "The two passwords are not the same."
            raise BadInput(Refusal("passwords-differ", words, "Type the same password twice.", field="again"))
        change_own_password(
            database,
            actor=actor,
            current=secret(data, "current"),
            password=secret(data, "password"),
            address=address_of(request, settings),
            at=clock(),
        )
    except Refused as refused:
        return page("password.html", refused=refused)
    return Redirect("/signin?done=password", status_code=303, cookies=[no_cookie(settings)])


HANDLERS: list[ControllerRouterHandler] = [password, change]
