"""Foreign keys: any shape of them, circles, and rows that belong together."""

from __future__ import annotations

import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from tests.prove.made_up.rows import (
    Connection,
    complete,
    filled,
    number,
    revalidated,
    without_null_or_value,
)

pytestmark = pytest.mark.postgres(16)


def test_all_shapes(connection: Connection) -> None:
    connection.execute(
        """
        CREATE TABLE a (x int, y text, code varchar(20) NOT NULL UNIQUE, PRIMARY KEY (x, y));
        CREATE TABLE b (id serial PRIMARY KEY, ax int, ay text, code text REFERENCES a (code),
                        FOREIGN KEY (ax, ay) REFERENCES a MATCH FULL);
        CREATE TABLE c (id serial PRIMARY KEY, x int NOT NULL, y text, z text NOT NULL,
                        FOREIGN KEY (x, y) REFERENCES a,
                        FOREIGN KEY (x, z) REFERENCES a DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE tree (id serial PRIMARY KEY, parent int REFERENCES tree, name text);
        CREATE TABLE ring (id int PRIMARY KEY, next int NOT NULL REFERENCES ring);
        CREATE TABLE serial_ring (id serial PRIMARY KEY, next int NOT NULL REFERENCES serial_ring);
        CREATE TABLE identity_ring (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                                    next int NOT NULL REFERENCES identity_ring);
        CREATE TABLE tenant_tree (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
                                  FOREIGN KEY (tenant, parent) REFERENCES tenant_tree);
        CREATE TABLE base (id int PRIMARY KEY, x text);
        CREATE TABLE derived (y int) INHERITS (base);
        CREATE TABLE uses (id serial PRIMARY KEY, base int NOT NULL REFERENCES base);
        """
    )
    complete(connection)
    for table in ("b", "c", "tree", "tenant_tree"):
        assert without_null_or_value(connection, table) == []
    assert revalidated(connection) == 10
    assert number(connection, "SELECT nextval('identity_ring_id_seq')") > number(
        connection, "SELECT max(id) FROM identity_ring"
    )


CIRCLES = {
    "nullable": (
        """
        CREATE TABLE a (id serial PRIMARY KEY, b int);
        CREATE TABLE b (id serial PRIMARY KEY, a int NOT NULL REFERENCES a);
        ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b
        """
    ),
    "deferrable": (
        """
        CREATE TABLE a (id serial PRIMARY KEY, b int NOT NULL);
        CREATE TABLE b (id serial PRIMARY KEY, a int NOT NULL REFERENCES a);
        ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b DEFERRABLE
        """
    ),
    "neither": (
        """
        CREATE TABLE a (id serial PRIMARY KEY, b int NOT NULL, x text);
        CREATE TABLE c (id serial PRIMARY KEY, a int NOT NULL REFERENCES a);
        CREATE TABLE b (id serial PRIMARY KEY, c int NOT NULL REFERENCES c, UNIQUE (c));
        ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b
        """
    ),
}


@pytest.mark.parametrize("case", CIRCLES)
def test_circles(connection: Connection, case: str) -> None:
    connection.execute(CIRCLES[case])
    complete(connection)
    assert number(connection, "SELECT count(DISTINCT b) FROM a") > 3
    assert without_null_or_value(connection, "a") == []
    assert number(connection, "SELECT count(*) FROM a LEFT JOIN b ON b.id = a.b WHERE b.id IS NULL"
                  " AND a.b IS NOT NULL") == 0  # fmt: skip
    assert revalidated(connection) == (3 if case == "neither" else 2)
    assert connection.execute("SHOW session_replication_role").fetchone() == ("origin",)


def test_a_circle_that_only_a_superuser_can_fill(
    connection: Connection, database_url: URL, owner: str
) -> None:
    connection.execute(CIRCLES["neither"])
    connection.execute("CREATE TABLE other (id serial PRIMARY KEY, a int REFERENCES a)")
    for table in ("a", "b", "c", "other"):
        connection.execute(f"ALTER TABLE {table} OWNER TO {owner}")
    with scratch.connect(database_url) as theirs:
        theirs.execute(f"SET ROLE {owner}")
        outcomes = filled(theirs)
    assert [outcomes[f"public.{name}"].rows for name in "abc"] == [0, 0, 0]
    assert all("superuser" in outcomes[f"public.{name}"].problem for name in "abc")
    assert outcomes["public.other"].rows == 20
    assert number(connection, "SELECT count(*) FROM a") == 0


