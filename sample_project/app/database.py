"""The declarative base, and the async engine and sessions made from DATABASE_URL."""

import enum
import os
from functools import lru_cache

from sqlalchemy import Enum, MetaData, make_url
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase

SCHEMA = "migration"


class Base(DeclarativeBase):
    """Base of all models; every table lives in the schema ``migration``."""

    metadata = MetaData(schema=SCHEMA)
    type_annotation_map = {enum.Enum: Enum(enum.Enum, schema=SCHEMA)}


def async_database_url() -> str:
    """DATABASE_URL with the asyncpg driver, whichever PostgreSQL driver it names."""
    raw = os.environ.get("DATABASE_URL")
    if not raw:
        raise RuntimeError("set DATABASE_URL, for example postgresql://user:secret@host/fleetshift")
    url = make_url(raw.replace("postgres://", "postgresql://", 1))
    if url.get_backend_name() != "postgresql":
        raise RuntimeError(f"DATABASE_URL must be a PostgreSQL URL, not {url.drivername}")
    return url.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


@lru_cache(maxsize=1)
def get_engine() -> AsyncEngine:
    """The process-wide engine; its connections resolve bare names in ``migration`` first."""
    return create_async_engine(
        async_database_url(),
        connect_args={"server_settings": {"search_path": f"{SCHEMA}, public"}},
    )


def get_sessionmaker() -> async_sessionmaker[AsyncSession]:
    """A factory of sessions that keep objects usable after a commit."""
    return async_sessionmaker(get_engine(), expire_on_commit=False)
