"""Runs the migrations on the connection that `dispensary.schema` hands over, each in a transaction of its own."""

from alembic import context

from dispensary.schema import all_metadata, took_step

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=all_metadata(),
    compare_type=True,
    transaction_per_migration=True,
    on_version_apply=took_step,
)
with context.begin_transaction():
    context.run_migrations()
