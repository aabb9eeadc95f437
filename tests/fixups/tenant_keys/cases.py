"""The situations in which tenant keys are proven by the laws."""

from __future__ import annotations

from tests.laws.case import Case

LEVELS = """
levels = [
  { table = "client_accounts", column = "client_account_id" },
  { table = "engagements",     column = "engagement_id" },
]
"""


def settings(extra: str = "", levels: str = LEVELS) -> str:
    """A pyproject.toml with the fixup on."""
    return f"[tool.alembic-fixups.tenant-keys]\n{levels}\n{extra}\n"


HIERARCHY = """
metadata = MetaData(schema="migration")
clients = Table("client_accounts", metadata, Column("id", Integer, primary_key=True))
engagements = Table(
    "engagements", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
)
"""

BASIC = (
    HIERARCHY
    + """
Table(
    "assets", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_account_id", ForeignKey("migration.client_accounts.id"), nullable=False),
    Column("engagement_id", ForeignKey("migration.engagements.id", ondelete="CASCADE"),
           nullable=False),
    Column("name", String(80)),
)
Table(
    "notes", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
    Column("engagement_id", ForeignKey("engagements.id", ondelete="SET NULL", onupdate="CASCADE",
           deferrable=True, initially="DEFERRED")),
    Column("text", String),
)
"""
)

HIERARCHY_ROWS = """
INSERT INTO migration.client_accounts VALUES (1), (2);
INSERT INTO migration.engagements VALUES (10, 1), (11, 1), (20, 2);
"""

BASIC_ROWS = (
    HIERARCHY_ROWS
    + """
INSERT INTO migration.assets VALUES (1, 1, 10, 'a'), (2, 1, 11, 'b'), (3, 2, 20, 'c');
INSERT INTO migration.notes VALUES (1, 1, 10, 'x'), (2, 2, NULL, 'y');
"""
)

WRONG_NOTES = """
INSERT INTO migration.notes VALUES (3, 1, 20, 'of another client'), (4, 2, 10, 'this too');
"""

ALL = (
    HIERARCHY
    + """
Table(
    "flows", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
    Column("engagement_id", ForeignKey("engagements.id"), nullable=False),
    Column("parent_flow_id", ForeignKey("flows.id", ondelete="SET NULL")),
    Column("main_asset_id", ForeignKey("assets.id", use_alter=True, name="flows_main_asset")),
)
Table(
    "assets", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
    Column("engagement_id", ForeignKey("engagements.id"), nullable=False),
    Column("flow_id", ForeignKey("flows.id", ondelete="CASCADE")),
    Column("origin_engagement_id", ForeignKey("engagements.id")),
)
"""
)

NAMES = """
# Every name is awkward in another way. (Alembic cannot compare a serial column in such a table.)
metadata = MetaData()
Table('client "accounts" %s', metadata,
      Column("Id:x", Integer, primary_key=True, autoincrement=False))
Table(
    "Engage ments'$fixup$", metadata,
    Column("order", Integer, primary_key=True, autoincrement=False),
    Column("client:id", ForeignKey('client "accounts" %s.Id:x'), nullable=False),
)
Table(
    "assets_" + "x" * 56, metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("client:id", ForeignKey('client "accounts" %s.Id:x'), nullable=False),
    Column("100% \\\\ é", ForeignKey("Engage ments'$fixup$.order", ondelete="SET NULL")),
)
"""

NAMES_LEVELS = """
levels = [
  { table = 'client "accounts" %s', column = "client:id" },
  { table = "Engage ments'$fixup$", column = '100% \\ é' },
]
"""

NAMES_ROWS = """
INSERT INTO "client ""accounts"" %s" VALUES (1), (2);
INSERT INTO "Engage ments'$fixup$" VALUES (10, 1), (20, 2);
INSERT INTO assets_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
  VALUES (1, 1, 10), (2, 1, 20), (3, 2, NULL);
"""

THREE = (
    HIERARCHY
    + """
Table(
    "projects", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
    Column("engagement_id", ForeignKey("engagements.id"), nullable=False),
)
Table(
    "tasks", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
    Column("engagement_id", ForeignKey("engagements.id", ondelete="CASCADE"), nullable=False),
    Column("project_id", ForeignKey("projects.id", ondelete="SET NULL")),
)
"""
)

DECLARED = (
    HIERARCHY.replace(
        "nullable=False),\n)",
        "nullable=False),\n"
        "    UniqueConstraint('id', 'client_account_id', name='engagement_of_client'),\n)",
    )
    + """
Table(
    "assets", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
    Column("engagement_id", Integer, nullable=False),
    ForeignKeyConstraint(
        ["engagement_id", "client_account_id"],
        ["engagements.id", "engagements.client_account_id"],
        name="asset_engagement", ondelete="CASCADE",
    ),
    Index("assets_by_engagement", "engagement_id", "client_account_id"),
)
"""
)

