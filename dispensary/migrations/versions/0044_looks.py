"""Who looks at whom and why: reasons, watched records, reviews of unusual looks; and anchors of the audit trail."""

from alembic import op

revision = "0044_looks"
down_revision = "0043_permits"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE audit_anchor (
    site_id UUID NOT NULL,
    day DATE NOT NULL,
    length BIGINT NOT NULL,
    head BYTEA NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    stamp BYTEA,
    stamped_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_audit_anchor PRIMARY KEY (site_id, day),
    CONSTRAINT ck_audit_anchor_length CHECK (length >= 0),
    CONSTRAINT ck_audit_anchor_head CHECK (octet_length(head) = 32),
    CONSTRAINT ck_audit_anchor_stamped_at_a_time CHECK ((stamp IS NULL) = (stamped_at IS NULL)),
    CONSTRAINT fk_audit_anchor_site_id FOREIGN KEY(site_id) REFERENCES site (id)
);

CREATE TABLE look_reason (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    account_id UUID NOT NULL,
    client_id UUID NOT NULL,
    day DATE NOT NULL,
    reason TEXT NOT NULL,
    asked_for JSONB NOT NULL,
    words_sealed BYTEA,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_look_reason PRIMARY KEY (id),
    CONSTRAINT uq_look_reason_account_id_client_id_site_id_day UNIQUE (account_id, client_id, site_id, day),
    CONSTRAINT ck_look_reason_reason CHECK (reason IN
        ('phoned', 'here', 'correcting', 'reviewing', 'emergency', 'other')),
    CONSTRAINT ck_look_reason_other_in_words CHECK (reason <> 'other' OR words_sealed IS NOT NULL),
    CONSTRAINT fk_look_reason_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_look_reason_account_id FOREIGN KEY(account_id) REFERENCES account (id),
    CONSTRAINT fk_look_reason_client_id FOREIGN KEY(client_id) REFERENCES client (id)
);
CREATE INDEX ix_look_reason_site_id_day ON look_reason (site_id, day);

CREATE TABLE watched_record (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    why_sealed BYTEA NOT NULL,
    set_by UUID NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_by UUID,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_watched_record PRIMARY KEY (id),
    CONSTRAINT ck_watched_record_ended_by_somebody CHECK ((ended_by IS NULL) = (ended_at IS NULL)),
    CONSTRAINT fk_watched_record_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_watched_record_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_watched_record_set_by FOREIGN KEY(set_by) REFERENCES account (id),
    CONSTRAINT fk_watched_record_ended_by FOREIGN KEY(ended_by) REFERENCES account (id)
);
CREATE UNIQUE INDEX uq_watched_record_open ON watched_record (client_id) WHERE ended_at IS NULL;
CREATE INDEX ix_watched_record_site_id ON watched_record (site_id);

CREATE TABLE look_setting (
    site_id UUID NOT NULL,
    most_charts INTEGER NOT NULL,
    times_usual INTEGER NOT NULL,
    minutes_around INTEGER NOT NULL,
    names_to_clients BOOLEAN NOT NULL,
    CONSTRAINT pk_look_setting PRIMARY KEY (site_id),
    CONSTRAINT ck_look_setting_most_charts CHECK (most_charts BETWEEN 1 AND 1000),
    CONSTRAINT ck_look_setting_times_usual CHECK (times_usual BETWEEN 1 AND 20),
    CONSTRAINT ck_look_setting_minutes_around CHECK (minutes_around BETWEEN 0 AND 720),
    CONSTRAINT fk_look_setting_site_id FOREIGN KEY(site_id) REFERENCES site (id)
);

CREATE TABLE look_review (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    account_id UUID NOT NULL,
    day DATE NOT NULL,
    kind TEXT NOT NULL,
    words_sealed BYTEA NOT NULL,
    reviewed_by UUID NOT NULL,
    reviewed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_look_review PRIMARY KEY (id),
    CONSTRAINT uq_look_review_site_id_account_id_day_kind UNIQUE (site_id, account_id, day, kind),
    CONSTRAINT ck_look_review_kind CHECK (kind IN
        ('many', 'outside_hours', 'watched', 'colleague', 'own_record', 'other_reason', 'emergency')),
    CONSTRAINT ck_look_review_of_somebody_else CHECK (reviewed_by <> account_id),
    CONSTRAINT fk_look_review_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_look_review_account_id FOREIGN KEY(account_id) REFERENCES account (id),
    CONSTRAINT fk_look_review_reviewed_by FOREIGN KEY(reviewed_by) REFERENCES account (id)
);

-- Looks of a month, for whoever reads them through: a year of a site has a million entries, a month some ten thousand.
CREATE INDEX ix_audit_entry_looks ON audit_entry (site_id, at) WHERE act = 'looked at';
"""

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="
_GUARDS = f"""
CREATE FUNCTION anchor_is_stamped_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.stamp IS NOT NULL OR NEW.stamp IS NULL
        OR (NEW.site_id, NEW.day, NEW.length, NEW.head, NEW.made_at)
            IS DISTINCT FROM (OLD.site_id, OLD.day, OLD.length, OLD.head, OLD.made_at) THEN
        RAISE EXCEPTION 'an anchor is stamped once and never changed otherwise' {_REFUSE} 'never_changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER anchor_is_stamped_once BEFORE UPDATE ON audit_anchor
    FOR EACH ROW EXECUTE FUNCTION anchor_is_stamped_once();

CREATE FUNCTION watch_is_ended_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
        OR (NEW.id, NEW.client_id, NEW.site_id, NEW.why_sealed, NEW.set_by, NEW.set_at)
            IS DISTINCT FROM (OLD.id, OLD.client_id, OLD.site_id, OLD.why_sealed, OLD.set_by, OLD.set_at) THEN
        RAISE EXCEPTION 'a watch is ended once and never changed otherwise' {_REFUSE} 'never_changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER watch_is_ended_once BEFORE UPDATE ON watched_record
    FOR EACH ROW EXECUTE FUNCTION watch_is_ended_once();

CREATE TRIGGER never_changed BEFORE DELETE ON audit_anchor FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_changed BEFORE DELETE ON watched_record FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON look_reason FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON look_review FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit_anchor FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON watched_record FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON look_reason FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON look_review FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARDS)


def downgrade() -> None:
    op.execute(
        "DROP INDEX ix_audit_entry_looks; DROP TABLE look_review, look_setting, watched_record, look_reason,"
        " audit_anchor; DROP FUNCTION watch_is_ended_once(); DROP FUNCTION anchor_is_stamped_once();"
    )
