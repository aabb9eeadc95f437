"""The situations in which ENUM -> CHECK is proven by the laws."""

from __future__ import annotations

from tests.laws.case import Case


def settings(strategy: str, extra: str = "") -> str:
    """A pyproject.toml with the fixup on."""
    return f"[tool.alembic-fixups.enum-check]\nstrategy = '{strategy}'\n{extra}\n"


TABLES = """
metadata = MetaData()
status = Enum("new", "it's", "old", name="Status")
orders = Table(
    "orders", metadata,
    Column("id", Integer, primary_key=True),
    Column("status", status, nullable=False, server_default="new", comment="where it stands"),
    Column("before", status),
    Column("amount", Integer),
    CheckConstraint("amount > 0 OR status = 'new'", name="paid"),
    Index("ix_orders_status", "status"),
    Index("ix_orders_open", "amount", postgresql_where=text("status = 'new'")),
    Index("ux_orders", "amount", "status", unique=True),
)
"""

WITH_ARRAYS = (
    TABLES
    + """
Table(
    "tagged", metadata,
    Column("id", Integer, primary_key=True),
    Column("tags", ARRAY(Enum("hot", "cold", name="tag")), server_default="{hot}"),
    Column("matrix", ARRAY(Enum("hot", "cold", name="tag"), dimensions=2)),
    Column("status", status),
    Column("is_new", Boolean, Computed("status = 'new'", persisted=True)),
)
"""
)

ROLES = """
DO $$ BEGIN
  CREATE ROLE fixup_reader; CREATE ROLE fixup_owner;
EXCEPTION WHEN duplicate_object THEN NULL; END $$;
"""

HANGING = (
    ROLES
    + """
INSERT INTO orders (status, before, amount) VALUES
  ('new', NULL, 1), ('old', 'new', 2), ('it''s', 'it''s', 3), ('old', NULL, NULL);
ALTER TABLE orders ALTER status SET STATISTICS 500;
ALTER TABLE orders ALTER status SET (n_distinct = 3);
COMMENT ON TYPE "Status" IS 'the type';
GRANT SELECT (status), UPDATE (status) ON orders TO fixup_reader;
COMMENT ON CONSTRAINT paid ON orders IS 'a check';
COMMENT ON INDEX ix_orders_status IS 'an index';
COMMENT ON INDEX ix_orders_open IS 'a partial one';
CREATE VIEW open_orders WITH (security_barrier = true) AS
  SELECT id, status, amount FROM orders WHERE status IN ('new', 'it''s') AND before IS NULL;
COMMENT ON VIEW open_orders IS 'open';
COMMENT ON COLUMN open_orders.status IS 'it''s "quoted"';
ALTER VIEW open_orders ALTER status SET DEFAULT 'old';
GRANT SELECT ON open_orders TO fixup_reader WITH GRANT OPTION;
GRANT UPDATE (status) ON open_orders TO PUBLIC;
CREATE VIEW first_orders WITH (security_invoker = true) AS
  SELECT status::text || '!' AS shout, count(*) FROM open_orders GROUP BY status ORDER BY status;
ALTER VIEW first_orders OWNER TO fixup_owner;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN NEW.amount := NEW.amount + 1; RETURN NEW; END$$;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER on_status AFTER UPDATE OF status, before ON orders FOR EACH ROW
  WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status = 'old') EXECUTE FUNCTION nothing();
ALTER TABLE orders DISABLE TRIGGER on_status;
COMMENT ON TRIGGER on_status ON orders IS 'a trigger';
CREATE TRIGGER instead INSTEAD OF INSERT ON open_orders FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE RULE keep AS ON DELETE TO orders WHERE OLD.status = 'it''s' DO INSTEAD NOTHING;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON orders AS RESTRICTIVE FOR SELECT TO fixup_reader
  USING (status <> 'old' AND id IN (SELECT o.id FROM open_orders o));
COMMENT ON POLICY readers ON orders IS 'a policy';
CREATE STATISTICS together ON status, amount FROM orders;
CREATE TABLE audit (id int PRIMARY KEY, order_id int);
"""
)

