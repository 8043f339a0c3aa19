"""Outreach contacts and materials, by a code or by nothing; and how clients work and live over time."""

from alembic import op

from dispensary.migrations.walls import walled_by_both, walled_by_site, walled_through

revision = "0058g_outreach"
down_revision = "0058f_visits"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE outreach_contact (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    on_day DATE NOT NULL,
    kind TEXT NOT NULL,
    place TEXT NOT NULL,
    code_digest BYTEA,
    services TEXT[] NOT NULL,
    noted_by UUID NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_outreach_contact PRIMARY KEY (id),
    CONSTRAINT ck_outreach_contact_place CHECK (place <> ''),
    CONSTRAINT ck_outreach_contact_kind CHECK (kind IN ('outreach', 'drop_in', 'event')),
    CONSTRAINT fk_outreach_contact_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_outreach_contact_noted_by FOREIGN KEY(noted_by) REFERENCES account (id)
);
CREATE INDEX ix_outreach_contact_site_id_on_day ON outreach_contact (site_id, on_day);
CREATE TABLE outreach_material (
    contact_id UUID NOT NULL,
    material TEXT NOT NULL,
    amount SMALLINT NOT NULL,
    CONSTRAINT pk_outreach_material PRIMARY KEY (contact_id, material),
    CONSTRAINT ck_outreach_material_material CHECK (material IN ('needles', 'needles_back', 'water', 'foil', 'condoms',
        'lubricant', 'leaflets', 'test_strips', 'food', 'hygiene')),
    CONSTRAINT ck_outreach_material_amount CHECK (amount BETWEEN 1 AND 5000),
    CONSTRAINT fk_outreach_material_contact_id FOREIGN KEY(contact_id) REFERENCES outreach_contact (id)
);
CREATE TABLE life_status (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    aspect TEXT NOT NULL,
    word TEXT NOT NULL,
    from_day DATE NOT NULL,
    noted_by UUID NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_life_status PRIMARY KEY (id),
    CONSTRAINT ck_life_status_aspect CHECK (aspect IN ('work', 'housing')),
    CONSTRAINT ck_life_status_word CHECK (word IN ('employed', 'own', 'daily', 'studying', 'household', 'looking',
        'unable', 'none', 'family', 'friends', 'shelter', 'street', 'institution')),
    CONSTRAINT fk_life_status_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_life_status_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_life_status_noted_by FOREIGN KEY(noted_by) REFERENCES account (id)
);
CREATE INDEX ix_life_status_client_id_aspect_from_day ON life_status (client_id, aspect, from_day);
CREATE INDEX ix_life_status_site_id ON life_status (site_id);
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("outreach_contact", "outreach_material", "life_status"):
        op.execute(f"""
            CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON {table}
                FOR EACH ROW EXECUTE FUNCTION never_changed();
            CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION never_changed()""")
    op.execute(walled_by_site("outreach_contact"))
    op.execute(walled_through("outreach_material", "outreach_contact", "contact_id"))
    op.execute(walled_by_both("life_status"))


def downgrade() -> None:
    op.execute("DROP TABLE life_status, outreach_material, outreach_contact")
