"""A client can move to another site: the history of their homes, and what was said and done about each move."""

from alembic import op

from dispensary.migrations.walls import MINE, OUR_CLIENT, walled_by

revision = "0059_homes"
down_revision = "0061_kits_together"
branch_labels = None
depends_on = None

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

_TABLES = """
CREATE TABLE client_move (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    from_site_id UUID NOT NULL,
    to_site_id UUID NOT NULL,
    state TEXT NOT NULL,
    reason_sealed BYTEA NOT NULL,
    asked_by UUID NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    answered_by UUID,
    answered_at TIMESTAMP WITH TIME ZONE,
    answer_sealed BYTEA,
    from_day DATE,
    number_there TEXT,
    bottles_back SMALLINT NOT NULL,
    bookings_dropped SMALLINT NOT NULL,
    undone_by UUID,
    undone_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_client_move PRIMARY KEY (id),
    CONSTRAINT ck_client_move_state CHECK (state IN ('asked', 'done', 'refused', 'withdrawn', 'undone')),
    CONSTRAINT ck_client_move_elsewhere CHECK (from_site_id <> to_site_id),
    CONSTRAINT ck_client_move_answered
        CHECK ((state = 'asked') = (answered_at IS NULL) AND (answered_at IS NULL) = (answered_by IS NULL)),
    CONSTRAINT ck_client_move_refused_with_reason
        CHECK ((state IN ('refused', 'withdrawn')) <= (answer_sealed IS NOT NULL)),
    CONSTRAINT ck_client_move_done_on_a_day
        CHECK ((state IN ('done', 'undone')) = (from_day IS NOT NULL) AND (from_day IS NULL) = (number_there IS NULL)),
    CONSTRAINT ck_client_move_undone
        CHECK ((state = 'undone') = (undone_at IS NOT NULL) AND (undone_at IS NULL) = (undone_by IS NULL)),
    CONSTRAINT fk_client_move_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_client_move_from_site_id FOREIGN KEY(from_site_id) REFERENCES site (id),
    CONSTRAINT fk_client_move_to_site_id FOREIGN KEY(to_site_id) REFERENCES site (id),
    CONSTRAINT fk_client_move_asked_by FOREIGN KEY(asked_by) REFERENCES account (id),
    CONSTRAINT fk_client_move_answered_by FOREIGN KEY(answered_by) REFERENCES account (id),
    CONSTRAINT fk_client_move_undone_by FOREIGN KEY(undone_by) REFERENCES account (id)
);
CREATE UNIQUE INDEX uq_client_move_open ON client_move (client_id) WHERE state = 'asked';
CREATE INDEX ix_client_move_client_id ON client_move (client_id);
CREATE INDEX ix_client_move_from_site_id_asked_at ON client_move (from_site_id, asked_at);
CREATE INDEX ix_client_move_to_site_id_asked_at ON client_move (to_site_id, asked_at);
CREATE TABLE client_home (
    client_id UUID NOT NULL,
    no SMALLINT NOT NULL,
    site_id UUID NOT NULL,
    number TEXT NOT NULL,
    from_day DATE,
    since TIMESTAMP WITH TIME ZONE,
    until TIMESTAMP WITH TIME ZONE,
    move_id UUID,
    CONSTRAINT pk_client_home PRIMARY KEY (client_id, no),
    CONSTRAINT ck_client_home_no CHECK (no >= 1),
    CONSTRAINT ck_client_home_first CHECK (
        (no = 1) = (move_id IS NULL) AND (no = 1) = (since IS NULL) AND (no = 1) = (from_day IS NULL)),
    CONSTRAINT ck_client_home_order CHECK (until >= since),
    CONSTRAINT fk_client_home_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_client_home_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_client_home_move_id FOREIGN KEY(move_id) REFERENCES client_move (id)
);
"""