STACKED = (
    HANGING
    + """
INSERT INTO tagged (tags, matrix, status) VALUES
  ('{hot,NULL}', '{{hot,cold},{cold,NULL}}', 'new'), (NULL, NULL, NULL), ('{}', '{}', 'it''s');
CREATE MATERIALIZED VIEW counted AS
  SELECT status, count(*) AS orders FROM open_orders GROUP BY status;
CREATE UNIQUE INDEX counted_status ON counted (status);
COMMENT ON INDEX counted_status IS 'of a view';
ALTER MATERIALIZED VIEW counted ALTER orders SET STATISTICS 10;
GRANT SELECT ON counted TO fixup_reader;
CREATE MATERIALIZED VIEW unfilled AS SELECT * FROM counted WHERE status > 'new' WITH NO DATA;
CREATE VIEW on_both AS
  SELECT t.id, t.tags @> '{hot}' AS is_hot, 'cold' = ANY (t.tags) AS is_cold, c.orders
    FROM tagged t LEFT JOIN counted c USING (status) WHERE t.is_new;
CREATE INDEX tagged_tags ON tagged USING gin (tags);
"""
)

PARTITIONED = """
metadata = MetaData()
kind = Enum("a", "b", name="kind")
Table("events", metadata, Column("id", Integer, primary_key=True, autoincrement=False),
      Column("kind", kind, nullable=False, server_default="a"),
      Index("events_b", "id", postgresql_where=text("kind = 'b'")),
      postgresql_partition_by="RANGE (id)")
Table("base", metadata, Column("id", Integer, primary_key=True), Column("kind", kind))
Table("derived", metadata, Column("id", Integer, nullable=False), Column("kind", kind),
      Column("more", Integer),
      CheckConstraint("kind <> 'a' OR more > 0", name="more"), postgresql_inherits="base")
"""

PARTITIONS = """
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20);
ALTER TABLE ONLY events_2 ALTER kind SET DEFAULT 'b';
INSERT INTO events VALUES (1, 'a'), (11, 'b');
INSERT INTO base (kind) VALUES ('a'), (NULL);
INSERT INTO derived (kind, more) VALUES ('b', 0);
CREATE VIEW parts AS SELECT * FROM events WHERE kind = 'a';
CREATE VIEW one_part AS SELECT * FROM events_1 WHERE kind = 'a';
"""

KEYS = """
metadata = MetaData()
code = postgresql.ENUM("x", "y", "z", name="code", schema="types")
Table("codes", metadata, Column("code", code, primary_key=True), schema="app")
Table("uses", metadata, Column("id", Integer, primary_key=True),
      Column("code", code, ForeignKey("app.codes.code", ondelete="CASCADE", name="uses_code")),
      Column("other", code), UniqueConstraint("code", "other", name="uses_key"),
      postgresql.ExcludeConstraint(("id", "="), where=text("code = 'x'::types.code"),
                                   name="one_x", using="btree"),
      schema="app")
"""

KEY_ROWS = """
INSERT INTO app.codes VALUES ('x'), ('y');
INSERT INTO app.uses (code, other) VALUES ('x', 'z'), ('y', NULL), (NULL, NULL);
CREATE FUNCTION app.is_x(c types.code) RETURNS boolean LANGUAGE sql AS 'SELECT c = ''x''';
CREATE TABLE app.unknown (c types.code);
"""

NAMES = """
metadata = MetaData()
Table('a "b" %s', metadata,
      Column("Id:x", Integer, primary_key=True, autoincrement=False),
      Column('se"l%s:ct',
             Enum("it's", "100%", ":x", "$fixup$", "back\\\\slash", '"', name='Mo"od %'),
             nullable=False, server_default="it's"),
      Column("c" * 63, Enum("é" * 31, "🙂", "$$", name="n" * 63)),
      Index("i" * 63, "c" * 63))
"""

