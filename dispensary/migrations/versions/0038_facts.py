"""What closed days say of each client is kept counted, so that a country's figures are not read day by day.

The tables begin empty: whoever is not counted is read from the records. They fill as days close and by the job that
counts whoever is behind, a few clients at a time, so that this step is short on a full database.
"""

from alembic import op

revision = "0038_facts"
down_revision = "0037_disclosures"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE fact_client (
    client_id UUID NOT NULL,
    through DATE NOT NULL,
    known_at TIMESTAMP WITH TIME ZONE NOT NULL,
    first_day DATE,
    last_day DATE,
    first_home DATE,
    touched BOOLEAN NOT NULL,
    CONSTRAINT pk_fact_client PRIMARY KEY (client_id),
    CONSTRAINT fk_fact_client_client_id FOREIGN KEY(client_id) REFERENCES client (id)
);
CREATE INDEX ix_fact_client_touched ON fact_client (client_id) WHERE touched;
CREATE TABLE fact_gap (
    client_id UUID NOT NULL,
    next_day DATE NOT NULL,
    last_day DATE NOT NULL,
    CONSTRAINT pk_fact_gap PRIMARY KEY (client_id, next_day),
    CONSTRAINT ck_fact_gap_days CHECK (next_day - last_day > 2),
    CONSTRAINT fk_fact_gap_client_id FOREIGN KEY(client_id) REFERENCES client (id)
);
CREATE TABLE fact_month (
    client_id UUID NOT NULL,
    month DATE NOT NULL,
    ordered SMALLINT NOT NULL,
    covered SMALLINT NOT NULL,
    held SMALLINT NOT NULL,
    open SMALLINT NOT NULL,
    dosed SMALLINT NOT NULL,
    carried SMALLINT NOT NULL,
    CONSTRAINT pk_fact_month PRIMARY KEY (client_id, month),
    CONSTRAINT ck_fact_month_parts CHECK (covered <= ordered AND carried <= dosed),
    CONSTRAINT fk_fact_month_client_id FOREIGN KEY(client_id) REFERENCES client (id)
);
CREATE INDEX ix_dose_voided ON dose (client_id, dose_day) WHERE voided_at IS NOT NULL;
"""

# A client of whom something is written for a counted day is touched: nothing reads their facts until they are counted
# anew. Whoever writes it holds the client's row, and so does whoever counts.
TOUCHED = """
CREATE FUNCTION facts_are_touched() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE fact_client f SET touched = true
    FROM (SELECT client_id, min(dose_day) AS day FROM written GROUP BY client_id) w
    WHERE f.client_id = w.client_id AND w.day <= f.through AND NOT f.touched;
    RETURN NULL;
END $$;
"""
WRITTEN = (
    ("dose", "INSERT"),
    ("dose", "UPDATE"),
    ("day_outcome", "INSERT"),
    ("day_correction", "INSERT"),
)


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(TOUCHED)
    for table, event in WRITTEN:
        op.execute(
            f"CREATE TRIGGER facts_are_touched_by_{event.lower()} AFTER {event} ON {table}"
            " REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION facts_are_touched()"
        )


def downgrade() -> None:
    for table, event in WRITTEN:
        op.execute(f"DROP TRIGGER facts_are_touched_by_{event.lower()} ON {table}")
    op.execute("DROP FUNCTION facts_are_touched()")
    op.execute("DROP INDEX ix_dose_voided")
    op.execute("DROP TABLE fact_month, fact_gap, fact_client")
