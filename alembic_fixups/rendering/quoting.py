"""The one place where names and values become SQL text, and SQL text becomes Python source.

What comes out survives everything between here and the server: SQLAlchemy's ``text()`` (which
takes ``:name`` for a parameter), drivers and offline mode that double ``%``, Alembic's indenting
of every line (also inside literals), dollar quotes around it, and a raw triple-quoted string.
So characters with a meaning on the way are never written as themselves.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

IDENTIFIER_BYTES = 63
"""Longest identifier that PostgreSQL keeps (manual, 4.1.1 Identifiers and Key Words)."""

DOLLAR_TAG = "$fixup$"

_KEYWORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary
    bit boolean both case cast char character check coalesce collate collation column
    concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user dec decimal default
    deferrable desc distinct do else end except exists extract false fetch float for foreign
    freeze from full grant greatest group grouping having ilike in initially inner inout int
    integer intersect interval into is isnull join json json_array json_arrayagg json_exists
    json_object json_objectagg json_query json_scalar json_serialize json_table json_value
    lateral leading least left like limit localtime localtimestamp merge_action national
    natural nchar none normalize not notnull null nullif numeric offset on only or order out
    outer overlaps overlay placing position precision primary real references returning
    right row select session_user setof similar smallint some substring symmetric
    system_user table tablesample then time timestamp to trailing treat trim true union
    unique user using values varchar variadic verbose when where window with xmlattributes
    xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
    """.split()
)
"""Every key word of PostgreSQL 18 that is not "non-reserved" (manual, Appendix C)."""

_PLAIN_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")
_SPECIAL = re.compile(r"(?<![:\w]):(?=\w)|[%\\$\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")


def is_plain(name: str) -> bool:
    """Whether *name* can stand in SQL without quotes and means the same."""
    return _PLAIN_IDENTIFIER.fullmatch(name) is not None and name not in _KEYWORDS


def identifier(name: str) -> str:
    """*name* as an SQL identifier: bare, quoted, or with Unicode escapes (manual, 4.1.2.3)."""
    if is_plain(name):
        return name
    if _SPECIAL.search(name) is None and '"' not in name:
        return f'"{name}"'
    escaped = _SPECIAL.sub(lambda match: f"\\{ord(match[0]):04x}", name)
    return 'U&"' + escaped.replace('"', r"\0022") + '"'


def identifiers(names: Iterable[str]) -> str:
    """A comma-separated list of identifiers."""
    return ", ".join(identifier(name) for name in names)


def qualified(schema: str | None, name: str) -> str:
    """*name* with its schema where it has one."""
    return identifier(name) if schema is None else f"{identifier(schema)}.{identifier(name)}"


def literal(value: str) -> str:
    """*value* as an SQL string constant: plain, or with C-style escapes (manual, 4.1.2.2)."""
    quoted = value.replace("'", "''")
    # Two double quotes in a row could become three, which end a Python string.
    if _SPECIAL.search(value) is None and '""' not in value:
        return f"'{quoted}'"
    escaped = _SPECIAL.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
    return "E'" + escaped.replace('"', r"\u0022") + "'"


def literals(values: Iterable[str]) -> str:
    """A comma-separated list of string constants."""
    return ", ".join(literal(value) for value in values)


def name_literal(schema: str | None, name: str) -> str:
    """The table's name as a string constant that a cast to regclass takes."""
    return literal(
        ".".join(
            part if is_plain(part) else '"' + part.replace('"', '""') + '"'
            for part in (schema, name)
            if part is not None
        )
    )


def deparsed(names: Iterable[str]) -> str:
    """A comma-separated list of expressions for the names as PostgreSQL deparses them.

    Which names it quotes depends on the key words of the server's version.
    """
    return ", ".join(
        literal(name) if is_plain(name) else f"quote_ident({literal(name)})" for name in names
    )


def deparsed_name(name: tuple[str, str]) -> str:
    """An expression for a schema and a name in it as PostgreSQL deparses them."""
    if all(map(is_plain, name)):
        return literal(".".join(name))
    return " || '.' || ".join(deparsed([part]) for part in name)


def comment(text: str) -> str:
    """*text* on one line, fit to stand behind a comment sign in Python or SQL."""
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


def fit_identifier(name: str) -> str:
    """*name*, or where it is longer than 63 bytes its beginning and a digest of the whole.

    PostgreSQL would cut it off silently, and two long names could then be one.
    """
    encoded = name.encode()
    if len(encoded) <= IDENTIFIER_BYTES:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    head = encoded[: IDENTIFIER_BYTES - len(digest) - 1].decode(errors="ignore")
    return f"{head}_{digest}"


def without_parameters(sql: str) -> str:
    """*sql* with what ``text()`` would take for parameters escaped."""
    return _PARAMETER.sub(r"\:", sql)


def python_string(sql: str) -> str:
    """*sql* as the lines of a raw triple-quoted Python string that ``op.execute()`` can take.

    Raises:
        ValueError: *sql* holds what a raw string cannot; a template wrote a name or a value
            without the functions of this module.
    """
    if '"""' in sql or "\x00" in sql:
        raise ValueError("SQL text cannot be written as a raw Python string")
    return 'r"""\n' + without_parameters(sql).strip("\n") + '\n"""'
