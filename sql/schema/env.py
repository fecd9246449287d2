"""Alembic's environment: one connection handed over by ``ic_assets.core.schema``, the version kept in staging."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
# Not IF NOT EXISTS: that wants the right to create schemas in the database even where the schema is there.
if connection.execute(text("SELECT to_regnamespace('staging')")).scalar_one() is None:
    connection.execute(text("CREATE SCHEMA staging"))
context.configure(connection=connection, version_table="ic_schema_version", version_table_schema="staging")
with context.begin_transaction():
    context.run_migrations()
