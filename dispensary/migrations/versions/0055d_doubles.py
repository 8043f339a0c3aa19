"""Two records that may be one person's, found by keyed digests across sites: that there are two, not who or where."""

from alembic import op

from dispensary.migrations.walls import OUR_CLIENT, walled_by

revision = "0055d_doubles"
down_revision = "0055c_rollup"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE double_enrolment (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    other_id UUID NOT NULL,
    by_kind TEXT NOT NULL,
    found_at TIMESTAMP WITH TIME ZONE NOT NULL,
    outcome TEXT,
    resolved_by UUID,
    resolved_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_double_enrolment PRIMARY KEY (id),
    CONSTRAINT uq_double_enrolment_client_id_other_id UNIQUE (client_id, other_id),
    CONSTRAINT fk_double_enrolment_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_double_enrolment_other_id FOREIGN KEY(other_id) REFERENCES client (id),
    CONSTRAINT fk_double_enrolment_resolved_by FOREIGN KEY(resolved_by) REFERENCES account (id),
    CONSTRAINT ck_double_enrolment_two CHECK (client_id < other_id),
    CONSTRAINT ck_double_enrolment_by_kind CHECK (by_kind IN ('national_id', 'person')),
    CONSTRAINT ck_double_enrolment_outcome
        CHECK (outcome IN ('two_people', 'one_person_left', 'one_person_moved', 'typed_wrongly')),
    CONSTRAINT ck_double_enrolment_resolved CHECK (num_nonnulls(outcome, resolved_by, resolved_at) IN (0, 3))
);
CREATE INDEX ix_double_enrolment_other_id ON double_enrolment (other_id);
CREATE INDEX ix_client_index_digest ON client_index (digest)
    WHERE kind IN ('programme.national_id', 'programme.person');
"""
_EITHER = f"{OUR_CLIENT.format('double_enrolment.client_id')} OR {OUR_CLIENT.format('double_enrolment.other_id')}"
_BOTH = f"{OUR_CLIENT.format('double_enrolment.client_id')} AND {OUR_CLIENT.format('double_enrolment.other_id')}"


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute(walled_by("double_enrolment", _EITHER, added=_BOTH, changed=_BOTH))


def downgrade() -> None:
    op.execute("""
        DROP TABLE double_enrolment;
        DROP INDEX ix_client_index_digest;
        DELETE FROM client_index WHERE kind IN ('programme.national_id', 'programme.person');
    """)
