"""The situations in which the comparison of checks is proven by the laws."""

from __future__ import annotations

from tests.laws.case import Case

SETTINGS = "[tool.alembic-fixups.check-constraints]\n"

CHANGED_BEFORE = """
metadata = MetaData()
Table(
    "orders", metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("status", String(20)),
    Column("price", Integer),
    Column("rebate", Integer),
    CheckConstraint("status IN ('new', 'paid')", name="orders_status"),
    CheckConstraint("price > 0 AND status IN ('new', 'paid')", name="orders_gone"),
    CheckConstraint("price > rebate", name="orders_rebate"),
    CheckConstraint("price < 1000"),
)
"""
CHANGED = """
metadata = MetaData()
Table(
    "orders", metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("status", String(20)),
    Column("price", Integer),
    Column("way", Enum("air", "sea", native_enum=False, create_constraint=True, name="orders_way"),
           server_default="sea"),
    Column("net", Integer),
    CheckConstraint("status IN ('new', 'paid', 'sent')", name="orders_status"),
    CheckConstraint("price >= 0", name="orders_price"),
    CheckConstraint("net <= price", name="orders_net"),
    CheckConstraint("price < 2000"),
)
"""
ROWS = """
INSERT INTO orders (id, status, price, rebate) VALUES (1, 'new', 10, NULL), (2, 'paid', 20, NULL);
COMMENT ON CONSTRAINT orders_status ON orders IS 'why: it''s 100%';
COMMENT ON CONSTRAINT orders_gone ON orders IS 'gone';
ALTER TABLE orders DROP CONSTRAINT orders_rebate;
ALTER TABLE orders ADD CONSTRAINT orders_rebate CHECK (price > rebate) NO INHERIT NOT VALID;
"""

LISTS_BEFORE = """
metadata = MetaData()
Table(
    "flows", metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("a", String(9)),
    Column("b", Text),
    Column("tags", ARRAY(String(9))),
    CheckConstraint("a IN ('x', 'y')", name="flows_a"),
    CheckConstraint("b IN ('x', 'y')", name="flows_b"),
    CheckConstraint("tags <@ ARRAY['x', 'y']::varchar[]", name="flows_tags"),
)
"""
LISTS = """
metadata = MetaData()
Table(
    "flows", metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("a", String(9)),
    Column("b", Text),
    Column("tags", ARRAY(String(9))),
    CheckConstraint("a::text = ANY (ARRAY['y', 'x'])", name="flows_a"),
    CheckConstraint("b IN ('x', 'y', 'z')", name="flows_b"),
    CheckConstraint("tags <@ ARRAY['x']::varchar[]", name="flows_tags"),
)
"""
LIST_ROWS = """
INSERT INTO flows VALUES (1, 'x', 'y', '{x}'), (2, NULL, NULL, NULL), (3, 'y', 'x', '{}');
"""

HEALED = """
metadata = MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"})
Table(
    "stock", metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("count", Integer),
    CheckConstraint("count >= 0", name="positive"),
    CheckConstraint("count < 10", name="late", postgresql_not_valid=True),
    CheckConstraint("count <> 7", name="unlucky"),
)
"""
HEALED_BEFORE = HEALED.replace('    CheckConstraint("count <> 7", name="unlucky"),\n', "").replace(
    "count < 10", "count < 9"
)
HEALED_ROWS = """
ALTER TABLE stock DROP CONSTRAINT ck_stock_positive, DROP CONSTRAINT ck_stock_late;
INSERT INTO stock VALUES (1, 5), (2, 15);
ALTER TABLE stock ADD CONSTRAINT ck_stock_positive CHECK (count >= 0) NOT VALID;
ALTER TABLE stock ADD CONSTRAINT ck_stock_late CHECK (count < 9) NOT VALID;
COMMENT ON CONSTRAINT ck_stock_positive ON stock IS 'kept';
"""