PLAIN_ASSETS = (
    HIERARCHY
    + """
Table(
    "assets", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
    Column("engagement_id", ForeignKey("engagements.id", ondelete="CASCADE",
           name="asset_engagement"), nullable=False),
)
"""
)

NEW_TABLES = (
    BASIC
    + """
Table(
    "tickets", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
    Column("engagement_id", ForeignKey("engagements.id"), nullable=False),
    Column("asset_id", ForeignKey("assets.id")),
    Column("state", Enum("open", "shut", name="ticket_state")),
    UniqueConstraint("asset_id", "state"),
)
"""
).replace(
    'Column("text", String),',
    'Column("text", String),\n    Column("kind", String(10), index=True),\n'
    '    UniqueConstraint("text", name="one_text"),',
)

PARTITIONED = (
    HIERARCHY
    + """
Table(
    "events", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_account_id", ForeignKey("client_accounts.id"), primary_key=True),
    Column("engagement_id", ForeignKey("engagements.id"), nullable=False),
    Column("event_id", Integer),
    postgresql_partition_by="HASH (client_account_id)",
)
"""
)

CASES = [
    Case("basic", settings(), BASIC, setup=BASIC_ROWS, schemas=("migration",)),
    Case(
        "quarantine",
        settings('violations = "quarantine"'),
        BASIC,
        setup=BASIC_ROWS + WRONG_NOTES + "INSERT INTO migration.assets VALUES (4, 2, 10, 'd');",
        schemas=("migration",),
        everywhere=False,
    ),
    Case(
        "null",
        settings('violations = "null"'),
        BASIC,
        setup=BASIC_ROWS + WRONG_NOTES,
        schemas=("migration",),
        findings=frozenset({"cannot-be-null"}),
    ),
    Case(
        "all",
        settings('scope = "all"\nviolations = "quarantine"'),
        ALL,
        setup=HIERARCHY_ROWS
        + """
        INSERT INTO migration.flows VALUES (1, 1, 10, NULL, NULL), (2, 1, 10, 1, NULL),
          (3, 2, 20, 1, NULL);
        INSERT INTO migration.assets VALUES (1, 1, 10, 1, 11), (2, 1, 11, 1, NULL),
          (3, 2, 20, NULL, 10);
        UPDATE migration.flows SET main_asset_id = 1 WHERE id = 1;
        """,
        schemas=("migration",),
        everywhere=False,
    ),
    Case("names", settings('violations = "null"', NAMES_LEVELS), NAMES, setup=NAMES_ROWS),
    Case(
        "three-levels",
        settings(
            'violations = "null"',
            LEVELS.replace("\n]", '\n  { table = "projects", column = "project_id" },\n]'),
        ),
        THREE,
        setup=HIERARCHY_ROWS
        + """
        INSERT INTO migration.projects VALUES (100, 1, 10), (110, 1, 11), (200, 2, 20);
        INSERT INTO migration.tasks VALUES (1, 1, 10, 100), (2, 1, 11, NULL), (3, 1, 10, 110);
        """,
        schemas=("migration",),
        findings=frozenset({"cannot-be-null"}),
        everywhere=False,
    ),
    Case(
        "declared",
        settings(),
        DECLARED,
        before=PLAIN_ASSETS,
        setup=HIERARCHY_ROWS
        + """
        INSERT INTO migration.assets VALUES (1, 1, 10), (2, 2, 20);
        COMMENT ON CONSTRAINT asset_engagement ON migration.assets IS 'whose it is: 100%';
        """,
        schemas=("migration",),
        everywhere=False,
    ),
    Case(
        "nullable-tenant",
        settings(),
        PLAIN_ASSETS.replace(
            'Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),\n'
            '    Column("engagement_id"',
            'Column("client_account_id", ForeignKey("client_accounts.id")),\n'
            '    Column("engagement_id"',
        ),
        setup=HIERARCHY_ROWS + "INSERT INTO migration.assets VALUES (1, 1, 10), (2, NULL, 20);",
        schemas=("migration",),
        findings=frozenset({"nullable-tenant"}),
        everywhere=False,
    ),
    Case(
        "missing-column",
        settings(),
        BASIC
        + """
Table("reports", metadata, Column("id", Integer, primary_key=True),
      Column("engagement_id", ForeignKey("engagements.id")))
""",
        setup=BASIC_ROWS,
        schemas=("migration",),
        findings=frozenset({"missing-tenant-column"}),
        everywhere=False,
    ),
    Case(
        "new-tables",
        settings('scope = "all"'),
        NEW_TABLES,
        before=BASIC,
        setup=BASIC_ROWS,
        schemas=("migration",),
        everywhere=False,
    ),
    Case(
        "odd-parent-keys",
        settings(),
        PLAIN_ASSETS,
        setup=HIERARCHY_ROWS
        + """
        CREATE UNIQUE INDEX live ON migration.engagements (client_account_id, id) WHERE id > 0;
        ALTER TABLE migration.engagements
          ADD CONSTRAINT late UNIQUE (client_account_id, id) DEFERRABLE;
        INSERT INTO migration.assets VALUES (1, 1, 10), (2, 2, 20);
        """,
        before=PLAIN_ASSETS,
        schemas=("migration",),
        everywhere=False,
    ),
    Case(
        "keys-there-already",
        settings(),
        PLAIN_ASSETS,
        setup=HIERARCHY_ROWS
        + """
        CREATE UNIQUE INDEX their_own ON migration.engagements (id, client_account_id);
        CREATE INDEX covering ON migration.assets (engagement_id, client_account_id, id);
        INSERT INTO migration.assets VALUES (1, 1, 10), (2, 2, 20);
        """,
        schemas=("migration",),
        everywhere=False,
    ),
    Case(
        "old-keys",
        settings(),
        PLAIN_ASSETS,
        setup=HIERARCHY_ROWS
        + """
        INSERT INTO migration.assets VALUES (1, 1, 10), (2, 2, 20);
        ALTER TABLE migration.assets DROP CONSTRAINT asset_engagement,
          ADD CONSTRAINT "by name" FOREIGN KEY (engagement_id) REFERENCES migration.engagements
            ON DELETE CASCADE,
          ADD CONSTRAINT again FOREIGN KEY (engagement_id) REFERENCES migration.engagements
            ON DELETE CASCADE NOT VALID;
        COMMENT ON CONSTRAINT "by name" ON migration.assets IS 'it''s "theirs": $fixup$';
        """,
        schemas=("migration",),
        everywhere=False,
    ),
    Case(
        "not-valid",
        settings(),
        PLAIN_ASSETS,
        setup=HIERARCHY_ROWS
        + """
        INSERT INTO migration.assets VALUES (1, 1, 10), (2, 2, 20);
        ALTER TABLE migration.engagements ADD UNIQUE (client_account_id, id);
        ALTER TABLE migration.assets
          ADD CONSTRAINT half_done FOREIGN KEY (client_account_id, engagement_id)
            REFERENCES migration.engagements (client_account_id, id) ON DELETE CASCADE NOT VALID;
        COMMENT ON CONSTRAINT half_done ON migration.assets IS 'kept';
        """,
        schemas=("migration",),
    ),
    Case(
        "other-options",
        settings(),
        PLAIN_ASSETS,
        setup=HIERARCHY_ROWS
        + """
        INSERT INTO migration.assets VALUES (1, 1, 10), (2, 2, 20);
        ALTER TABLE migration.engagements ADD UNIQUE (client_account_id, id);
        ALTER TABLE migration.assets
          ADD CONSTRAINT fk_assets_client_account_id_engagement_id
            FOREIGN KEY (client_account_id, engagement_id)
            REFERENCES migration.engagements (client_account_id, id) ON DELETE RESTRICT;
        """,
        schemas=("migration",),
        everywhere=False,
    ),
    Case(
        "naming-convention",
        settings('scope = "all"'),
        ALL.replace(
            'MetaData(schema="migration")',
            """MetaData(schema="migration", naming_convention={
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
})""",
        ),
        setup=HIERARCHY_ROWS
        + """
        INSERT INTO migration.flows VALUES (1, 1, 10, NULL, NULL), (2, 1, 10, 1, NULL);
        """,
        schemas=("migration",),
        everywhere=False,
    ),
    Case(
        "other-options-and-name",
        settings(),
        PLAIN_ASSETS,
        setup=HIERARCHY_ROWS
        + """
        INSERT INTO migration.assets VALUES (1, 1, 10), (2, 2, 20);
        ALTER TABLE migration.engagements ADD UNIQUE (client_account_id, id);
        ALTER TABLE migration.assets
          ADD CONSTRAINT strict FOREIGN KEY (client_account_id, engagement_id)
            REFERENCES migration.engagements (client_account_id, id) ON DELETE RESTRICT;
        """,
        schemas=("migration",),
        everywhere=False,
    ),
    Case(
        "partitioned-child",
        settings('violations = "quarantine"'),
        PARTITIONED,
        setup=HIERARCHY_ROWS
        + """
        CREATE TABLE migration.events_0 PARTITION OF migration.events
          FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE migration.events_1 PARTITION OF migration.events
          FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        INSERT INTO migration.events SELECT n, 1 + n % 2, 10, n FROM generate_series(1, 9) AS n;
        """,
        schemas=("migration",),
    ),
]
