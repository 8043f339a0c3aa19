"""How long a site keeps each kind of record, with the source of its figure; lines of result files can be let go."""

from alembic import op

from dispensary.migrations.walls import walled_by_site

revision = "0054c_retention"
down_revision = "0054b_bulk_walls"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE retention_period (
    site_id UUID NOT NULL CONSTRAINT fk_retention_period_site_id_site REFERENCES site (id),
    kind TEXT NOT NULL,
    figure SMALLINT NOT NULL,
    source TEXT NOT NULL,
    set_by UUID CONSTRAINT fk_retention_period_set_by_account REFERENCES account (id),
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_retention_period PRIMARY KEY (site_id, kind),
    CONSTRAINT ck_retention_period_kind CHECK (kind <> ''),
    CONSTRAINT ck_retention_period_figure CHECK (figure BETWEEN 1 AND 3650),
    CONSTRAINT ck_retention_period_source CHECK (source <> '')
);
INSERT INTO retention_period (site_id, kind, figure, source, set_at)
    SELECT id, 'clients', keep_years, 'set before sources were asked for', now() FROM site
    WHERE keep_years IS NOT NULL;
ALTER TABLE site DROP COLUMN keep_years;
"""

# A file is closed once, and what was written of it then stays, but for its lines: they go when their time is over.
_KEPT = """
CREATE OR REPLACE FUNCTION result_file_is_kept() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.closed_at IS NOT NULL AND NEW.left_out = '[]'
        AND to_jsonb(NEW) - 'left_out' = to_jsonb(OLD) - 'left_out' THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL
        OR (NEW.id, NEW.site_id, NEW.laboratory_id, NEW.format, NEW.digest, NEW.uploaded_at)
            IS DISTINCT FROM (OLD.id, OLD.site_id, OLD.laboratory_id, OLD.format, OLD.digest, OLD.uploaded_at) THEN
        RAISE EXCEPTION 'a file of results is closed once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$
"""
_ALL_OF_IT = """
CREATE OR REPLACE FUNCTION result_file_is_kept() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL
        OR (NEW.id, NEW.site_id, NEW.laboratory_id, NEW.format, NEW.digest, NEW.uploaded_at)
            IS DISTINCT FROM (OLD.id, OLD.site_id, OLD.laboratory_id, OLD.format, OLD.digest, OLD.uploaded_at) THEN
        RAISE EXCEPTION 'a file of results is closed once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$
"""
# A demand that told nothing of a client goes when its site's years for records are over, and no earlier.
_DEMANDS = """
CREATE OR REPLACE FUNCTION demand_stays() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE demand uuid := CASE TG_TABLE_NAME WHEN 'legal_demand' THEN OLD.id
    ELSE CAST(to_jsonb(OLD) ->> 'demand_id' AS uuid) END;
BEGIN
    IF NOT EXISTS (
        SELECT FROM legal_demand d JOIN {periods} WHERE d.id = demand
        AND d.received_at < now() - make_interval(years => {years})
        AND NOT EXISTS (SELECT FROM release r WHERE r.legal_demand_id = d.id)
    ) THEN
        RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = 'never_changed';
    END IF;
    RETURN OLD;
END $$
"""
_NOW = ("retention_period p ON p.site_id = d.site_id AND p.kind = 'clients'", "p.figure")
_BEFORE = ("site s ON s.id = d.site_id", "s.keep_years")


def _demands(periods: str, years: str) -> str:
    return _DEMANDS.replace("{periods}", periods).replace("{years}", years)


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute(_demands(*_NOW))
    op.execute(walled_by_site("retention_period"))
    op.execute(_KEPT)


def downgrade() -> None:
    op.execute(_ALL_OF_IT)
    op.execute(_demands(*_BEFORE))
    op.execute("""
        ALTER TABLE site ADD COLUMN keep_years SMALLINT,
            ADD CONSTRAINT ck_site_keep_years CHECK (keep_years BETWEEN 1 AND 100);
        UPDATE site SET keep_years = figure FROM retention_period WHERE site_id = site.id AND kind = 'clients';
        DROP TABLE retention_period""")
