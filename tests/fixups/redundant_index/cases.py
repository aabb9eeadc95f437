"""The situations in which needless indexes are proven by the laws."""

from __future__ import annotations

from tests.laws.case import Case


def settings(extra: str = "") -> str:
    """A pyproject.toml with the fixup on."""
    return f"[tool.alembic-fixups.redundant-index]\n{extra}\n"


BASIC = """
metadata = MetaData()
Table(
    "assets", metadata,
    Column("id", Integer, primary_key=True, index=True),
    Column("client_id", Integer, index=True, nullable=False),
    Column("slug", String(40), unique=True, index=True),
    Column("name", String(80), index=True),
    Column("kept", Integer, index=True),
    UniqueConstraint("client_id", "name", name="uq_assets"),
    Index("by_kept", "kept", "name"),
)
"""

WITH_DATA = """
INSERT INTO assets (client_id, slug, name, kept)
  SELECT n % 5, 's' || n, 'n' || n, n FROM generate_series(1, 500) AS n;
COMMENT ON INDEX ix_assets_client_id IS 'it''s 100% :needed';
ALTER INDEX ix_assets_client_id SET (fillfactor = 70, deduplicate_items = off);
"""

EVENTS = """
metadata = MetaData(schema="app")
Table(
    "events", metadata,
    Column("day", Date, primary_key=True, index=True),
    Column("id", Integer, primary_key=True, index=True, autoincrement=False),
    postgresql_partition_by="RANGE (day)",
)
"""

# One partition's index was built before it was attached, so it has a name of its own.
PARTITIONS = """
CREATE TABLE app.events_2023 (day date NOT NULL, id int NOT NULL);
CREATE INDEX "by Day" ON app.events_2023 (day);
COMMENT ON INDEX app."by Day" IS 'of 2023';
ALTER TABLE app.events ATTACH PARTITION app.events_2023
  FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE app.events_2024 PARTITION OF app.events
  FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
INSERT INTO app.events SELECT '2023-12-01'::date + n, n FROM generate_series(1, 60) AS n;
"""

NAMES = """
metadata = MetaData()
Table(
    "Engage ments'$fixup$", metadata,
    Column("100% é:x", Integer, primary_key=True, index=True, autoincrement=False),
    Column("order", String, index=True),
    Index('by "order"', "order", "100% é:x"),
)
Table(
    "assets_" + "x" * 56, metadata,
    Column("id", Integer, primary_key=True, index=True, autoincrement=False),
)
"""

WITHOUT = """
metadata = MetaData()
Table(
    "assets", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", Integer, index=True, nullable=False),
    Column("name", String(80)),
)
"""

TENANTS = """
metadata = MetaData(schema="app")
Table("clients", metadata, Column("id", Integer, primary_key=True))
Table(
    "engagements", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", ForeignKey("app.clients.id"), nullable=False, index=True),
)
Table(
    "assets", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", ForeignKey("app.clients.id"), nullable=False, index=True),
    Column("engagement_id", ForeignKey("app.engagements.id"), nullable=False, index=True),
)
"""

LEVELS = """
[tool.alembic-fixups.tenant-keys]
levels = [
  { table = "clients",     column = "client_id" },
  { table = "engagements", column = "engagement_id" },
]
"""

MIXIN = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Keyed:
    id: Mapped[int] = mapped_column(primary_key=True, index=True)

class Client(Keyed, Base):
    __tablename__ = "clients"

class Asset(Keyed, Base):
    __tablename__ = "assets"
    name: Mapped[str] = mapped_column(index=True)

metadata = Base.metadata
"""

PARTIAL = """
metadata = MetaData()
Table(
    "assets", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", Integer, index=True),
    Column("state", Integer, index=True),
    Column("name", String, index=True),
    UniqueConstraint("client_id", "name"),
    UniqueConstraint("state", "name"),
    UniqueConstraint("name", "id"),
)
"""

CLUSTERED = """
DROP INDEX ix_assets_client_id;
CREATE INDEX ix_assets_client_id ON assets (client_id) WHERE client_id > 0;
CLUSTER assets USING ix_assets_state;
"""

UNSERVED = """
metadata = MetaData()
Table(
    "assets", metadata,
    Column("a", Integer, primary_key=True, index=True, autoincrement=False),
    Column("b", Integer, primary_key=True, autoincrement=False),
)
"""

CASES = [
    Case("basic", settings('keep = ["assets.kept"]'), BASIC),
    Case("with-data", settings(), BASIC, setup=WITH_DATA, everywhere=False),
    Case("partitioned", settings(), EVENTS, setup=PARTITIONS, schemas=("app",)),
    Case("names", settings(), NAMES, everywhere=False),
    Case("mixin", settings(), MIXIN, everywhere=False),
    Case(
        "served-by-what-the-revision-makes",
        settings(),
        BASIC,
        before=WITHOUT.replace("String(80)", "String(80), index=True"),
        everywhere=False,
    ),
    Case(
        "after-tenant-keys",
        settings() + LEVELS,
        TENANTS,
        setup="INSERT INTO app.clients VALUES (1); INSERT INTO app.engagements VALUES (1, 1);",
        schemas=("app",),
        everywhere=False,
    ),
    Case(
        "with-moves",
        settings() + '[tool.alembic-fixups.schema-prefix]\nschema = "app"\nmove-from = ["public"]',
        BASIC,
        setup=WITH_DATA,
        schemas=("app",),
        everywhere=False,
    ),
    Case(
        "after-the-codemod",
        settings(),
        BASIC.replace("primary_key=True, index=True", "primary_key=True").replace(
            "Integer, index=True, nullable", "Integer, nullable"
        ),
        before=BASIC,
        everywhere=False,
    ),
    Case(
        "of-another-kind",
        settings(),
        PARTIAL,
        setup=CLUSTERED,
        everywhere=False,
        findings=frozenset({"clustered", "differs"}),
    ),
    Case(
        "served-by-the-models-alone",
        settings() + "[tool.alembic-fixups.check-constraints]\n",
        UNSERVED.replace("False),\n)", "False),\n    CheckConstraint('a > b'),\n)"),
        before=UNSERVED,
        setup="ALTER TABLE assets DROP CONSTRAINT assets_pkey, ADD PRIMARY KEY (b, a);",
        everywhere=False,
        findings=frozenset({"not-served"}),
    ),
]
