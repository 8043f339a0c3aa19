"""The acts that records are made of: each calls the service that people use. Every module of this package is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

import msgspec

from dispensary.programmes.scene import Scene


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An act with its own words."""

    def do(self, scene: Scene) -> None:
        """Each act says it for itself: it calls the service, and lets what that raises through."""


Kind = TypeVar("Kind", bound=type[Act])
_ACTS: dict[str, type[Act]] = {}


def act(name: str) -> Callable[[Kind], Kind]:
    """Puts an act into the registry under the name that files call it by."""

    def kept(kind: Kind) -> Kind:
        assert name not in _ACTS, f"there are two acts called {name}"
        assert "do" in vars(kind), f"{name} says what it does"
        _ACTS[name] = kind
        return kind

    return kept


@lru_cache(maxsize=1)
def acts() -> Mapping[str, type[Act]]:
    """Every act by its name, in the order of the alphabet."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return dict(sorted(_ACTS.items()))
