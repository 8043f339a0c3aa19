"""Legal demands, who answers them, and that a court's order is told by that person alone."""

from alembic import op

from dispensary.migrations.walls import walled_by_site, walled_through

revision = "0046c_legal_demands"
down_revision = "0048_walls"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE legal_demand (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    no INTEGER NOT NULL,
    asker TEXT NOT NULL,
    who_sealed BYTEA NOT NULL,
    shown TEXT NOT NULL,
    reference_sealed BYTEA NOT NULL,
    about_sealed BYTEA NOT NULL,
    wants_sealed BYTEA NOT NULL,
    due_on DATE,
    received_by UUID NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    key UUID NOT NULL,
    CONSTRAINT pk_legal_demand PRIMARY KEY (id),
    CONSTRAINT uq_legal_demand_site_id_no UNIQUE (site_id, no),
    CONSTRAINT uq_legal_demand_key UNIQUE (key),
    CONSTRAINT ck_legal_demand_asker CHECK (asker IN
        ('police', 'prosecutor', 'court', 'authority', 'family', 'employer', 'press', 'other')),
    CONSTRAINT ck_legal_demand_shown CHECK (shown IN ('nothing', 'letter', 'warrant', 'court_order')),
    CONSTRAINT fk_legal_demand_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_legal_demand_received_by FOREIGN KEY(received_by) REFERENCES account (id)
);
CREATE TABLE demand_setting (
    site_id UUID NOT NULL,
    answers_id UUID NOT NULL,
    CONSTRAINT pk_demand_setting PRIMARY KEY (site_id),
    CONSTRAINT fk_demand_setting_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_demand_setting_answers_id FOREIGN KEY(answers_id) REFERENCES account (id)
);
CREATE TABLE legal_demand_step (
    id UUID NOT NULL,
    demand_id UUID NOT NULL,
    step TEXT NOT NULL,
    words_sealed BYTEA NOT NULL,
    release_id UUID,
    done_by UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_legal_demand_step PRIMARY KEY (id),
    CONSTRAINT ck_legal_demand_step_step CHECK (step IN ('neither', 'refused', 'answered', 'counsel', 'closed')),
    CONSTRAINT ck_legal_demand_step_answered_on_the_register CHECK ((step = 'answered') = (release_id IS NOT NULL)),
    CONSTRAINT fk_legal_demand_step_demand_id FOREIGN KEY(demand_id) REFERENCES legal_demand (id),
    CONSTRAINT fk_legal_demand_step_release_id FOREIGN KEY(release_id) REFERENCES release (id),
    CONSTRAINT fk_legal_demand_step_done_by FOREIGN KEY(done_by) REFERENCES account (id)
);
CREATE INDEX ix_legal_demand_step_demand_id_at ON legal_demand_step (demand_id, at);
CREATE UNIQUE INDEX uq_legal_demand_step_closed ON legal_demand_step (demand_id) WHERE step = 'closed';

ALTER TABLE release
    ADD COLUMN legal_demand_id UUID,
    DROP CONSTRAINT ck_release_ground,
    ADD CONSTRAINT ck_release_ground CHECK (ground IN ('consent', 'research', 'audit', 'emergency', 'court_order')),
    ADD CONSTRAINT ck_release_order_answers_demand CHECK ((ground = 'court_order') = (legal_demand_id IS NOT NULL)),
    ADD CONSTRAINT ck_release_order_says_which CHECK (ground <> 'court_order' OR jsonb_array_length(kinds) > 0),
    ADD CONSTRAINT fk_release_legal_demand_id FOREIGN KEY(legal_demand_id) REFERENCES legal_demand (id);
"""

_GUARDS = """
CREATE FUNCTION demand_is_answered_by_named() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.step <> 'neither' AND NOT EXISTS (
        SELECT FROM legal_demand d JOIN demand_setting s USING (site_id)
        WHERE d.id = NEW.demand_id AND s.answers_id = NEW.done_by
    ) THEN
        RAISE EXCEPTION 'a demand is answered by the person whom the site has named'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (SELECT FROM legal_demand_step WHERE demand_id = NEW.demand_id AND step = 'closed') THEN
        RAISE EXCEPTION 'a demand that is closed stays closed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER demand_is_answered_by_named BEFORE INSERT ON legal_demand_step
    FOR EACH ROW EXECUTE FUNCTION demand_is_answered_by_named();

CREATE FUNCTION order_is_told_by_named() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM legal_demand d JOIN demand_setting s USING (site_id)
        WHERE d.id = NEW.legal_demand_id AND d.site_id = NEW.site_id AND s.answers_id = NEW.account_id
    ) THEN
        RAISE EXCEPTION 'what a court has ordered is told by the person whom the site has named'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER order_is_told_by_named BEFORE INSERT ON release
    FOR EACH ROW WHEN (NEW.legal_demand_id IS NOT NULL) EXECUTE FUNCTION order_is_told_by_named();
""" + "\n".join(
    f"""
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""
    for table in ("legal_demand", "legal_demand_step")
)


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARDS)
    op.execute(walled_by_site("legal_demand"))
    op.execute(walled_by_site("demand_setting"))
    op.execute(walled_through("legal_demand_step", "legal_demand", "demand_id"))


def downgrade() -> None:
    op.execute(
        """DROP TRIGGER order_is_told_by_named ON release; DROP FUNCTION order_is_told_by_named();
        DROP TABLE legal_demand_step; DROP FUNCTION demand_is_answered_by_named();
        ALTER TABLE release DROP COLUMN legal_demand_id, DROP CONSTRAINT ck_release_ground,
            DROP CONSTRAINT ck_release_order_says_which,
            ADD CONSTRAINT ck_release_ground
                CHECK (ground IN ('consent', 'research', 'audit', 'emergency')) NOT VALID;
        DROP TABLE legal_demand; DROP TABLE demand_setting;"""
    )
