"""Entry from outside: who came before they are a client, their assessments, and what was told of them."""

from alembic import op

from dispensary.migrations.walls import walled_by_site, walled_through

revision = "0058e_intakes"
down_revision = "0058d_directory"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE intake (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    number INTEGER NOT NULL,
    route TEXT NOT NULL,
    came_on DATE NOT NULL,
    name_sealed BYTEA,
    reach_sealed BYTEA,
    words_sealed BYTEA,
    referrer_sealed BYTEA,
    consent_sealed BYTEA,
    taken_by UUID NOT NULL,
    taken_at TIMESTAMP WITH TIME ZONE NOT NULL,
    outcome TEXT NOT NULL,
    client_id UUID,
    closed_by UUID,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_intake PRIMARY KEY (id),
    CONSTRAINT uq_intake_site_id_number UNIQUE (site_id, number),
    CONSTRAINT ck_intake_route CHECK (route IN ('self', 'family', 'outreach', 'hospital', 'court', 'police',
        'transfer', 'other')),
    CONSTRAINT ck_intake_outcome CHECK (outcome IN ('', 'enrolled', 'elsewhere', 'not_wanted', 'not_reached')),
    CONSTRAINT ck_intake_closed_with_outcome CHECK ((outcome = '') = (closed_at IS NULL)),
    CONSTRAINT ck_intake_closed_by_somebody CHECK ((closed_at IS NULL) = (closed_by IS NULL)),
    CONSTRAINT ck_intake_enrolled_is_a_client CHECK ((outcome = 'enrolled') = (client_id IS NOT NULL)),
    CONSTRAINT ck_intake_named_while_open CHECK ((outcome = '') = (name_sealed IS NOT NULL)),
    CONSTRAINT ck_intake_wiped_when_closed
        CHECK (outcome = '' OR num_nonnulls(reach_sealed, words_sealed, referrer_sealed, consent_sealed) = 0),
    CONSTRAINT fk_intake_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_intake_taken_by FOREIGN KEY(taken_by) REFERENCES account (id),
    CONSTRAINT fk_intake_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_intake_closed_by FOREIGN KEY(closed_by) REFERENCES account (id)
);
CREATE INDEX ix_intake_site_id_came_on ON intake (site_id, came_on);
CREATE INDEX ix_intake_client_id ON intake (client_id);
CREATE TABLE intake_part (
    id UUID NOT NULL,
    intake_id UUID NOT NULL,
    client_id UUID,
    kind TEXT NOT NULL,
    services TEXT[] NOT NULL,
    words_sealed BYTEA,
    done_on DATE NOT NULL,
    done_by UUID NOT NULL,
    done_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_intake_part PRIMARY KEY (id),
    CONSTRAINT ck_intake_part_kind CHECK (kind IN ('health', 'legal', 'social')),
    CONSTRAINT fk_intake_part_intake_id FOREIGN KEY(intake_id) REFERENCES intake (id),
    CONSTRAINT fk_intake_part_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_intake_part_done_by FOREIGN KEY(done_by) REFERENCES account (id)
);
CREATE INDEX ix_intake_part_intake_id ON intake_part (intake_id);
CREATE INDEX ix_intake_part_client_id ON intake_part (client_id);
CREATE TABLE intake_release (
    release_id UUID NOT NULL,
    intake_id UUID NOT NULL,
    CONSTRAINT pk_intake_release PRIMARY KEY (release_id),
    CONSTRAINT fk_intake_release_release_id FOREIGN KEY(release_id) REFERENCES release (id),
    CONSTRAINT fk_intake_release_intake_id FOREIGN KEY(intake_id) REFERENCES intake (id)
);
CREATE INDEX ix_intake_release_intake_id ON intake_release (intake_id);
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON intake_release
    FOR EACH ROW EXECUTE FUNCTION never_changed();
"""

# What came stays as it came; it is closed once, and then nothing names anybody. A telling has the person's consent.
_GUARD = """
CREATE FUNCTION intake_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL
        OR (NEW.id, NEW.site_id, NEW.number, NEW.route, NEW.came_on, NEW.taken_by, NEW.taken_at)
            IS DISTINCT FROM (OLD.id, OLD.site_id, OLD.number, OLD.route, OLD.came_on, OLD.taken_by, OLD.taken_at)
    THEN
        RAISE EXCEPTION 'an intake is closed once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER intake_is_kept BEFORE UPDATE ON intake FOR EACH ROW
    WHEN (NOT only_sealed_anew(to_jsonb(OLD), to_jsonb(NEW))) EXECUTE FUNCTION intake_is_kept();
CREATE TRIGGER intake_stays BEFORE DELETE ON intake FOR EACH ROW EXECUTE FUNCTION intake_is_kept();
CREATE FUNCTION intake_part_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.client_id IS NOT NULL
        OR (NEW.id, NEW.intake_id, NEW.kind, NEW.services, NEW.done_on, NEW.done_by, NEW.done_at)
            IS DISTINCT FROM
            (OLD.id, OLD.intake_id, OLD.kind, OLD.services, OLD.done_on, OLD.done_by, OLD.done_at)
    THEN
        RAISE EXCEPTION 'an assessment is never changed; its words are wiped, or sealed for whoever became a client'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER intake_part_is_kept BEFORE UPDATE ON intake_part FOR EACH ROW
    WHEN (NOT only_sealed_anew(to_jsonb(OLD), to_jsonb(NEW))) EXECUTE FUNCTION intake_part_is_kept();
CREATE TRIGGER intake_part_stays BEFORE DELETE ON intake_part FOR EACH ROW EXECUTE FUNCTION intake_part_is_kept();
CREATE FUNCTION intake_is_told_with_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM intake i JOIN release r ON r.id = NEW.release_id AND r.site_id = i.site_id
        WHERE i.id = NEW.intake_id AND i.consent_sealed IS NOT NULL AND i.closed_at IS NULL AND r.ground = 'consent')
    THEN
        RAISE EXCEPTION 'whoever sent somebody is told nothing without their consent'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER intake_is_told_with_consent BEFORE INSERT ON intake_release
    FOR EACH ROW EXECUTE FUNCTION intake_is_told_with_consent();
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARD)
    for table in ("intake", "intake_part", "intake_release"):
        op.execute(f"""CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION never_changed()""")
    op.execute(walled_by_site("intake"))
    op.execute(walled_through("intake_part", "intake"))
    op.execute(walled_through("intake_release", "intake"))


def downgrade() -> None:
    op.execute("""DROP TABLE intake_release, intake_part, intake;
        DROP FUNCTION intake_is_kept, intake_part_is_kept, intake_is_told_with_consent""")