# Filled before its indexes would cost a row each; a clinic that enrols meanwhile waits for these seconds, and a client
# who was enrolled by the program of yesterday has a home by the trigger.
_FILLED = """
LOCK TABLE client IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO client_home (client_id, no, site_id, number) SELECT id, 1, site_id, number FROM client;
ALTER TABLE client_home
    ADD CONSTRAINT client_home_one_at_a_moment
        EXCLUDE USING gist (client_id WITH =, tstzrange(since, until) WITH &&),
    ADD CONSTRAINT client_home_number_is_theirs
        EXCLUDE USING gist (site_id WITH =, number WITH =, client_id WITH <>);
CREATE INDEX ix_client_home_site_id ON client_home (site_id);
CREATE INDEX ix_client_home_moved ON client_home (client_id, no) WHERE no > 1;
"""

_GUARDS = f"""
CREATE FUNCTION home_on(the_client uuid, the_day date) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT site_id FROM client_home WHERE client_id = the_client AND (from_day IS NULL OR from_day <= the_day)
    ORDER BY no DESC LIMIT 1
$$;

CREATE FUNCTION client_has_a_home() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO client_home (client_id, no, site_id, number) VALUES (NEW.id, 1, NEW.site_id, NEW.number);
    ELSIF NEW.site_id = OLD.site_id THEN
        UPDATE client_home SET number = NEW.number
            WHERE client_id = NEW.id AND until IS NULL AND number <> NEW.number;
    ELSIF NOT EXISTS (SELECT FROM client_home WHERE client_id = NEW.id AND until IS NULL
            AND site_id = NEW.site_id AND number = NEW.number) THEN
        RAISE EXCEPTION 'a client moves by the history of their homes' {_REFUSE} 'client_moves_by_history';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER client_has_a_home AFTER INSERT ON client FOR EACH ROW EXECUTE FUNCTION client_has_a_home();
CREATE TRIGGER client_moves_by_history AFTER UPDATE OF site_id, number ON client FOR EACH ROW
    WHEN ((OLD.site_id, OLD.number) IS DISTINCT FROM (NEW.site_id, NEW.number)) EXECUTE FUNCTION client_has_a_home();

-- The next home begins the moment the last one ends: there is no gap, and no two at once. Whoever moves a client waits
-- for the client's row, as whoever doses them does.
CREATE FUNCTION client_home_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last client_home%ROWTYPE;
BEGIN
    PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    SELECT * INTO last FROM client_home WHERE client_id = NEW.client_id ORDER BY no DESC LIMIT 1;
    NEW.no := coalesce(last.no, 0) + 1;
    IF NEW.no > 1 THEN
        IF NEW.until IS NOT NULL OR NEW.since < last.since OR NEW.from_day < last.from_day
           OR NEW.site_id = last.site_id THEN
            RAISE EXCEPTION 'a home follows the last one, at another site' {_REFUSE} 'client_home_follows';
        END IF;
        IF NOT EXISTS (SELECT FROM client_move WHERE id = NEW.move_id AND client_id = NEW.client_id
                AND last.site_id IN (from_site_id, to_site_id) AND NEW.site_id IN (from_site_id, to_site_id)) THEN
            RAISE EXCEPTION 'a home follows from a move between the two sites' {_REFUSE} 'client_home_by_move';
        END IF;
        -- A closed day has its outcomes already: each close freezes the days of its own site.
        IF EXISTS (SELECT FROM day_close WHERE site_id IN (NEW.site_id, last.site_id)
                AND dose_day >= NEW.from_day) THEN
            RAISE EXCEPTION 'a day from which the client moves is closed' {_REFUSE} 'client_home_days_open';
        END IF;
        UPDATE client_home SET until = NEW.since WHERE client_id = NEW.client_id AND no = last.no;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_home_follows BEFORE INSERT ON client_home
    FOR EACH ROW EXECUTE FUNCTION client_home_follows();

CREATE FUNCTION client_home_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - '{{until,number}}'::text[] IS DISTINCT FROM
          to_jsonb(OLD) - '{{until,number}}'::text[]
       OR (OLD.until IS NOT NULL AND (NEW.until, NEW.number) IS DISTINCT FROM (OLD.until, OLD.number)) THEN
        RAISE EXCEPTION 'a home is left once and never rewritten' {_REFUSE} 'never_changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_home_is_kept BEFORE UPDATE OR DELETE ON client_home
    FOR EACH ROW EXECUTE FUNCTION client_home_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON client_home FOR EACH STATEMENT EXECUTE FUNCTION never_changed();

CREATE FUNCTION client_move_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.id, NEW.client_id, NEW.from_site_id, NEW.to_site_id, NEW.asked_by, NEW.asked_at)
          IS DISTINCT FROM (OLD.id, OLD.client_id, OLD.from_site_id, OLD.to_site_id, OLD.asked_by, OLD.asked_at)
       OR NOT ((OLD.state = 'asked' AND NEW.state IN ('done', 'refused', 'withdrawn'))
               OR (OLD.state = 'done' AND NEW.state = 'undone')) THEN
        RAISE EXCEPTION 'a move is answered once, and undone once' {_REFUSE} 'never_changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_move_is_kept BEFORE DELETE ON client_move
    FOR EACH ROW EXECUTE FUNCTION client_move_is_kept();
CREATE TRIGGER client_move_goes_forward BEFORE UPDATE ON client_move FOR EACH ROW
    WHEN (NOT only_sealed_anew(to_jsonb(OLD), to_jsonb(NEW))) EXECUTE FUNCTION client_move_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON client_move FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""

_SITE_OF_DAY = """
CREATE OR REPLACE FUNCTION site_of_day(the_client uuid, the_day date) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT guest_site_id FROM guest_stay
                     WHERE client_id = the_client AND verified_at IS NOT NULL AND days @> the_day),
                    {home}
                    (SELECT site_id FROM client WHERE id = the_client));
