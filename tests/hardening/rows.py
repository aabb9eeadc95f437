"""Three rows for every table, such that all foreign keys hold.

The row number *n* has *n* in every column that counts and a text of *n* in every text, in all
tables: whatever refers to whatever finds its row, and a row and its parents have one tenant.
"""

from __future__ import annotations

import json
from typing import Any

from psycopg import Connection, sql

from tests.hardening.drawing import INTEGERS, VECTORS
from tests.hardening.schemas import Case, Column, Table

COUNT = 3


def insert(connection: Connection[Any], case: Case, home: str) -> None:
    """Puts the rows into the tables of the models before; *home* is where those without schema are.

    Raises:
        psycopg.IntegrityError: the wrong row of a tenant is not possible.
    """
    with connection.transaction():
        # In any order, and the wrong row of a tenant too.
        connection.execute("SET LOCAL session_replication_role = replica")
        for table in case.before.tables:
            columns = [sql.Identifier(column.name) for column in table.columns]
            for number in range(1, COUNT + 1):
                values = [_value(case, table, column, number) for column in table.columns]
                # Not as parameters: names with a percent sign would look like some.
                statement = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})")
                connection.execute(
                    statement.format(
                        sql.Identifier(table.schema or home, table.name),
                        sql.SQL(", ").join(columns),
                        sql.SQL(", ").join(map(sql.Literal, values)),
                    )
                )


def _value(case: Case, table: Table, column: Column, number: int) -> Any:
    if number == COUNT and _may_be_null(case, table, column):
        return None
    kind = column.kind
    if kind in (*INTEGERS, "numeric"):
        return 1 if _is_wrong(case, table, column, number) else number
    if kind in VECTORS:
        return json.dumps([number, *([1] * (column.size - 1))])
    if kind in ("enum", "listed", "array"):
        labels = labels_of(case, column)
        label = labels[number % len(labels)]
        # A text inside an array is written as in JSON.
        return f"{{{json.dumps(label, ensure_ascii=False)},NULL}}" if kind == "array" else label
    return {
        "boolean": number % 2 == 0,
        "date": f"2024-01-0{number}",
        "timestamp": f"2024-01-0{number} 12:00:00+00",
        "uuid": f"00000000-0000-0000-0000-00000000000{number}",
        "jsonb": json.dumps({"number": number}),
    }.get(kind, f"t{number}")


def labels_of(case: Case, column: Column) -> list[str]:
    """The labels that rows have in a column of an enum."""
    there = case.before.enum(column.enum).labels
    later = case.after.enum(column.enum).labels
    return [label for label in there if label in later or not case.fitting]


def _may_be_null(case: Case, table: Table, column: Column) -> bool:
    later = [
        one
        for other in case.after.tables
        if other.id == table.id
        for one in other.columns
        if one.id == column.id
    ]
    return column.nullable and all(one.nullable for one in later)


def _is_wrong(case: Case, table: Table, column: Column, number: int) -> bool:
    """Whether this is the reference of client 2 to the engagement of client 1."""
    tenants = case.chosen.tenants
    return (
        tenants is not None
        and tenants.wrong
        and number == 2
        and column.name == tenants.columns[1]
        and table.id not in tenants.tables
    )
