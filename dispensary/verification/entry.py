"""A site has somebody who can run it, and a sealed code that was opened is answered for."""

from __future__ import annotations

from dispensary.verification.safe import Check

ENTRY = (
    Check(
        22,
        "the sealed code of site {code} was opened at {opened_at}, and no administrator has answered for it",
        """
        SELECT site.code, break_glass.opened_at FROM break_glass JOIN site ON site.id = site_id
        WHERE break_glass.opened_at < now() - interval '1 day' AND acknowledged_at IS NULL ORDER BY 2, 1
        """,
    ),
    Check(
        22,
        "site {code} has neither an administrator who can sign in nor a sealed code",
        """
        SELECT code FROM site WHERE EXISTS (SELECT 1 FROM role_grant g WHERE g.site_id = site.id
            AND g.role = 'administrator')
        AND NOT EXISTS (SELECT 1 FROM role_grant g JOIN account a ON a.id = g.account_id AND a.left_at IS NULL
            AND a.accepted_at IS NOT NULL WHERE g.site_id = site.id AND g.role = 'administrator')
        AND NOT EXISTS (SELECT 1 FROM break_glass b WHERE b.site_id = site.id AND b.replaced_at IS NULL
            AND b.opened_at IS NULL) ORDER BY 1
        """,
    ),
)
