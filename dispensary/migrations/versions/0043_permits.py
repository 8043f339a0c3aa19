"""What a site has otherwise than the house of what each role may do."""

from alembic import op

revision = "0043_permits"
down_revision = "0041_second_factor"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE site_permission (
    site_id UUID NOT NULL,
    role TEXT NOT NULL,
    act TEXT NOT NULL,
    allowed BOOLEAN NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    set_by UUID,
    reason TEXT NOT NULL,
    CONSTRAINT pk_site_permission PRIMARY KEY (site_id, role, act),
    CONSTRAINT ck_site_permission_says_who_and_what CHECK (role <> '' AND act <> ''),
    CONSTRAINT ck_site_permission_reason CHECK (length(reason) >= 5),
    CONSTRAINT fk_site_permission_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_site_permission_set_by FOREIGN KEY(set_by) REFERENCES account (id)
);
"""


def upgrade() -> None:
    op.execute(_TABLE)


def downgrade() -> None:
    op.execute("DROP TABLE site_permission;")
