"""The referral directory, and what is heard of a referral between its day and its outcome."""

from alembic import op

from dispensary.migrations.walls import walled_by_client, walled_by_site

revision = "0058d_directory"
down_revision = "0058c_linkage"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE health_centre (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    services TEXT[] NOT NULL,
    address TEXT NOT NULL,
    phone TEXT NOT NULL,
    open BOOLEAN NOT NULL,
    changed_by UUID NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_health_centre PRIMARY KEY (id),
    CONSTRAINT ck_health_centre_named CHECK (code <> '' AND name <> ''),
    CONSTRAINT ck_health_centre_services CHECK (services <@ ARRAY['hiv_test', 'art', 'hepatitis_c', 'tuberculosis',
        'sti', 'mental_health', 'hospital', 'legal_aid', 'support_group', 'vocational']::text[]
        AND cardinality(services) > 0),
    CONSTRAINT fk_health_centre_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_health_centre_changed_by FOREIGN KEY(changed_by) REFERENCES account (id)
);
CREATE UNIQUE INDEX uq_health_centre_code ON health_centre (site_id, lower(code));
CREATE UNIQUE INDEX uq_health_centre_name ON health_centre (site_id, lower(name)) WHERE open;
ALTER TABLE referral ADD COLUMN centre_id UUID,
    ADD CONSTRAINT fk_referral_centre_id FOREIGN KEY(centre_id) REFERENCES health_centre (id);
CREATE INDEX ix_referral_centre_id ON referral (centre_id);
CREATE TABLE referral_word (
    id UUID NOT NULL,
    referral_id UUID NOT NULL,
    client_id UUID NOT NULL,
    kind TEXT NOT NULL,
    on_day DATE NOT NULL,
    words_sealed BYTEA NOT NULL,
    noted_by UUID NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_referral_word PRIMARY KEY (id),
    CONSTRAINT ck_referral_word_kind CHECK (kind IN ('accepted', 'full', 'feedback')),
    CONSTRAINT fk_referral_word_referral_id FOREIGN KEY(referral_id) REFERENCES referral (id),
    CONSTRAINT fk_referral_word_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_referral_word_noted_by FOREIGN KEY(noted_by) REFERENCES account (id)
);
CREATE INDEX ix_referral_word_referral_id_on_day ON referral_word (referral_id, on_day);
CREATE INDEX ix_referral_word_client_id ON referral_word (client_id);
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON referral_word
    FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON referral_word FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""

# As it was before, and the place of the directory stays with the rest.
_GUARD = """
CREATE OR REPLACE FUNCTION referral_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL
        OR (NEW.id, NEW.client_id, NEW.site_id, NEW.service, NEW.place, NEW.sent_on, NEW.sent_at, NEW.sent_by)
            IS DISTINCT FROM
            (OLD.id, OLD.client_id, OLD.site_id, OLD.service, OLD.place, OLD.sent_on, OLD.sent_at, OLD.sent_by)
        OR NEW.ask_on <> OLD.ask_on{centre}
    THEN
        RAISE EXCEPTION 'a referral is closed once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION referral_word_is_of_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT client_id FROM referral WHERE id = NEW.referral_id) IS DISTINCT FROM NEW.client_id THEN
        RAISE EXCEPTION 'what is heard of a referral is about its client'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARD.format(centre=" OR NEW.centre_id IS DISTINCT FROM OLD.centre_id"))
    op.execute("""CREATE TRIGGER referral_word_is_of_client BEFORE INSERT ON referral_word
        FOR EACH ROW EXECUTE FUNCTION referral_word_is_of_client()""")
    op.execute(walled_by_site("health_centre"))
    op.execute(walled_by_client("referral_word"))


def downgrade() -> None:
    op.execute("DROP TABLE referral_word; ALTER TABLE referral DROP COLUMN centre_id; DROP TABLE health_centre")
    op.execute(_GUARD.format(centre=""))
    op.execute("DROP FUNCTION referral_word_is_of_client")
