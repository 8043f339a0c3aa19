"""Figures are answered from what is counted of closed days, and that is what the records say.

Each query finds the rows that break one rule, and finds nothing when all is well.
"""

from __future__ import annotations

from dispensary.evaluation.facts import DIFFERENCES
from dispensary.verification.safe import Check

FACTS = (
    Check(
        14,
        "client {client_id} is counted otherwise than their records say: run `dispensary evaluation rebuild`",
        f"SELECT DISTINCT client_id FROM ({DIFFERENCES}) AS differing ORDER BY 1",
    ),
)
