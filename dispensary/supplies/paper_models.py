"""The table of what a site prints: by which law its labels and register are, and what stands on a label."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import Millilitres, SiteId


class PaperSetting(Base):
    """How a site prints. A site without a row prints numbers and initials, by no country's law."""

    __tablename__ = "paper_setting"
    __table_args__ = (
        CheckConstraint("law IN ('none', 'US', 'UK', 'NSW', 'MY')", name="law"),
        CheckConstraint("size IN ('small', 'large')", name="size"),
        CheckConstraint("printer IN ('sheet', 'roll', 'zpl203', 'zpl300')", name="printer"),
        CheckConstraint("jsonb_array_length(languages) BETWEEN 1 AND 2", name="languages"),
        CheckConstraint("dilution_ml > 0", name="dilution_volume"),
        CheckConstraint(
            "dilution_ml IS NULL OR (dilution_with <> '' AND dilution_source <> '')", name="dilution_has_source"
        ),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    law: Mapped[str]
    """Whose rules labels and register follow: what it asks for is printed whatever else is chosen."""
    named: Mapped[bool]
    """The client's name is on the label, instead of the initials."""
    second_identifier: Mapped[bool]
    """The date of birth is on the label."""
    languages: Mapped[list[str]]
    """One or two, the first the larger."""
    fields: Mapped[list[str]]
    """What may be left off and is not."""
    directions: Mapped[dict[str, Any]]
    """Further directions in the site's own words, by language."""
    size: Mapped[str]
    """`small` (70 x 50 mm) or `large` (99 x 68 mm)."""
    printer: Mapped[str]
    """What labels come out of: a `sheet` or a `roll` from any printer, or a label printer that speaks ZPL."""
    dilution_ml: Mapped[Millilitres | None]
    """What a bottle is made up to, where the site's rule has a volume: the site's own figure."""
    dilution_with: Mapped[str]
    dilution_source: Mapped[str]
    """Where that rule is written."""
