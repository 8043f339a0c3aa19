"""What each closed day of a site comes to, counted as it closes, so that a country's figures are read in one look."""

from alembic import op

from dispensary.migrations.walls import open_to_all_sites, walled_by

revision = "0055c_rollup"
down_revision = "0055b_satellites"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE fact_site_day (
    site_id UUID NOT NULL,
    dose_day DATE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    active INTEGER NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    doses INTEGER NOT NULL,
    waits INTEGER NOT NULL,
    wait_seconds BIGINT NOT NULL,
    alerts_late INTEGER NOT NULL,
    CONSTRAINT pk_fact_site_day PRIMARY KEY (site_id, dose_day),
    CONSTRAINT fk_fact_site_day_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT ck_fact_site_day_counts
        CHECK (least(active, began, ended, doses, waits, wait_seconds, alerts_late) >= 0)
);
CREATE TABLE fact_stock_day (
    site_id UUID NOT NULL,
    dose_day DATE NOT NULL,
    product TEXT NOT NULL,
    out_ml NUMERIC(10, 3) NOT NULL,
    left_ml NUMERIC(10, 3) NOT NULL,
    CONSTRAINT pk_fact_stock_day PRIMARY KEY (site_id, dose_day, product),
    CONSTRAINT fk_fact_stock_day_site_id FOREIGN KEY(site_id) REFERENCES site (id)
);
CREATE TABLE programme_setting (
    only_one SMALLINT NOT NULL,
    low_days SMALLINT NOT NULL,
    target_days SMALLINT NOT NULL,
    keep_days SMALLINT NOT NULL,
    silent_hours SMALLINT NOT NULL,
    set_by UUID NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_programme_setting PRIMARY KEY (only_one),
    CONSTRAINT fk_programme_setting_set_by FOREIGN KEY(set_by) REFERENCES account (id),
    CONSTRAINT ck_programme_setting_only_one CHECK (only_one = 1),
    CONSTRAINT ck_programme_setting_days
        CHECK (1 <= low_days AND low_days <= target_days AND target_days <= keep_days AND keep_days <= 365),
    CONSTRAINT ck_programme_setting_silent_hours CHECK (silent_hours BETWEEN 1 AND 240)
);
"""
# Of many sites at once: the array is opened once for a query, not for each row.
_OF_MANY = "site_id IN (SELECT unnest(desk_sites()))"
_ALL_IN_VIEW = "NOT EXISTS (SELECT FROM site WHERE NOT coalesce(site.id = ANY (desk_sites()), false))"


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("fact_site_day", "fact_stock_day"):
        op.execute(walled_by(table, _OF_MANY))
    op.execute(open_to_all_sites("programme_setting", added=_ALL_IN_VIEW, changed=_ALL_IN_VIEW))


def downgrade() -> None:
    op.execute("""
        DROP TABLE fact_site_day; DROP TABLE fact_stock_day; DROP TABLE programme_setting;
    """)
