"""Passwords leave the table that every site reads, and are kept where their person works."""

from alembic import op

from dispensary.migrations.walls import MINE, no_wall, open_to_all_sites, walled_by_account

revision = "0054_passwords"
down_revision = "0053c_glass_looks"
branch_labels = None
depends_on = None

_WORKS = "EXISTS (SELECT FROM role_grant AS works WHERE works.account_id = account.id"
_OURS = f"{_WORKS} AND {MINE.format('works.site_id')}) OR NOT {_WORKS})"


def upgrade() -> None:
    op.execute("""CREATE TABLE account_password (
        account_id UUID NOT NULL CONSTRAINT pk_account_password PRIMARY KEY
            CONSTRAINT fk_account_password_account_id_account REFERENCES account (id),
        hash TEXT NOT NULL)""")
    op.execute("INSERT INTO account_password SELECT id, password_hash FROM account WHERE accepted_at IS NOT NULL")
    op.execute("ALTER TABLE account DROP COLUMN password_hash")
    op.execute(walled_by_account("account_password"))
    # Everybody reads who acted; an account is changed where its person works, or by whoever gives it its first role.
    op.execute(no_wall("account"))
    op.execute(open_to_all_sites("account", added="true", changed=_OURS))


def downgrade() -> None:
    op.execute(no_wall("account"))
    op.execute(open_to_all_sites("account", added="true", changed="true"))
    op.execute("ALTER TABLE account ADD COLUMN password_hash TEXT NOT NULL DEFAULT '-'")
    op.execute("UPDATE account SET password_hash = hash FROM account_password WHERE account_id = id")
    op.execute("ALTER TABLE account ALTER COLUMN password_hash DROP DEFAULT")
    op.execute("DROP TABLE account_password")