DOMAIN_BEFORE = """
metadata = MetaData()
size = postgresql.DOMAIN("size", Integer, check="VALUE > 0", constraint_name="size_positive")
code = postgresql.DOMAIN("code", String(5), check="VALUE IN ('a', 'b')")
mail = postgresql.DOMAIN("mail", Text)
Table("boxes", metadata, Column("id", Integer, primary_key=True, autoincrement=False),
      Column("size", size), Column("code", code), Column("mail", mail))
"""
DOMAIN = (
    DOMAIN_BEFORE.replace("VALUE > 0", "VALUE >= 0")
    .replace(", check=\"VALUE IN ('a', 'b')\"", "")
    .replace('"mail", Text', '"mail", Text, check="VALUE LIKE \'%@%\'", constraint_name="Has at"')
)
DOMAIN_ROWS = """
INSERT INTO boxes VALUES (1, 3, 'a', 'a@b'), (2, NULL, NULL, NULL);
COMMENT ON CONSTRAINT size_positive ON DOMAIN size IS 'kept';
"""

PARTITIONED_BEFORE = """
metadata = MetaData()
Table("events", metadata, Column("id", Integer, primary_key=True, autoincrement=False),
      Column("kind", Text), CheckConstraint("kind IN ('a', 'b')", name="events_kind"),
      postgresql_partition_by="RANGE (id)")
"""
PARTITIONED = PARTITIONED_BEFORE.replace("('a', 'b')", "('a', 'b', 'c')").replace(
    'name="events_kind")', 'name="events_kind"), CheckConstraint("id > 0", name="events_id")'
)
PARTITIONS = """
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20);
INSERT INTO events VALUES (1, 'a'), (11, 'b');
"""

INHERITED_BEFORE = """
metadata = MetaData()
Table("parent", metadata, Column("id", Integer, CheckConstraint("id > 0", name="positive")),
      Column("s", String(9)), CheckConstraint("s IN ('a', 'b')", name="listed"))
"""
INHERITED = """
metadata = MetaData()
for name in ("parent", "child", "Grand child"):
    Table(name, metadata, Column("id", Integer, CheckConstraint("id >= 0", name="positive")),
          Column("s", String(9)), CheckConstraint("s IN ('a', 'b', 'c')", name="listed"))
"""
CHILDREN = """
CREATE TABLE child (CONSTRAINT listed CHECK (s IN ('a', 'b'))) INHERITS (parent);
CREATE TABLE "Grand child" (CONSTRAINT positive CHECK (id > 0)) INHERITS (child);
COMMENT ON CONSTRAINT listed ON child IS 'it''s :so';
INSERT INTO parent VALUES (1, 'a');
INSERT INTO "Grand child" VALUES (2, 'b');
"""

HOSTILE = r"""
metadata = MetaData()
labels = ["it's", "a:b :c", "100%", "back\\slash", "$$", "$fixup$", "\U0001f600", "x" * 63, '"q"']
columns = ["a 'b' %s:c", '"quoted"']
table = Table(
    'T "x" %s :y $fixup$', metadata,
    Column("Id:x", Integer, primary_key=True, autoincrement=False),
    Column(columns[0], String(63)), Column(columns[1], postgresql.ARRAY(Text)),
)
table.append_constraint(CheckConstraint(table.c[columns[0]].in_(labels), name="c" * 63))
table.append_constraint(CheckConstraint(table.c[columns[1]].contained_by(labels), name='%s ":c"'))
table.append_constraint(CheckConstraint(table.c[columns[0]] != "%(x)s 'y' \\: :z"))
"""
HOSTILE_BEFORE = HOSTILE.replace('"$$", ', '"$$", "gone", ').replace('"%(x)s', '"gone %(x)s')
HOSTILE_ROWS = r"""
INSERT INTO "T ""x"" %s :y $fixup$" VALUES
  (1, '$fixup$', ARRAY['it''s', 'a:b :c']), (2, '100%', NULL), (3, 'back\slash', NULL);
"""

CASES = [
    Case("changed", SETTINGS, CHANGED, CHANGED_BEFORE, ROWS, everywhere=False),
    Case("lists", SETTINGS, LISTS, LISTS_BEFORE, LIST_ROWS, everywhere=False),
    Case("healed", SETTINGS, HEALED, HEALED_BEFORE, HEALED_ROWS, everywhere=False),
    Case("domain", SETTINGS, DOMAIN, DOMAIN_BEFORE, DOMAIN_ROWS),
    Case("partitioned", SETTINGS, PARTITIONED, PARTITIONED_BEFORE, PARTITIONS),
    Case("inherited", SETTINGS, INHERITED, INHERITED_BEFORE, CHILDREN, everywhere=False),
    Case("hostile", SETTINGS, HOSTILE, HOSTILE_BEFORE, HOSTILE_ROWS, everywhere=False),
]
