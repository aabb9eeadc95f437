"""The migrations run as a role that owns what they change and may do nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from psycopg import sql
from sqlalchemy.exc import SQLAlchemyError

from alembic_fixups import scratch
from tests.laws import snapshot
from tests.laws.case import Case
from tests.laws.conftest import OPTIONS
from tests.projects import Project

GIVE = """
DO $$
DECLARE
  one text;
BEGIN
  FOR one IN
      SELECT format('ALTER %s %s OWNER TO {role}',
                    CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW'
                                 WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END,
                    oid::regclass)
        FROM pg_class
       WHERE relkind IN ('r', 'p', 'S', 'v', 'm')
         AND relnamespace::regnamespace::text !~ '^(pg_|info)'
         AND NOT EXISTS (SELECT FROM pg_depend
                          WHERE objid = pg_class.oid AND deptype IN ('a', 'i', 'e')
                            AND classid = 'pg_class'::regclass AND pg_class.relkind = 'S')
       UNION ALL
      SELECT format('ALTER %s %s OWNER TO {role}',
                    CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, oid::regtype)
        FROM pg_type
       WHERE typtype IN ('e', 'd') AND typnamespace::regnamespace::text !~ '^(pg_|info)'
       UNION ALL
      SELECT format('ALTER STATISTICS %s.%I OWNER TO {role}', stxnamespace::regnamespace, stxname)
        FROM pg_statistic_ext
       UNION ALL
      SELECT format('ALTER ROUTINE %s OWNER TO {role}', oid::regprocedure)
        FROM pg_proc
       WHERE pronamespace::regnamespace::text !~ '^(pg_|info)'
         AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
       UNION ALL
      SELECT format('GRANT USAGE, CREATE ON SCHEMA %I TO {role}', nspname)
        FROM pg_namespace WHERE nspname !~ '^(pg_|info)'
       UNION ALL
      SELECT format('GRANT CREATE ON DATABASE %I TO {role}', current_database())
  LOOP
    EXECUTE one;
  END LOOP;
END $$
"""

TAKE = """
DO $$
DECLARE
  one text;
BEGIN
  FOR one IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|info)' LOOP
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM {role}', one);
  END LOOP;
  ALTER TABLE alembic_version OWNER TO {role};
END $$
"""


@pytest.fixture
def owner(project: Project) -> Iterator[str]:
    """A role that owns everything in the project's database, and is no superuser."""
    role = f"owner_{uuid4().hex[:8]}"
    with scratch.connect(project.url) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        connection.execute(GIVE.format(role=role).encode())
    yield role
    with scratch.connect(project.url) as connection:
        connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(role)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


FIRES_TRIGGERS = {"enum_check-online", "enum_check-later"}
"""What moves rows of a table with triggers, as no role but a superuser can without their firing."""

NEEDS_CREATE = (
    "tenant_keys-basic",
    "tenant_keys-all",
    "enum_check-auto",
    "enum_check-names-online",
    "enum_check-keys",
    "redundant_index-after-tenant-keys",
    "schema_prefix-some",
)


@pytest.mark.postgres(16)
def test_the_owner_of_the_tables_may_do_it_all(case: Case, project: Project, owner: str) -> None:
    session = [f'SET ROLE "{owner}"']
    project.autogenerate(**OPTIONS, session=session)
    if case.name in FIRES_TRIGGERS:
        with pytest.raises(SQLAlchemyError, match="role that may set session_replication_role"):
            project.upgrade(session=session)
        return
    project.upgrade(session=session)
    assert project.is_converged(**OPTIONS, session=session)
    project.downgrade("base", session=session)
    project.upgrade(session=session)


@pytest.mark.postgres(16)
@pytest.mark.cases(*NEEDS_CREATE)
def test_which_privilege_is_missing(
    case: Case, project: Project, owner: str, server: scratch.Server
) -> None:
    """CREATE on a schema, which PostgreSQL's own message does not name."""
    project.autogenerate(**OPTIONS)
    with scratch.connect(project.url) as connection:
        connection.execute(TAKE.format(role=owner).encode())
    before = snapshot.both(server, project.url)
    with pytest.raises(SQLAlchemyError, match="CREATE on ") as raised:
        project.upgrade(session=[f'SET ROLE "{owner}"'])
    assert "schema" in str(raised.value)
    assert snapshot.both(server, project.url) == before, "nothing is changed"
