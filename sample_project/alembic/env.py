"""Alembic environment of fleetshift: async, one application schema, URL from DATABASE_URL."""

import asyncio
from logging.config import fileConfig

from alembic import context
from sqlalchemy import pool, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from app.database import SCHEMA, async_database_url
from app.models import Base

config = context.config

if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)

target_metadata = Base.metadata


def include_name(name: str | None, type_: str, parent_names: dict[str, str | None]) -> bool:
    """Look at the application's schema and at the default one, at nothing else."""
    if type_ == "schema":
        return name in (None, SCHEMA)
    return True


def run_migrations_offline() -> None:
    """Print the migrations as SQL (``alembic upgrade head --sql``); needs no database."""
    context.configure(
        dialect_name="postgresql",
        target_metadata=target_metadata,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        version_table_schema=SCHEMA,
        include_schemas=True,
        include_name=include_name,
        compare_type=True,
    )

    with context.begin_transaction():
        context.execute("CREATE SCHEMA IF NOT EXISTS migration")
        context.execute("SET search_path TO migration, public")
        context.run_migrations()


def do_run_migrations(connection: Connection) -> None:
    """Run the migrations on an open connection."""
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS migration"))
    # Half of the revisions name their tables without a schema and rely on this.
    connection.execute(text("SET search_path TO migration, public"))
    # Alembic begins and commits its own transactions: hand it a connection without one.
    connection.commit()

    context.configure(
        connection=connection,
        target_metadata=target_metadata,
        version_table_schema=SCHEMA,
        include_schemas=True,
        include_name=include_name,
        compare_type=True,
    )

    with context.begin_transaction():
        context.run_migrations()


async def run_async_migrations() -> None:
    """Open one connection and run the migrations on it."""
    engine = create_async_engine(async_database_url(), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(do_run_migrations)
    await engine.dispose()


def run_migrations_online() -> None:
    """Run the migrations against the database that DATABASE_URL names."""
    asyncio.run(run_async_migrations())


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
