"""A satellite dispenses what its main site orders: a stay there without an end, that nobody has to verify."""

from alembic import op

revision = "0055b_satellites"
down_revision = "0057c_sessions"
branch_labels = None
depends_on = None

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

_STAYS = """
ALTER TABLE guest_stay ADD COLUMN satellite BOOLEAN NOT NULL DEFAULT false,
    DROP CONSTRAINT ck_guest_stay_length,
    ADD CONSTRAINT ck_guest_stay_length CHECK (
        CASE WHEN satellite THEN until_day = '9999-12-31' ELSE until_day - from_day BETWEEN 1 AND 28 END),
    ADD CONSTRAINT ck_guest_stay_satellite_is_agreed CHECK (NOT satellite OR verified_at IS NOT NULL);
"""
_BACK = """
ALTER TABLE guest_stay DROP CONSTRAINT ck_guest_stay_length, DROP CONSTRAINT ck_guest_stay_satellite_is_agreed;
ALTER TABLE guest_stay DISABLE TRIGGER USER;
UPDATE guest_stay SET until_day = from_day + 28, ended_on = least(ended_on, from_day + 28) WHERE satellite;
ALTER TABLE guest_stay ENABLE TRIGGER USER;
ALTER TABLE guest_stay DROP COLUMN satellite,
    ADD CONSTRAINT ck_guest_stay_length CHECK (until_day - from_day BETWEEN 1 AND 28);
"""

# Waits for both sites' rows, so that a satellite does not leave its main site while somebody is sent to it.
_OF_MAIN = f"""
CREATE FUNCTION satellite_stay_is_true() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM site WHERE id = NEW.guest_site_id FOR KEY SHARE;
    IF NOT EXISTS (SELECT 1 FROM site WHERE id = NEW.guest_site_id AND main_site_id = NEW.home_site_id) THEN
        RAISE EXCEPTION 'a satellite gives doses for its main site alone' {_REFUSE} 'satellite_of_home';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER satellite_stay_is_true BEFORE INSERT ON guest_stay
    FOR EACH ROW WHEN (NEW.satellite) EXECUTE FUNCTION satellite_stay_is_true();

CREATE FUNCTION satellite_keeps_its_main_site() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM guest_stay WHERE guest_site_id = NEW.id AND satellite AND ended_on IS NULL) THEN
        RAISE EXCEPTION 'clients of the main site come here' {_REFUSE} 'satellite_has_clients';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER satellite_keeps_its_main_site BEFORE UPDATE OF main_site_id ON site FOR EACH ROW
    WHEN (OLD.main_site_id IS DISTINCT FROM NEW.main_site_id) EXECUTE FUNCTION satellite_keeps_its_main_site();
"""

# As 0011 has it, but that at a satellite either site may say so.
_BY_HOME = "AND site_id = NEW.home_site_id AND role"
_BY_EITHER = "AND (site_id = NEW.home_site_id OR (NEW.satellite AND site_id = NEW.guest_site_id)) AND role"
_ANSWERED = """
DO $$
DECLARE source text := pg_get_functiondef('guest_stay_is_true()'::regprocedure);
BEGIN
    IF position('{was}' IN source) = 0 THEN
        RAISE EXCEPTION 'guest_stay_is_true is not as it was';
    END IF;
    EXECUTE replace(source, '{was}', '{becomes}');
END $$
"""


def upgrade() -> None:
    op.execute(_STAYS)
    op.execute(_OF_MAIN)
    op.execute(_ANSWERED.format(was=_BY_HOME, becomes=_BY_EITHER))


def downgrade() -> None:
    op.execute(_ANSWERED.format(was=_BY_EITHER, becomes=_BY_HOME))
    op.execute("""
        DROP TRIGGER satellite_stay_is_true ON guest_stay;
        DROP TRIGGER satellite_keeps_its_main_site ON site;
        DROP FUNCTION satellite_stay_is_true();
        DROP FUNCTION satellite_keeps_its_main_site();
    """)
    op.execute(_BACK)
