"""Alembic's environment: one connection handed over by ``ic_assets.core.schema``, the version kept in staging."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
connection.execute(text("CREATE SCHEMA IF NOT EXISTS staging"))
context.configure(connection=connection, version_table="ic_schema_version", version_table_schema="staging")
with context.begin_transaction():
    context.run_migrations()
