"""A site says which rules of health open no alert for a warning that nobody there heeds."""

from alembic import op

revision = "0033_quiet"
down_revision = "0031_support"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE quiet_rule (
            site_id UUID NOT NULL,
            rule TEXT NOT NULL,
            reason TEXT NOT NULL,
            set_by UUID,
            set_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_quiet_rule PRIMARY KEY (site_id, rule),
            CONSTRAINT ck_quiet_rule_rule
                CHECK (rule IN ('adherence', 'alt', 'apri', 'fib-4', 'qtc', 'viral-load')),
            CONSTRAINT ck_quiet_rule_reason CHECK (reason <> ''),
            CONSTRAINT fk_quiet_rule_site_id FOREIGN KEY(site_id) REFERENCES site (id),
            CONSTRAINT fk_quiet_rule_set_by FOREIGN KEY(set_by) REFERENCES account (id)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE quiet_rule")
