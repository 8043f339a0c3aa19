"""Several people look after a client at once, each from when until when; who did is not forgotten.

`client_assignment` stays as an older program knows it: one person of those who look after the client now. What it
writes there counts here, and what is written here is there, until no such program is left and the table goes.
"""

from alembic import op

from dispensary.migrations.walls import walled_by_client

revision = "0082_looked_after"
down_revision = "0080_told_to"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
CREATE TABLE looked_after (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    account_id UUID NOT NULL,
    assigned_by UUID NOT NULL,
    assigned_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_by UUID,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_looked_after PRIMARY KEY (id),
    CONSTRAINT fk_looked_after_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_looked_after_account_id FOREIGN KEY(account_id) REFERENCES account (id),
    CONSTRAINT fk_looked_after_assigned_by FOREIGN KEY(assigned_by) REFERENCES account (id),
    CONSTRAINT fk_looked_after_ended_by FOREIGN KEY(ended_by) REFERENCES account (id),
    CONSTRAINT ck_looked_after_ended_at_a_moment CHECK (ended_by IS NULL OR ended_at IS NOT NULL)
);
CREATE UNIQUE INDEX uq_looked_after_once ON looked_after (client_id, account_id) WHERE ended_at IS NULL;
CREATE INDEX ix_looked_after_client_id ON looked_after (client_id);
CREATE INDEX ix_looked_after_account_id ON looked_after (account_id);

-- Who is taken on meanwhile is among them, or written by the triggers below: nothing is between the two.
LOCK TABLE client_assignment IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO looked_after (id, client_id, account_id, assigned_by, assigned_at)
SELECT gen_random_uuid(), client_id, account_id, assigned_by, assigned_at FROM client_assignment;

CREATE FUNCTION looked_after_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
        AND (to_jsonb(NEW) - '{ended_at,ended_by}'::text[]) = (to_jsonb(OLD) - '{ended_at,ended_by}'::text[])
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'who looked after a client is ended once, and never changed or removed'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER looked_after_is_kept BEFORE UPDATE OR DELETE ON looked_after
    FOR EACH ROW EXECUTE FUNCTION looked_after_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON looked_after
    FOR EACH STATEMENT EXECUTE FUNCTION never_changed();

CREATE FUNCTION assignment_of_before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' OR NEW.ended_at IS NULL THEN
        INSERT INTO client_assignment (client_id, account_id, assigned_by, assigned_at)
        VALUES (NEW.client_id, NEW.account_id, NEW.assigned_by, NEW.assigned_at) ON CONFLICT (client_id) DO NOTHING;
        RETURN NULL;
    END IF;
    DELETE FROM client_assignment a WHERE a.client_id = NEW.client_id AND a.account_id = NEW.account_id;
    INSERT INTO client_assignment (client_id, account_id, assigned_by, assigned_at)
    SELECT l.client_id, l.account_id, l.assigned_by, l.assigned_at FROM looked_after l
    WHERE l.client_id = NEW.client_id AND l.ended_at IS NULL ORDER BY l.assigned_at, l.id LIMIT 1
    ON CONFLICT (client_id) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER assignment_of_before AFTER INSERT OR UPDATE ON looked_after
    FOR EACH ROW EXECUTE FUNCTION assignment_of_before();

CREATE FUNCTION assigned_by_one_before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        UPDATE looked_after SET ended_at = clock_timestamp()
        WHERE client_id = OLD.client_id AND account_id = OLD.account_id AND ended_at IS NULL;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO looked_after (id, client_id, account_id, assigned_by, assigned_at)
        VALUES (gen_random_uuid(), NEW.client_id, NEW.account_id, NEW.assigned_by, NEW.assigned_at)
        ON CONFLICT (client_id, account_id) WHERE ended_at IS NULL DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER assigned_by_one_before AFTER INSERT OR UPDATE OR DELETE ON client_assignment
    FOR EACH ROW EXECUTE FUNCTION assigned_by_one_before()""")
    op.execute(walled_by_client("looked_after"))


def downgrade() -> None:
    op.execute("DROP TRIGGER assigned_by_one_before ON client_assignment; DROP TABLE looked_after")
    op.execute("DROP FUNCTION assigned_by_one_before(), assignment_of_before(), looked_after_is_kept()")
