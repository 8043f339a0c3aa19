"""Runs the migrations on the connection that `dispensary.schema` hands over."""

from alembic import context

from dispensary.schema import all_metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=all_metadata(), compare_type=True)
with context.begin_transaction():
    context.run_migrations()
