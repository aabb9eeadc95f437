"""What migrations change around a database and pg_dump leaves to pg_dumpall: roles, and what is
set on the database as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg

from alembic_fixups.rendering import quoting
from alembic_fixups.squash.guards import Statement
from alembic_fixups.squash.statements import block, guarded

_ROLES = "SELECT rolname FROM pg_catalog.pg_roles ORDER BY 1"

_NAMED = """
SELECT DISTINCT rolname
  FROM pg_catalog.pg_shdepend AS depends
  JOIN pg_catalog.pg_database AS here ON here.datname = pg_catalog.current_database()
  JOIN pg_catalog.pg_roles AS role ON role.oid = refobjid
 WHERE refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
   AND (dbid = here.oid
        OR classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND objid = here.oid)
"""

_ATTRIBUTES = """pg_catalog.concat_ws(' ',
           CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
           CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
           CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
           CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
           CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
           CASE WHEN rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
           CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
           'CONNECTION LIMIT ' || rolconnlimit,
           'VALID UNTIL ' || pg_catalog.quote_literal(rolvaliduntil::text))"""
"""What a role may do, but for its password."""

_DEFINITIONS = f"""
SELECT rolname, pg_catalog.concat_ws(' ', {_ATTRIBUTES},
           'PASSWORD ' || pg_catalog.quote_literal(rolpassword))
  FROM pg_catalog.pg_authid
 WHERE rolname = ANY (%s)
 ORDER BY ctid
"""
"""In the order of the table, in which pg_dump names the roles of a policy."""

_COMMENTS = """
SELECT rolname, pg_catalog.shobj_description(oid, 'pg_authid')
  FROM pg_catalog.pg_roles
 WHERE rolname = ANY (%s) AND pg_catalog.shobj_description(oid, 'pg_authid') IS NOT NULL
 ORDER BY 1
"""

# Options other than ADMIN came with PostgreSQL 16.
_MEMBERS = """
SELECT granted.rolname, member.rolname, pg_catalog.concat_ws(', ',
           CASE WHEN admin_option THEN 'ADMIN OPTION' END,
           'INHERIT ' || nullif((pg_catalog.to_jsonb(one) ->> 'inherit_option')::boolean,
                                member.rolinherit),
           'SET ' || nullif((pg_catalog.to_jsonb(one) ->> 'set_option')::boolean, true))
  FROM pg_catalog.pg_auth_members AS one
  JOIN pg_catalog.pg_roles AS granted ON granted.oid = roleid
  JOIN pg_catalog.pg_roles AS member ON member.oid = one.member
 WHERE (granted.rolname = ANY (%s) OR member.rolname = ANY (%s)) AND member.rolname <> %s
 ORDER BY 1, 2
"""

_SETTINGS = """
SELECT role.rolname, setting.setdatabase <> 0, entry.value
  FROM pg_catalog.pg_db_role_setting AS setting
  LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = setting.setrole,
       pg_catalog.unnest(setting.setconfig) WITH ORDINALITY AS entry (value, number)
 WHERE setting.setdatabase = (SELECT oid FROM pg_catalog.pg_database
                               WHERE datname = pg_catalog.current_database())
    OR setting.setdatabase = 0 AND role.rolname = ANY (%s)
 ORDER BY 2, 1 NULLS FIRST, entry.number
"""

_DATABASE = """
SELECT pg_catalog.shobj_description(oid, 'pg_database'),
       ARRAY(SELECT pg_catalog.format('%s|%s|%s', coalesce(role.rolname, ''), privilege_type,
                                      is_grantable)
               FROM pg_catalog.aclexplode(datacl)
               LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = grantee
              WHERE grantee <> datdba
              ORDER BY 1),
       datacl IS NOT NULL
  FROM pg_catalog.pg_database
 WHERE datname = pg_catalog.current_database()
"""


_SAID = f"""
SELECT rolname, NULL, 'ALTER ROLE %I WITH ' || {_ATTRIBUTES}
  FROM pg_catalog.pg_roles
UNION ALL
SELECT rolname, NULL, 'COMMENT ON ROLE %I IS ' || pg_catalog.quote_literal(
           pg_catalog.shobj_description(oid, 'pg_authid'))
  FROM pg_catalog.pg_roles
 WHERE pg_catalog.shobj_description(oid, 'pg_authid') IS NOT NULL
UNION ALL
SELECT granted.rolname, member.rolname,
       'GRANT %I TO %I' || CASE WHEN admin_option THEN ' WITH ADMIN OPTION' ELSE '' END
  FROM pg_catalog.pg_auth_members AS one
  JOIN pg_catalog.pg_roles AS granted ON granted.oid = roleid
  JOIN pg_catalog.pg_roles AS member ON member.oid = one.member
UNION ALL
SELECT rolname, NULL, 'ALTER ROLE %I SET ' || entry
  FROM pg_catalog.pg_db_role_setting AS setting
  JOIN pg_catalog.pg_roles AS role ON role.oid = setting.setrole,
       pg_catalog.unnest(setting.setconfig) AS entry
 WHERE setting.setdatabase = 0
 ORDER BY 1, 2, 3
