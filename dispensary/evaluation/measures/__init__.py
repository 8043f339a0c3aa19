"""The measures that there are: each file of this folder is one, with its `MEASURE`, and is found by itself."""

from __future__ import annotations

import importlib
import pkgutil

from dispensary.evaluation.measure import Measure
from dispensary.refusals import NotThere, Refusal


def measures() -> dict[str, Measure]:
    """Every measure by its key, in the order of their titles."""
    found: list[Measure] = [
        importlib.import_module(f"{__name__}.{module.name}").MEASURE for module in pkgutil.iter_modules(__path__)
    ]
    keys = [measure.key for measure in found]
    assert len(set(keys)) == len(keys), "two measures have one key"
    return {measure.key: measure for measure in sorted(found, key=lambda measure: (measure.title, measure.key))}


def measure(key: str) -> Measure:
    """Raises NotThere, which names the measures that there are."""
    found = measures()
    if key not in found:
        raise NotThere(
            Refusal("no-measure", f"There is no measure “{key[:40]}”.", f"There are {', '.join(sorted(found))}.")
        )
    return found[key]
