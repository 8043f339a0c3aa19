"""Episodes that were kept elsewhere can be brought in to be evaluated."""

from alembic import op

revision = "0035_episodes"
down_revision = "0034_back_full"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE episode_set (
            id UUID NOT NULL,
            name TEXT NOT NULL,
            site_id UUID NOT NULL,
            imported_at TIMESTAMP WITH TIME ZONE NOT NULL,
            strata JSONB NOT NULL,
            seen_to DATE NOT NULL,
            episodes INTEGER NOT NULL,
            clients INTEGER NOT NULL,
            sha256 BYTEA NOT NULL,
            CONSTRAINT pk_episode_set PRIMARY KEY (id),
            CONSTRAINT uq_episode_set_name UNIQUE (name),
            CONSTRAINT ck_episode_set_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,39}$'),
            CONSTRAINT ck_episode_set_has_episodes CHECK (episodes > 0 AND clients BETWEEN 1 AND episodes),
            CONSTRAINT fk_episode_set_site_id FOREIGN KEY(site_id) REFERENCES site (id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE imported_episode (
            set_id UUID NOT NULL,
            client_digest BYTEA NOT NULL,
            number SMALLINT NOT NULL,
            started_on DATE NOT NULL,
            ended_on DATE,
            exit_reason TEXT,
            strata JSONB NOT NULL,
            CONSTRAINT pk_imported_episode PRIMARY KEY (set_id, client_digest, number),
            CONSTRAINT ck_imported_episode_client_digest CHECK (octet_length(client_digest) = 16),
            CONSTRAINT ck_imported_episode_end_has_reason CHECK ((ended_on IS NULL) = (exit_reason IS NULL)),
            CONSTRAINT ck_imported_episode_in_order CHECK (ended_on >= started_on),
            CONSTRAINT fk_imported_episode_set_id FOREIGN KEY(set_id) REFERENCES episode_set (id) ON DELETE CASCADE
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE imported_episode")
    op.execute("DROP TABLE episode_set")
