"""Following up whoever stopped coming: what came of a contact, wishes about visits, a site's days, and a text."""

from alembic import op

from dispensary.migrations.walls import walled_by_both, walled_by_site

revision = "0058_followup"
down_revision = "0055_branches"
branch_labels = None
depends_on = None

# What was noted before was a talk, or the try of one: more is not known of it.
_CONTACTS = """
ALTER TABLE contact_note ADD COLUMN how TEXT NOT NULL DEFAULT 'talk',
    ADD COLUMN came_of TEXT NOT NULL DEFAULT '', ADD COLUMN why TEXT NOT NULL DEFAULT '',
    ADD CONSTRAINT ck_contact_note_how CHECK (how IN ('talk', 'call', 'visit')),
    ADD CONSTRAINT ck_contact_note_came_of
        CHECK (came_of IN ('', 'comes_back', 'undecided', 'elsewhere', 'not_now', 'needs_help')),
    ADD CONSTRAINT ck_contact_note_why CHECK (why IN ('', 'way', 'work', 'wait', 'family', 'ill', 'hospital',
        'detained', 'moved', 'dose', 'unwelcome', 'afraid', 'using', 'enough', 'other')),
    ADD CONSTRAINT ck_contact_note_said_by_whom_was_reached CHECK (reached OR (came_of = '' AND why = ''));
ALTER TABLE contact_note ALTER COLUMN how DROP DEFAULT, ALTER COLUMN came_of DROP DEFAULT,
    ALTER COLUMN why DROP DEFAULT;
"""

_WISHES = """
CREATE TABLE visit_wish (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    agreed BOOLEAN NOT NULL,
    where_sealed BYTEA,
    said_on DATE NOT NULL,
    noted_by UUID NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_visit_wish PRIMARY KEY (id),
    CONSTRAINT ck_visit_wish_where_if_agreed CHECK (agreed = (where_sealed IS NOT NULL)),
    CONSTRAINT fk_visit_wish_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_visit_wish_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_visit_wish_noted_by FOREIGN KEY(noted_by) REFERENCES account (id)
);
CREATE INDEX ix_visit_wish_client_id_noted_at ON visit_wish (client_id, noted_at);
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON visit_wish FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON visit_wish FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""

_SETTING = """
CREATE TABLE follow_up_setting (
    site_id UUID NOT NULL,
    text_day SMALLINT,
    call_day SMALLINT,
    visit_day SMALLINT,
    CONSTRAINT pk_follow_up_setting PRIMARY KEY (site_id),
    CONSTRAINT ck_follow_up_setting_text_day CHECK (text_day BETWEEN 1 AND 60),
    CONSTRAINT ck_follow_up_setting_call_day CHECK (call_day BETWEEN 1 AND 60),
    CONSTRAINT ck_follow_up_setting_visit_day CHECK (visit_day BETWEEN 1 AND 60),
    CONSTRAINT fk_follow_up_setting_site_id FOREIGN KEY(site_id) REFERENCES site (id)
);
"""

_GROUPS = """
CREATE OR REPLACE FUNCTION text_group(kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN kind IN ('booking_confirmed', 'booking_moved', 'booking_dropped', 'regular_set', 'regular_ended',
            'regular_paused') THEN 'bookings'
        WHEN kind IN ('booking_reminder', 'booking_reminder_longer') THEN 'reminder'
        WHEN kind {missed} THEN 'missed'
        WHEN kind = 'review_due' THEN 'reviews'
        WHEN kind = 'news' THEN 'news'
        WHEN kind IN ('feedback_visit', 'feedback_wait') THEN 'feedback'
    END
$$
"""


def upgrade() -> None:
    op.execute(_CONTACTS)
    op.execute(_WISHES)
    op.execute(walled_by_both("visit_wish"))
    op.execute(_SETTING)
    op.execute(walled_by_site("follow_up_setting"))
    op.execute(_GROUPS.format(missed="IN ('missed_today', 'caring')"))


def downgrade() -> None:
    op.execute(_GROUPS.format(missed="= 'missed_today'"))
    op.execute("""DROP TABLE follow_up_setting; DROP TABLE visit_wish;
        ALTER TABLE contact_note DROP COLUMN why, DROP COLUMN came_of, DROP COLUMN how;""")