NAMES_ROWS = """
INSERT INTO "a ""b"" %s" VALUES (1, '100%', '🙂'), (2, ':x', NULL), (3, E'back\\\\slash', '$$');
CREATE VIEW "v ""w" AS SELECT * FROM "a ""b"" %s" WHERE "se""l%s:ct" IN ('it''s', ':x', '"');
"""

OTHERS = """
import enum
class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"
metadata = MetaData()
Table("plain", metadata, Column("id", Integer, primary_key=True),
      Column("by_name", Enum(Colour, name="colour")),
      Column("by_value",
             Enum(Colour, name="shade", values_callable=lambda e: [m.value for m in e])),
      Column("not_native", Enum("s", "m", "large", name="size", native_enum=False, length=10)),
      Column("text", String(20)),
      Column("renamed", Enum("open", "shut", name="state")),
      Column("kept", Enum("k", name="kept")))
"""

OTHERS_BEFORE = """
metadata = MetaData()
Table("plain", metadata, Column("id", Integer, primary_key=True),
      Column("by_name", Enum("RED", "GREEN", "BLUE", name="colour")),
      Column("by_value", Enum("red", "green", name="shade")),
      Column("not_native", Enum("s", "m", name="size")),
      Column("text", Enum("order", "thing", name="word"), server_default="order"),
      Column("renamed", Enum("opened", "shut", name="state"), server_default="shut"),
      Column("kept", Enum("k", name="kept")))
"""

OTHERS_ROWS = """
INSERT INTO plain (by_name, by_value, not_native, text, renamed, kept) VALUES
  ('RED', 'green', 's', 'thing', 'opened', 'k'), ('GREEN', NULL, 'm', NULL, 'shut', NULL);
"""

RENAMES = "exclude = ['kept']\n[tool.alembic-fixups.enum-check.renames.state]\nopened = 'open'"

CASES = [
    Case(
        "rewrite",
        settings("rewrite"),
        WITH_ARRAYS,
        setup=STACKED,
        reorders=True,
        findings=frozenset({"order"}),
    ),
    Case(
        "online",
        settings("online"),
        TABLES,
        setup=HANGING,
        reorders=True,
        findings=frozenset({"order"}),
    ),
    Case(
        "auto",
        settings("auto"),
        TABLES,
        setup=HANGING,
        findings=frozenset({"order"}),
        everywhere=False,
    ),
    Case("partitioned", settings("auto"), PARTITIONED, setup=PARTITIONS),
    Case(
        "keys",
        settings("rewrite", "storage = 'text'"),
        KEYS,
        setup=KEY_ROWS,
        schemas=("app", "types"),
        everywhere=False,
    ),
    Case(
        "names",
        settings("rewrite"),
        NAMES,
        setup=NAMES_ROWS,
        findings=frozenset({"order"}),
        everywhere=False,
    ),
    Case(
        "names-online",
        settings("online"),
        NAMES,
        setup=NAMES_ROWS,
        reorders=True,
        findings=frozenset({"order"}),
        everywhere=False,
    ),
    Case(
        "others",
        settings("rewrite", RENAMES),
        OTHERS,
        OTHERS_BEFORE,
        OTHERS_ROWS,
        findings=frozenset({"unchecked"}),
        everywhere=False,
    ),
]

LATER = """
metadata = MetaData()
Table("orders", metadata, Column("id", Integer, primary_key=True),
      Column("status", Enum("open", "shut", "gone", name="state"), nullable=False),
      Column("tags", ARRAY(Enum("warm", "cold", name="tag"))),
      Column("size", Enum("s", "m", name="size")))
"""

LATER_BEFORE = """
metadata = MetaData()
Table("orders", metadata, Column("id", Integer, primary_key=True),
      Column("status", String(63), CheckConstraint("status IN ('opened', 'shut')",
             name="ck_orders_status"), nullable=False),
      Column("tags", ARRAY(String(63)), CheckConstraint(
             "array_replace(tags, NULL, 'hot') <@ ARRAY['hot', 'cold']::varchar[]",
             name="ck_orders_tags")),
      Column("size", String(63), CheckConstraint("size IN ('s', 'm', 'l')",
             name="ck_orders_size")))
"""

