"""Roles follow the tree by one look at it: a site is opened in a country as fast as in a province.

Until then every role that is held by a branch looked through all sites of its branch, whenever one site was opened or
placed: with hundreds of sites under a grant that was most of what opening one of them took.

Changes of the tree wait for each other by a key of their own. It was that of whoever leads the jobs, for as long as
which no site could be opened.
"""

from alembic import op

revision = "0072_roles_at_once"
down_revision = "0071_goal_words"
branch_labels = None
depends_on = None

_FOLLOWS = """
CREATE OR REPLACE FUNCTION roles_follow_the_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({key});
    {follow}
    RETURN NULL;
END $$
"""
# What is not due any more and what is due anew are never the same rows, so that one statement does both.
_AT_ONCE = """
    WITH due AS MATERIALIZED (
        SELECT DISTINCT g.account_id, under.id AS site_id, g.role
        FROM branch_grant AS g CROSS JOIN LATERAL branch_sites(g.area_id, g.site_id) AS under (id)
    ), over AS (
        DELETE FROM role_grant AS held WHERE NOT held.direct
            AND (held.account_id, held.site_id, held.role) NOT IN (SELECT account_id, site_id, role FROM due)
    )
    INSERT INTO role_grant (id, account_id, site_id, role, direct)
        SELECT gen_random_uuid(), account_id, site_id, role, false FROM due
    ON CONFLICT DO NOTHING;
"""
_ONE_BY_ONE = """
    DELETE FROM role_grant AS held WHERE NOT held.direct AND NOT EXISTS (
        SELECT FROM branch_grant AS g WHERE g.account_id = held.account_id AND g.role = held.role
            AND held.site_id IN (SELECT branch_sites(g.area_id, g.site_id)));
    INSERT INTO role_grant (id, account_id, site_id, role, direct)
        SELECT gen_random_uuid(), due.account_id, due.site_id, due.role, false FROM (
            SELECT DISTINCT g.account_id, under.id AS site_id, g.role
            FROM branch_grant AS g CROSS JOIN LATERAL branch_sites(g.area_id, g.site_id) AS under (id)
        ) AS due ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    op.execute(_FOLLOWS.format(key=7301447, follow=_AT_ONCE))


def downgrade() -> None:
    op.execute(_FOLLOWS.format(key=7301443, follow=_ONE_BY_ONE))