$$
"""

# What was agreed and set at the home before goes on at the home of today.
_RESTATED = """
DO $$
DECLARE source text := pg_get_functiondef('{function}()'::regprocedure);
BEGIN
    IF position({was} IN source) = 0 THEN
        RAISE EXCEPTION '{function} is not as it was';
    END IF;
    EXECUTE replace(source, {was}, {becomes});
END $$
"""
_OF_HOME = "(SELECT c.site_id FROM client c WHERE c.id = {}.client_id)"
_CHANGED = (
    ("stop_flag_is_cleared", "OLD.site_id,", _OF_HOME.format("OLD") + ","),
    ("agent_consent_within_bounds", "the_agent.site_id <> NEW.site_id", _OF_HOME.format("NEW") + " <> NEW.site_id"),
    (
        "supply_collector_may",
        "(consent.client_id, consent.agent_id, consent.site_id)\n        IS DISTINCT FROM"
        " (NEW.client_id, NEW.agent_id, NEW.site_id)",
        f"(consent.client_id, consent.agent_id, {_OF_HOME.format('consent')})\n        IS DISTINCT FROM"
        " (NEW.client_id, NEW.agent_id, NEW.site_id)",
    ),
)


def _quoted(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_FILLED)
    op.execute(_GUARDS)
    op.execute(_SITE_OF_DAY.format(home="home_on(the_client, the_day),"))
    for function, was, becomes in _CHANGED:
        op.execute(_RESTATED.format(function=function, was=_quoted(was), becomes=_quoted(becomes)))
    mine = MINE.format("client_home.site_id")
    ours = OUR_CLIENT.format("client_home.client_id")
    op.execute(walled_by("client_home", f"{mine} OR {ours}", added=mine, changed=mine))
    both = f"{MINE.format('client_move.from_site_id')} OR {MINE.format('client_move.to_site_id')}"
    op.execute(walled_by("client_move", both))


def downgrade() -> None:
    for function, was, becomes in _CHANGED:
        op.execute(_RESTATED.format(function=function, was=_quoted(becomes), becomes=_quoted(was)))
    op.execute(_SITE_OF_DAY.format(home=""))
    op.execute("""
        DROP TRIGGER client_has_a_home ON client;
        DROP TRIGGER client_moves_by_history ON client;
        DROP TABLE client_home, client_move;
        DROP FUNCTION client_has_a_home, client_home_follows, client_home_is_kept, client_move_is_kept, home_on;
    """)
