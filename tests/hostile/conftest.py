"""The real server of the clinic mornings, for whoever comes with something else in mind."""

from __future__ import annotations

from tests.e2e.conftest import house

__all__ = ["house"]
