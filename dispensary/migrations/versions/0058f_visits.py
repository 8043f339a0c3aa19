"""Visits at home, planned by day and by who goes; who is on call; and a talk over a screen as a contact."""

from alembic import op

from dispensary.migrations.walls import walled_by_both, walled_by_site

revision = "0058f_visits"
down_revision = "0058e_intakes"
branch_labels = None
depends_on = None

_HOW = """
ALTER TABLE contact_note DROP CONSTRAINT ck_contact_note_how;
ALTER TABLE contact_note ADD CONSTRAINT ck_contact_note_how CHECK (how IN ({ways}));
"""

_TABLES = """
CREATE TABLE home_visit (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    client_id UUID NOT NULL,
    on_day DATE NOT NULL,
    visitor_id UUID NOT NULL,
    turn SMALLINT NOT NULL,
    purpose TEXT NOT NULL,
    planned_by UUID NOT NULL,
    planned_at TIMESTAMP WITH TIME ZONE NOT NULL,
    state TEXT NOT NULL,
    note_id UUID,
    ended_by UUID,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_home_visit PRIMARY KEY (id),
    CONSTRAINT ck_home_visit_purpose CHECK (purpose IN ('look', 'doses', 'stopped', 'other')),
    CONSTRAINT ck_home_visit_state CHECK (state IN ('planned', 'done', 'not_met', 'called_off')),
    CONSTRAINT ck_home_visit_ended CHECK ((state = 'planned') = (ended_at IS NULL)),
    CONSTRAINT ck_home_visit_ended_by_somebody CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CONSTRAINT ck_home_visit_went_there_has_note CHECK ((state IN ('done', 'not_met')) = (note_id IS NOT NULL)),
    CONSTRAINT ck_home_visit_turn CHECK (turn BETWEEN 1 AND 99),
    CONSTRAINT fk_home_visit_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_home_visit_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_home_visit_visitor_id FOREIGN KEY(visitor_id) REFERENCES account (id),
    CONSTRAINT fk_home_visit_planned_by FOREIGN KEY(planned_by) REFERENCES account (id),
    CONSTRAINT fk_home_visit_note_id FOREIGN KEY(note_id) REFERENCES contact_note (id),
    CONSTRAINT fk_home_visit_ended_by FOREIGN KEY(ended_by) REFERENCES account (id)
);
CREATE UNIQUE INDEX uq_home_visit_planned ON home_visit (client_id, on_day) WHERE state = 'planned';
CREATE INDEX ix_home_visit_site_id_on_day ON home_visit (site_id, on_day);
CREATE TABLE on_call (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    account_id UUID NOT NULL,
    first_day DATE NOT NULL,
    last_day DATE NOT NULL,
    phone TEXT NOT NULL,
    set_by UUID NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_on_call PRIMARY KEY (id),
    CONSTRAINT ck_on_call_days CHECK (last_day >= first_day),
    CONSTRAINT ck_on_call_phone CHECK (phone <> ''),
    CONSTRAINT fk_on_call_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_on_call_account_id FOREIGN KEY(account_id) REFERENCES account (id),
    CONSTRAINT fk_on_call_set_by FOREIGN KEY(set_by) REFERENCES account (id)
);
CREATE INDEX ix_on_call_site_id_last_day ON on_call (site_id, last_day);
"""

# Nobody is planned to be visited who has not agreed to it last, whoever plans it; and what was visited stays.
_GUARD = """
CREATE FUNCTION visit_is_wanted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT coalesce((SELECT agreed FROM visit_wish WHERE client_id = NEW.client_id
        ORDER BY noted_at DESC, id DESC LIMIT 1), false)
    THEN
        RAISE EXCEPTION 'nobody is visited who has not agreed to it' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER visit_is_wanted BEFORE INSERT ON home_visit FOR EACH ROW EXECUTE FUNCTION visit_is_wanted();
CREATE FUNCTION home_visit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'planned'
        OR (NEW.id, NEW.site_id, NEW.client_id, NEW.on_day, NEW.visitor_id, NEW.purpose, NEW.planned_by, NEW.planned_at)
            IS DISTINCT FROM
            (OLD.id, OLD.site_id, OLD.client_id, OLD.on_day, OLD.visitor_id, OLD.purpose, OLD.planned_by,
            OLD.planned_at)
        OR NOT coalesce((SELECT n.client_id = NEW.client_id FROM contact_note n WHERE n.id = NEW.note_id), true)
    THEN
        RAISE EXCEPTION 'a visit is ended once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER home_visit_is_kept BEFORE UPDATE OR DELETE ON home_visit
    FOR EACH ROW EXECUTE FUNCTION home_visit_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON home_visit FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""


def upgrade() -> None:
    op.execute(_HOW.format(ways="'talk', 'call', 'visit', 'screen'"))
    op.execute(_TABLES)
    op.execute(_GUARD)
    op.execute(walled_by_both("home_visit"))
    op.execute(walled_by_site("on_call"))


def downgrade() -> None:
    op.execute("DROP TABLE on_call, home_visit; DROP FUNCTION visit_is_wanted, home_visit_is_kept")
    op.execute("ALTER TABLE contact_note DISABLE TRIGGER never_changed")
    op.execute("UPDATE contact_note SET how = 'talk' WHERE how = 'screen'")
    op.execute("ALTER TABLE contact_note ENABLE TRIGGER never_changed")
    op.execute(_HOW.format(ways="'talk', 'call', 'visit'"))