"""


def roles(connection: psycopg.Connection[Any]) -> set[str]:
    """The names of the roles that the server has."""
    return {name for (name,) in connection.execute(_ROLES)}


def named(connection: psycopg.Connection[Any]) -> set[str]:
    """The roles that something in the database names: owners, grantees, those of policies.

    Not those that every server has, which PostgreSQL keeps no account of (pg_shdepend).
    """
    return {name for (name,) in connection.execute(_NAMED)}


Said = tuple[str, str | None, str]
"""A role, in a GRANT the one that is made its member, and the statement with ``%I`` for them."""


def said_of_roles(connection: psycopg.Connection[Any]) -> list[Said]:
    """What the server's roles may do, what they belong to, and what is set for them.

    Without passwords, which are never the same twice; those of new roles are in the snapshot.
    """
    return connection.execute(_SAID).fetchall()


def statements(
    connection: psycopg.Connection[Any],
    before: Iterable[str],
    replayer: str,
    said_before: Iterable[Said] | None = None,
) -> list[Statement]:
    """What makes the roles that were not there *before*, and sets what is set on the database.

    Takes the role that the chain was replayed as, which is not named, and what was said of the
    roles before, if anybody looked: what the chain says of those that were there is said again.
    """
    made = sorted(roles(connection) - set(before))
    found = []
    for name, attributes in connection.execute(_DEFINITIONS, [made]):
        create = f"CREATE ROLE {quoting.identifier(name)} {attributes}"
        missing = f"to_regrole({quoting.name_literal(None, name)}) IS NULL"
        found.append(Statement("Roles", guarded(missing, create)))
    for granted, member, options in connection.execute(_MEMBERS, (made, made, replayer)):
        sql = f"GRANT {quoting.identifier(granted)} TO {quoting.identifier(member)}"
        found.append(Statement("Roles", sql + (options and f" WITH {options}")))
    for name, comment in connection.execute(_COMMENTS, [made]):
        sql = f"COMMENT ON ROLE {quoting.identifier(name)} IS {_quoted(comment)}"
        found.append(Statement("Roles", sql))
    for role, here, setting in connection.execute(_SETTINGS, [made]):
        name, _, value = setting.partition("=")
        target = f"ALTER ROLE {quoting.identifier(role)}" if role else ""
        if here and role:
            target += " IN DATABASE %I"
        elif here:
            target = "ALTER DATABASE %I"
        section = "The database" if here else "Roles"
        found.append(Statement(section, _here(f"{target} SET {name} TO {_setting(name, value)}")))
    if said_before is not None:
        now = set(said_of_roles(connection))
        found += _said_again(now - set(said_before), made, replayer)
    [(comment, grants, own)] = connection.execute(_DATABASE)
    if comment is not None:
        sql = _here(f"COMMENT ON DATABASE %I IS {_quoted(comment)}")
        found.append(Statement("The database", sql))
    if own:
        found += _privileges(grants)
    return found


def _said_again(said: Iterable[Said], made: Sequence[str], replayer: str) -> Iterator[Statement]:
    """What the chain says of roles that were there; of those that it makes it has been said."""
    for role, member, sql in sorted(said, key=lambda one: (one[0], one[1] or "", one[2])):
        if member != replayer and not {role, member}.isdisjoint(made):
            continue
        head, _, setting = sql.partition(" SET ")
        if setting:
            name, _, value = setting.partition("=")
            sql = f"{head} SET {name} TO {_setting(name, value)}"
        for name in filter(None, (role, member)):
            written = "CURRENT_USER" if name == replayer else quoting.identifier(name)
            sql = sql.replace("%I", written, 1)
        yield Statement("Roles", sql)


def _privileges(grants: Iterable[str]) -> list[Statement]:
    # CONNECT and TEMPORARY are PUBLIC's by default (manual, 5.8 Privileges).
    found = [_here("REVOKE ALL ON DATABASE %I FROM PUBLIC")]
    for grant in grants:
        role, privilege, grantable = grant.rsplit("|", 2)
        to = quoting.identifier(role) if role else "PUBLIC"
        option = " WITH GRANT OPTION" if grantable == "t" else ""
        found.append(_here(f"GRANT {privilege} ON DATABASE %I TO {to}{option}"))
    return [Statement("The database", sql) for sql in found]


# Parameters that are lists of names: as one quoted text they would be one name (variable_is_guc_
# list_quote in PostgreSQL's dumputils).
_LISTS = {
    "local_preload_libraries", "search_path", "session_preload_libraries",
    "shared_preload_libraries", "temp_tablespaces", "unix_socket_directories",
}  # fmt: skip


_PARTS = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')


def _setting(name: str, value: str) -> str:
    if name.lower() not in _LISTS:
        return _quoted(value)
    parts = [bare or quoted.replace('""', '"') for quoted, bare in _PARTS.findall(value)]
    return ", ".join(map(_quoted, parts)) or "''"


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _here(sql: str) -> str:
    """The statement with the name of the database that it runs in, which is known only then."""
    if "%I" not in sql:
        return sql
    before, _, after = sql.partition("%I")
    text = before + "%I" + after.replace("%", "%%")
    return block(f"EXECUTE format({_quoted(text)}, current_database());")
