"""The real server and browser of the clinic mornings, for whoever comes with something else in mind."""

from __future__ import annotations

from tests.e2e.conftest import chromium, house

__all__ = ["chromium", "house"]