TENANTS = """
CREATE TABLE clients (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE engagements (id uuid PRIMARY KEY, client_id uuid NOT NULL REFERENCES clients);
CREATE TABLE users (id serial PRIMARY KEY, client_id uuid NOT NULL REFERENCES clients);
CREATE TABLE assets (id serial PRIMARY KEY, client_id uuid NOT NULL REFERENCES clients,
    engagement_id uuid NOT NULL REFERENCES engagements, owner_id int REFERENCES users);
CREATE TABLE links (id serial PRIMARY KEY, source_id int NOT NULL REFERENCES assets,
    target_id int NOT NULL REFERENCES assets, engagement_id uuid NOT NULL REFERENCES engagements,
    client_id uuid REFERENCES clients, created_by int NOT NULL REFERENCES users,
    approved_by int REFERENCES users, parent_id int REFERENCES links);
CREATE TABLE notes (id serial PRIMARY KEY, link_id int NOT NULL REFERENCES links,
    company uuid NOT NULL REFERENCES clients);
"""


@pytest.mark.parametrize(("rows", "seed"), [(20, 1), (20, 2), (3, 3), (100, 4)])
def test_rows_agree_with_their_parents(connection: Connection, rows: int, seed: int) -> None:
    connection.execute(TENANTS)
    outcomes = filled(connection, rows, seed)
    # Of three rows there may be no two that belong together.
    assert all(one.rows == rows for one in outcomes.values()) or rows == 3
    for wrong in (
        "assets x JOIN engagements p ON p.id = x.engagement_id WHERE x.client_id <> p.client_id",
        "assets x JOIN users p ON p.id = x.owner_id WHERE x.client_id <> p.client_id",
        "links x JOIN engagements p ON p.id = x.engagement_id WHERE x.client_id <> p.client_id",
        "links x JOIN assets p ON p.id = x.source_id WHERE x.engagement_id <> p.engagement_id",
        "links x JOIN assets p ON p.id = x.target_id WHERE x.engagement_id <> p.engagement_id",
        "links x JOIN users p ON p.id = x.created_by JOIN assets a ON a.id = x.source_id"
        " WHERE a.client_id <> p.client_id",
        "links x JOIN links p ON p.id = x.parent_id WHERE x.engagement_id <> p.engagement_id",
        "notes x JOIN links l ON l.id = link_id JOIN assets p ON p.id = source_id"
        " WHERE company <> p.client_id",
    ):
        assert number(connection, f"SELECT count(*) FROM {wrong}") == 0, wrong
    if rows > 3:
        assert number(connection, "SELECT count(DISTINCT engagement_id) FROM links") > 1
        assert number(connection, "SELECT count(*) FROM links WHERE source_id <> target_id") > 0
        assert without_null_or_value(connection, "links") == []


def test_a_tenant_that_no_foreign_key_names(connection: Connection) -> None:
    connection.execute(
        """
        CREATE TABLE projects (id serial PRIMARY KEY, tenant_id uuid NOT NULL,
                               UNIQUE (tenant_id, id));
        CREATE TABLE users (id serial PRIMARY KEY, tenant_id uuid NOT NULL, UNIQUE (id, tenant_id));
        CREATE TABLE tasks (id serial PRIMARY KEY, tenant_id uuid NOT NULL,
                            project_id int NOT NULL REFERENCES projects,
                            user_id int NOT NULL REFERENCES users);
        CREATE TABLE comments (id serial PRIMARY KEY, tenant_id uuid,
                               task_id int REFERENCES tasks);
        """
    )
    complete(connection)
    for child, parent, key in (
        ("tasks", "projects", "project_id"),
        ("tasks", "users", "user_id"),
        ("comments", "tasks", "task_id"),
    ):
        query = f"SELECT count(*) FROM {child} x JOIN {parent} p ON p.id = x.{key} WHERE "
        assert number(connection, query + "x.tenant_id <> p.tenant_id") == 0
        assert number(connection, query + "x.tenant_id = p.tenant_id") > 10
    assert number(connection, "SELECT count(DISTINCT tenant_id) FROM tasks") > 1
    assert without_null_or_value(connection, "comments") == []


def test_a_foreign_key_that_was_forgotten(connection: Connection) -> None:
    connection.execute(
        """
        CREATE TABLE clients (id serial PRIMARY KEY);
        CREATE TABLE engagements (id serial PRIMARY KEY, client_id int NOT NULL REFERENCES clients);
        CREATE TABLE assets (id serial PRIMARY KEY, client_id int NOT NULL REFERENCES clients,
                             engagement_id int NOT NULL REFERENCES engagements);
        CREATE TABLE usage (id serial PRIMARY KEY, client_id int NOT NULL REFERENCES clients,
                            engagement_id int);
        CREATE TABLE named_alike (engagement_id int PRIMARY KEY, client_id text);
        """
    )
    complete(connection)
    query = "SELECT count(*) FROM usage x LEFT JOIN engagements p ON p.id = x.engagement_id"
    assert number(connection, f"{query} WHERE x.client_id = p.client_id") > 10
    wrong = "x.engagement_id IS NOT NULL AND p.client_id IS DISTINCT FROM x.client_id"
    assert number(connection, f"{query} WHERE {wrong}") == 0
