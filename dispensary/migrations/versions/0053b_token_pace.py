"""How much each token asked within its last minute, for all processes and servers together."""

from alembic import op

from dispensary.migrations.walls import walled_through

revision = "0053b_token_pace"
down_revision = "0052b_own_words"
branch_labels = None
depends_on = None

# Unlogged: a count of the last minute is worth no write-ahead log, and begins anew after a crash.
_TABLE = """
CREATE UNLOGGED TABLE token_pace (
    token_id UUID NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE NOT NULL,
    asked INTEGER NOT NULL,
    CONSTRAINT pk_token_pace PRIMARY KEY (token_id),
    CONSTRAINT fk_token_pace_token_id FOREIGN KEY(token_id) REFERENCES api_token (id)
);
"""


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute(walled_through("token_pace", "api_token", "token_id"))


def downgrade() -> None:
    op.execute("DROP TABLE token_pace;")
