"""The tree of a programme: areas, main sites with their satellites, and roles that count at a whole branch of it."""

from alembic import op

from dispensary.migrations.walls import open_to_all_sites

revision = "0055_branches"
down_revision = "0053_sign_in_forms"
branch_labels = None
depends_on = None

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

_TABLES = """
CREATE TABLE area (
    id UUID NOT NULL,
    parent_id UUID,
    kind TEXT NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    zone TEXT,
    language TEXT,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_area PRIMARY KEY (id),
    CONSTRAINT uq_area_code UNIQUE (code),
    CONSTRAINT fk_area_parent_id FOREIGN KEY(parent_id) REFERENCES area (id),
    CONSTRAINT ck_area_kind CHECK (kind IN ('country', 'province', 'district')),
    CONSTRAINT ck_area_root CHECK ((kind = 'country') = (parent_id IS NULL)),
    CONSTRAINT ck_area_code CHECK (code ~ '^[A-Z0-9-]{1,12}$'),
    CONSTRAINT ck_area_name CHECK (name <> '')
);
CREATE INDEX ix_area_parent_id ON area (parent_id);
CREATE UNIQUE INDEX uq_area_country ON area (kind) WHERE kind = 'country';

ALTER TABLE site ADD COLUMN area_id UUID CONSTRAINT fk_site_area_id REFERENCES area (id),
    ADD COLUMN main_site_id UUID CONSTRAINT fk_site_main_site_id REFERENCES site (id),
    ADD COLUMN lat NUMERIC(8, 5), ADD COLUMN lon NUMERIC(8, 5),
    ADD CONSTRAINT ck_site_one_parent CHECK (num_nonnulls(area_id, main_site_id) <= 1),
    ADD CONSTRAINT ck_site_not_its_own CHECK (main_site_id <> id),
    ADD CONSTRAINT ck_site_coordinates
        CHECK ((lat IS NULL) = (lon IS NULL) AND lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180);
CREATE INDEX ix_site_area_id ON site (area_id);
CREATE INDEX ix_site_main_site_id ON site (main_site_id);

CREATE TABLE branch_grant (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    area_id UUID,
    site_id UUID,
    role TEXT NOT NULL,
    granted_by UUID,
    granted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_branch_grant PRIMARY KEY (id),
    CONSTRAINT fk_branch_grant_account_id FOREIGN KEY(account_id) REFERENCES account (id),
    CONSTRAINT fk_branch_grant_area_id FOREIGN KEY(area_id) REFERENCES area (id),
    CONSTRAINT fk_branch_grant_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_branch_grant_granted_by FOREIGN KEY(granted_by) REFERENCES account (id),
    CONSTRAINT ck_branch_grant_one_branch CHECK (num_nonnulls(area_id, site_id) = 1),
    CONSTRAINT uq_branch_grant UNIQUE NULLS NOT DISTINCT (account_id, area_id, site_id, role)
);
CREATE INDEX ix_branch_grant_area_id ON branch_grant (area_id);
CREATE INDEX ix_branch_grant_site_id ON branch_grant (site_id);

ALTER TABLE role_grant ADD COLUMN direct BOOLEAN NOT NULL DEFAULT true;
"""

# The sites of a branch: all under an area, or a main site and its satellites. A satellite is where its main site is.
_BRANCH = """
CREATE FUNCTION branch_sites(the_area uuid, the_site uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    WITH RECURSIVE below AS (
        SELECT id FROM area WHERE id = the_area
        UNION SELECT area.id FROM area JOIN below ON area.parent_id = below.id
    )
    SELECT site.id FROM site LEFT JOIN site AS main ON main.id = site.main_site_id
    WHERE coalesce(main.area_id, site.area_id) IN (SELECT id FROM below)
        OR site.id = the_site OR site.main_site_id = the_site
$$;
"""

