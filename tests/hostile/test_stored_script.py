"""Markup in every text field of every form that a browser finds; then every page again: all of it stays text."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Dialog, Page
from playwright.sync_api import Error as BrowserError

from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from tests.builders import clinic
from tests.dispensary.visiting import PASSWORD, hire
from tests.e2e.conftest import DESK, House

MOST_PAGES, MOST_FORMS = (260, 600) if "ATTACK" in os.environ else (8, 12)
MARKUP = "qxz\"'><img src=x onerror=alert(1)><svg onload=alert(2)>"
SHOWN = "onerror=alert(1)"
AWAY = ("/signout", "/lock", "/static", "/api", "/evaluation/files", "/session")

FILL = """([nth, markup]) => {
    const form = document.forms[nth];
    let filled = 0;
    for (const field of form.elements) {
        const kind = field.type;
        if (["text", "search", "textarea", "url", "email"].includes(kind)) {
            field.removeAttribute("maxlength"); field.value = markup; filled += 1;
        } else if (kind === "number") field.value = field.min || "1";
        else if (kind === "date" && !field.value) field.value = "2026-11-24";
        else if (kind === "time" && !field.value) field.value = "09:30";
        else if (kind === "radio" && !form.querySelector(`input[name="${field.name}"]:checked`)) field.checked = true;
        else if (kind === "checkbox" && field.required) field.checked = true;
        else if (kind === "select-one" && !field.value && field.options.length > 1) field.selectedIndex = 1;
    }
    if (filled) HTMLFormElement.prototype.submit.call(form);
    return filled;
}"""
LOOK = """() => ({
    injected: document.querySelectorAll('img[src="x"], svg[onload], [onerror]').length,
    shown: document.documentElement.textContent.includes("onerror=alert(1)")
        || [...document.querySelectorAll("input, textarea")].some(each => each.value.includes("onerror=alert(1)")),
    links: [...document.querySelectorAll("a[href]")].map(each => each.href),
    forms: [...document.forms].map(each => [each.action, each.method]),
})"""


class Walk:
    """A browser that goes wherever a page leads, and keeps what troubled it."""

    def __init__(self, browser: Browser, house: House) -> None:
        self.house = house
        self.context = browser.new_context(viewport=DESK, base_url=house.address, accept_downloads=False)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.dialogs: list[str] = []
        self.violations: list[str] = []
        self.shown: set[str] = set()
        self.page.on("dialog", self._dialog)
        self.page.on("console", lambda line: self._heard(line.text))

    def _dialog(self, dialog: Dialog) -> None:
        if dialog.type != "beforeunload":
            self.dialogs.append(dialog.message)
        dialog.accept()

    def _heard(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.violations.append(f"{self.page.url}: {text}")

    def signs_in(self, username: str) -> None:
        self.context.clear_cookies()
        self.page.goto("/signin")
        self.page.get_by_label("Account").fill(username)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()

    def looks_at(self, path: str) -> dict[str, list[str]]:
        """The page, looked at; nothing where it is none, such as a file."""
        try:
            answer = self.page.goto(path)
            if self._path(self.page.url) in ("/signin", "/lock"):  # nobody touched it for two minutes, say
                self.signs_in("everything")
                answer = self.page.goto(path)
        except BrowserError:
            return {"links": [], "forms": []}
        if answer is None or "html" not in answer.headers.get("content-type", ""):
            return {"links": [], "forms": []}
        return self.inspects()

    def inspects(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = self.page.evaluate(LOOK)
        assert found["injected"] == 0, self.page.url
        if found["shown"]:
            self.shown.add(self._path(self.page.url))
        return found

    def _path(self, url: str) -> str:
        return urlsplit(url).path

    def ours(self, url: str) -> bool:
        return url.startswith(self.house.address) and not self._path(url).startswith(AWAY)


def test_it_stays_text_wherever_it_is_shown(
    chromium: Browser, house: House, record_property: Callable[[str, object], None]
) -> None:
    place = clinic(house.database, house.clock())
    for mg in ("60", "80"):
        place.decide(place.client(mg=mg), per_supply=2)
    with house.database.reading() as session:
        site = session.get_one(Site, place.site_id)
    hire(house.database, site, "everything", Role, house.clock())
    walk = Walk(chromium, house)
    walk.signs_in("everything")
    queue, seen, fields, sent = deque(["/", f"/counter/{place.clients[0]}", "/reception", "/office"]), set(), 0, set()
    queue.extend(f"/consulting/{client}" for client in place.clients)
    while queue and len(seen) < MOST_PAGES:
        path = queue.popleft()
        if path in seen:
            continue
        seen.add(path)
        found = walk.looks_at(path)
        queue.extend(urlsplit(link).path for link in found["links"] if walk.ours(link))
        for nth, (action, _) in enumerate(found["forms"]):
            known = (urlsplit(action).path, len(sent) if not walk.ours(action) else 0)
            if known in sent or not walk.ours(action) or len(sent) >= MOST_FORMS:
                continue
            sent.add(known)
            walk.looks_at(path)
            try:
                with walk.page.expect_navigation(timeout=8_000, wait_until="domcontentloaded"):
                    filled = walk.page.evaluate(FILL, [nth, MARKUP])
                    fields += filled
                    if not filled:
                        walk.page.goto(path)
                walk.inspects()
            except BrowserError:
                continue  # a form that leads to no page, such as one that answers with a file
    for path in sorted(seen):
        walk.looks_at(path)
    walk.context.close()

    record_property("tries", fields)
    record_property("figure", f"{len(sent)} forms on {len(seen)} pages; shown as text on {len(walk.shown)} pages")
    assert (walk.dialogs, walk.violations) == ([], [])
    assert fields > (60 if MOST_PAGES > 100 else 2), "it found text fields at all"
    assert walk.shown, "what was typed is shown somewhere, or this would say nothing"