LATER_ROWS = """
INSERT INTO orders (status, tags, size)
  SELECT CASE WHEN n % 2 = 0 THEN 'opened' ELSE 'shut' END, '{hot,NULL}', 's'
    FROM generate_series(1, 50) n;
COMMENT ON CONSTRAINT ck_orders_status ON orders IS 'a comment';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN NEW.size := 'm'; RETURN NEW; END$$;
CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
"""

CASES.append(
    Case(
        "later",
        settings(
            "auto",
            "[tool.alembic-fixups.enum-check.renames]\n"
            "'public.orders.status' = {opened = 'open'}\ntag = {hot = 'warm'}",
        ),
        LATER,
        LATER_BEFORE,
        LATER_ROWS,
        everywhere=False,
    )
)

DOMAINS = """
metadata = MetaData()
mood = Enum("sad", "ok", "happy", name="mood")
good = postgresql.DOMAIN("good", mood, check="VALUE <> 'sad'", constraint_name="not_sad")
Table("people", metadata, Column("id", Integer, primary_key=True),
      Column("mood", good, nullable=False), Column("plain", mood),
      Column("several", ARRAY(postgresql.DOMAIN("order", mood))))
Table("pets", metadata, Column("id", Integer, primary_key=True), Column("mood", good),
      Column("moods", postgresql.DOMAIN("moods", ARRAY(mood))))
"""

DOMAIN_ROWS = (
    ROLES
    + """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN good AS mood CONSTRAINT not_sad CHECK (VALUE <> 'sad') DEFAULT 'ok';
CREATE DOMAIN "order" AS mood;
CREATE DOMAIN moods AS mood[];
CREATE TABLE people (id serial PRIMARY KEY, mood good NOT NULL, plain mood, several "order"[]);
CREATE TABLE pets (id serial PRIMARY KEY, mood good, moods moods);
COMMENT ON DOMAIN good IS 'never sad';
COMMENT ON CONSTRAINT not_sad ON DOMAIN good IS 'a check';
GRANT USAGE ON DOMAIN good TO fixup_reader;
INSERT INTO people (mood, plain, several) VALUES ('happy', 'sad', '{ok,NULL}');
INSERT INTO pets (moods) VALUES ('{sad,ok}'), (NULL);
CREATE VIEW happy AS
  SELECT id, mood FROM people WHERE mood::mood = 'happy' OR plain = 'sad';
"""
)

CASES.append(
    Case(
        "domains",
        settings("auto"),
        DOMAINS,
        "metadata = MetaData()",
        setup=DOMAIN_ROWS,
        everywhere=False,
    )
)

WRITTEN = """
metadata = MetaData()
status = Enum("new", "old", "gone", name="status", native_enum=False, length=63)
Table("orders", metadata, Column("id", Integer, primary_key=True),
      Column("status", status), Column("was", status), Column("all", ARRAY(status)),
      Column("kind", String(63)),
      CheckConstraint("status IN ('new', 'old')", name="ck_orders_status"),
      CheckConstraint("was IN ('new', 'old', 'gone')", name="ck_orders_was"),
      CheckConstraint("array_replace(\\"all\\", NULL, 'new') <@ ARRAY['new']::varchar[]",
                      name="ck_orders_all"),
      CheckConstraint("kind IN ('a', 'b')", name="ck_orders_kind"))
"""

WRITTEN_BEFORE = """
metadata = MetaData()
status = Enum("new", "old", name="status")
Table("orders", metadata, Column("id", Integer, primary_key=True),
      Column("status", String(63), CheckConstraint("status IN ('new', 'old')",
             name="ck_orders_status")),
      Column("was", status), Column("all", ARRAY(status)),
      Column("kind", Enum("a", "b", name="kind")))
"""

WRITTEN_ROWS = """
INSERT INTO orders (status, was, "all", kind) VALUES
  ('new', 'old', '{new,NULL}', 'a'), ('old', NULL, NULL, NULL);
"""

CASES.append(
    Case("written", settings("auto"), WRITTEN, WRITTEN_BEFORE, WRITTEN_ROWS, everywhere=False)
)