_IN_ITS_PLACE = f"""
CREATE FUNCTION area_in_its_place() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE above text := (SELECT kind FROM area WHERE id = NEW.parent_id);
BEGIN
    IF NEW.kind || coalesce(above, '') NOT IN ('country', 'provincecountry', 'districtprovince') THEN
        RAISE EXCEPTION 'a province lies in the country, a district in a province' {_REFUSE} 'area_in_its_place';
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.kind, NEW.code) IS DISTINCT FROM (OLD.kind, OLD.code) THEN
        RAISE EXCEPTION 'an area keeps its code and kind' {_REFUSE} 'area_in_its_place';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER area_in_its_place BEFORE INSERT OR UPDATE ON area FOR EACH ROW EXECUTE FUNCTION area_in_its_place();

CREATE FUNCTION site_in_its_place() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE main site%ROWTYPE;
BEGIN
    IF NEW.main_site_id IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT * INTO main FROM site WHERE id = NEW.main_site_id FOR NO KEY UPDATE;
    IF main.main_site_id IS NOT NULL OR EXISTS (SELECT 1 FROM site WHERE main_site_id = NEW.id) THEN
        RAISE EXCEPTION 'a satellite belongs to a main site, and has none itself' {_REFUSE} 'satellite_of_a_main_site';
    END IF;
    IF (main.zone, main.day_starts) IS DISTINCT FROM (NEW.zone, NEW.day_starts) THEN
        RAISE EXCEPTION 'a satellite has the days of its main site' {_REFUSE} 'satellite_has_its_days';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER site_in_its_place BEFORE INSERT OR UPDATE OF main_site_id, zone, day_starts ON site
    FOR EACH ROW EXECUTE FUNCTION site_in_its_place();
"""

# One change of the tree at a time, so that neither of two misses what the other one brings under a branch.
_FOLLOWS = """
CREATE FUNCTION roles_follow_the_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7301443);
    DELETE FROM role_grant AS held WHERE NOT held.direct AND NOT EXISTS (
        SELECT FROM branch_grant AS g WHERE g.account_id = held.account_id AND g.role = held.role
            AND held.site_id IN (SELECT branch_sites(g.area_id, g.site_id)));
    INSERT INTO role_grant (id, account_id, site_id, role, direct)
        SELECT gen_random_uuid(), due.account_id, due.site_id, due.role, false FROM (
            SELECT DISTINCT g.account_id, under.id AS site_id, g.role
            FROM branch_grant AS g CROSS JOIN LATERAL branch_sites(g.area_id, g.site_id) AS under (id)
        ) AS due ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER roles_follow_grants AFTER INSERT OR DELETE ON branch_grant
    FOR EACH STATEMENT EXECUTE FUNCTION roles_follow_the_tree();
CREATE TRIGGER roles_follow_areas AFTER UPDATE OF parent_id ON area
    FOR EACH STATEMENT EXECUTE FUNCTION roles_follow_the_tree();
CREATE TRIGGER roles_follow_sites AFTER INSERT OR UPDATE OF area_id, main_site_id ON site
    FOR EACH STATEMENT EXECUTE FUNCTION roles_follow_the_tree();
"""

# Whoever writes of a branch has every site of it in view.
_WHOLE_BRANCH = (
    "NOT EXISTS (SELECT FROM branch_sites({}) AS under (id) WHERE NOT coalesce(under.id = ANY (desk_sites()), false))"
)


def upgrade() -> None:
    for statements in (_TABLES, _BRANCH, _IN_ITS_PLACE, _FOLLOWS):
        op.execute(statements)
    whole_area = _WHOLE_BRANCH.format("area.id, NULL")
    op.execute(open_to_all_sites("area", added=_WHOLE_BRANCH.format("area.parent_id, NULL"), changed=whole_area))
    whole = _WHOLE_BRANCH.format("branch_grant.area_id, branch_grant.site_id")
    op.execute(open_to_all_sites("branch_grant", added=whole, changed=whole))


def downgrade() -> None:
    op.execute("""
        DROP TABLE branch_grant;
        DELETE FROM role_grant WHERE NOT direct;
        ALTER TABLE role_grant DROP COLUMN direct;
        DROP TRIGGER roles_follow_sites ON site;
        DROP TRIGGER site_in_its_place ON site;
        ALTER TABLE site DROP COLUMN area_id, DROP COLUMN main_site_id, DROP COLUMN lat, DROP COLUMN lon;
        DROP TABLE area;
        DROP FUNCTION branch_sites(uuid, uuid);
        DROP FUNCTION roles_follow_the_tree();
        DROP FUNCTION site_in_its_place();
        DROP FUNCTION area_in_its_place();
    """)
