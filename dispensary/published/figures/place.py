"""What the tree of sites says: how many of them there are."""

from __future__ import annotations

from decimal import Decimal

from dispensary.database import ReadSession
from dispensary.published.figures import Question, figure
from dispensary.staff.branch_queries import sites_in, tree


@figure("sites")
def sites(session: ReadSession, question: Question) -> Decimal:
    """The sites that lie in the programme's country, main sites and satellites."""
    country = tree(session)[0].id
    found = sites_in(session, area_id=country, site_id=None)
    return Decimal(len(found & {place.id for place in question.places}))
