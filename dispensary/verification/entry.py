"""A site has somebody who can run it, a sealed code that was opened is answered for, and roles follow the tree."""

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
    Check(
        22,
        "account {username} has the role of {role} at site {code} by a branch, and by no branch that there is",
        """
        SELECT a.username, r.role, s.code FROM role_grant r JOIN account a ON a.id = r.account_id
        JOIN site s ON s.id = r.site_id WHERE NOT r.direct AND NOT EXISTS (SELECT 1 FROM branch_grant g
            WHERE g.account_id = r.account_id AND g.role = r.role
            AND r.site_id IN (SELECT branch_sites(g.area_id, g.site_id))) ORDER BY 1, 2, 3
        """,
    ),
    Check(
        22,
        "account {username} has the role of {role} at a branch, and not at its site {code}",
        """
        SELECT a.username, g.role, s.code FROM branch_grant g JOIN account a ON a.id = g.account_id
        CROSS JOIN LATERAL branch_sites(g.area_id, g.site_id) AS under (id) JOIN site s ON s.id = under.id
        WHERE NOT EXISTS (SELECT 1 FROM role_grant r WHERE r.account_id = g.account_id AND r.role = g.role
            AND r.site_id = under.id) ORDER BY 1, 2, 3
        """,
    ),
)
