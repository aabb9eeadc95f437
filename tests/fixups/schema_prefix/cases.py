"""The situations in which schema-prefix normalisation is proven by the laws."""

from __future__ import annotations

from tests.laws.case import Case


def settings(extra: str = "", schema: str = "migration", move_from: str = '["public"]') -> str:
    """A pyproject.toml with the fixup on."""
    return (
        f"[tool.alembic-fixups.schema-prefix]\nschema = '{schema}'\nmove-from = {move_from}\n"
        f"{extra}\n"
    )


MIXED = """
metadata = MetaData()
number_seq = Sequence("number_seq", metadata=metadata)
clients = Table(
    "client_accounts", metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), index=True),
    Column("status", Enum("new", "old", name="account_status"), server_default="new"),
    schema="migration",
)
engagements = Table(
    "engagements", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_account_id", ForeignKey("client_accounts.id", ondelete="CASCADE")),
    Column("number", BigInteger, server_default=number_seq.next_value()),
    Column("tags", ARRAY(Enum("hot", "cold", name="tag", inherit_schema=True))),
    UniqueConstraint("client_account_id", "number"),
)
Table(
    "notes", metadata,
    Column("id", Integer, primary_key=True),
    Column("engagement_id", ForeignKey("migration.engagements.id")),
    Column("client_account_id", Integer),
    Column("number", BigInteger),
    ForeignKeyConstraint(
        ["client_account_id", "number"],
        ["migration.engagements.client_account_id", "migration.engagements.number"],
    ),
    Column("at", DateTime, server_default=text("now()")),
)
"""
"""Written with the schema here and without it there; as the models were in public."""

IN_PUBLIC = (
    MIXED.replace('"client_accounts.id"', '"client_accounts.id"')
    .replace('    schema="migration",\n', "")
    .replace("migration.", "")
)

ROWS = """
INSERT INTO public.client_accounts (name, status) VALUES ('a', 'new'), ('b', 'old');
INSERT INTO public.engagements (client_account_id, tags) VALUES (1, '{hot,cold}'), (2, NULL);
INSERT INTO public.notes (engagement_id, client_account_id, number)
  SELECT id, client_account_id, number FROM public.engagements;
COMMENT ON TABLE public.notes IS 'kept';
CREATE VIEW public.hot AS SELECT id FROM public.engagements WHERE 'hot' = ANY (tags);
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN NEW.at := now(); RETURN NEW; END$$;
CREATE TRIGGER touch BEFORE UPDATE ON public.notes FOR EACH ROW EXECUTE FUNCTION public.touch();
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.notes USING (engagement_id IN (SELECT id FROM public.engagements));
CREATE STATISTICS public.notes_numbers ON client_account_id, number FROM public.notes;
GRANT SELECT ON public.notes TO PUBLIC;
"""

SOME = """
metadata = MetaData(schema="migration")
Table(
    "parents", metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False),
)
Table(
    "children", metadata,
    Column("id", Integer, primary_key=True),
    Column("parent_id", ForeignKey("parents.id")),
    Column("size", Integer),
    Column("more", String(20)),
)
Table("elsewhere", metadata, Column("id", Integer, primary_key=True), schema="audit")
Table("brand_new", metadata, Column("id", Integer, primary_key=True),
      Column("child_id", ForeignKey("migration.children.id")))
"""

SOME_BEFORE = """
metadata = MetaData()
Table("parents", metadata, Column("id", Integer, primary_key=True), Column("name", String(40)),
      schema="migration")
Table("children", metadata, Column("id", Integer, primary_key=True),
      Column("parent_id", ForeignKey("migration.parents.id")), Column("size", BigInteger),
      Column("gone", Integer))
Table("elsewhere", metadata, Column("id", Integer, primary_key=True), schema="audit")
Table("unknown", metadata, Column("id", Integer, primary_key=True), schema="migration")
"""

SOME_ROWS = """
INSERT INTO migration.parents VALUES (1, 'a'), (2, 'b');
INSERT INTO public.children VALUES (1, 1, 5), (2, NULL, 6);
CREATE TABLE audit.children (id int PRIMARY KEY, parent_id int);
"""

NAMES = """
# Every name is awkward in another way.
metadata = MetaData()
Table('a "quoted" %s', metadata, Column("Id:x", Integer, primary_key=True, autoincrement=False))
Table(
    "t" * 63, metadata,
    Column("order", Integer, primary_key=True, autoincrement=False),
    Column("ref", ForeignKey('a "quoted" %s.Id:x')),
    Column("mood", Enum("it's", "100%", ":x", name='Mood "$fixup$"')),
)
Table("user", metadata, Column("id", Integer, primary_key=True, autoincrement=False))
"""

PARTITIONED = """
metadata = MetaData()
Table("events", metadata, Column("id", Integer, primary_key=True, autoincrement=False),
      Column("text", String), postgresql_partition_by="RANGE (id)")
"""

PARTITIONS = """
CREATE TABLE public.events_1 PARTITION OF public.events FOR VALUES FROM (0) TO (10);
CREATE SCHEMA archive;
CREATE TABLE archive.events_2 PARTITION OF public.events FOR VALUES FROM (10) TO (20);
INSERT INTO public.events VALUES (1, 'a'), (11, 'b');
"""

CASES = [
    Case("everything", settings(), MIXED, IN_PUBLIC, ROWS),
    Case(
        "some",
        settings(),
        SOME,
        SOME_BEFORE,
        SOME_ROWS,
        schemas=("migration", "audit"),
        everywhere=False,
    ),
    Case(
        "nothing-to-move",
        settings(move_from="[]"),
        MIXED.replace(
            '    Column("at",',
            '    Column("new", Integer, nullable=False, server_default="0"),\n    Column("at",',
        ),
        MIXED.replace("MetaData()", 'MetaData(schema="migration")').replace("migration.", ""),
        schemas=("migration",),
        everywhere=False,
    ),
    Case("names", settings(schema='The "new" %s: $fixup$ schema'), NAMES),
    Case("partitioned", settings(), PARTITIONED, setup=PARTITIONS),
    Case(
        "with-tenant-keys",
        settings()
        + """
[tool.alembic-fixups.tenant-keys]
levels = [
  { table = "clients", column = "client_id" },
  { table = "projects", column = "project_id" },
]
""",
        """
metadata = MetaData()
Table("clients", metadata, Column("id", Integer, primary_key=True))
Table("projects", metadata, Column("id", Integer, primary_key=True),
      Column("client_id", ForeignKey("clients.id"), nullable=False))
Table("tasks", metadata, Column("id", Integer, primary_key=True),
      Column("client_id", ForeignKey("clients.id"), nullable=False),
      Column("project_id", ForeignKey("projects.id"), nullable=False))
""",
        setup="""
INSERT INTO clients VALUES (1), (2);
INSERT INTO projects VALUES (10, 1), (20, 2);
INSERT INTO tasks VALUES (1, 1, 10), (2, 2, 20);
""",
        everywhere=False,
    ),
]
