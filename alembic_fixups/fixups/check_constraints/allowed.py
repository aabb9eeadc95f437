"""Checks that only list the values a column may have, as the set that they allow.

They are recognised in what the database writes, always the same way, not in what somebody wrote.
Whatever does not match in full is no list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_TYPE = r"(?:character varying|text|bpchar|[a-z_0-9.]+|\"(?:[^\"]|\"\")+\"|[\w.]+\.\w+)"
_COLUMN = r"(?:[A-Za-z_\u0080-\U0010ffff][\w$]*|\"(?:[^\"]|\"\")+\")"
_STRING = r"E?'(?:[^']|'')*'"
_VALUE = (
    rf"(?:\((?P<inner>{_STRING})::(?:character varying|bpchar)\)::text"
    rf"|(?P<text>{_STRING})::(?P<type>{_TYPE})|(?P<number>-?\d+(?:\.\d+)?))"
)
_UNNAMED = re.sub(r"\?P<\w+>", "?:", _VALUE)
_SUBJECT = rf"(?P<column>{_COLUMN})|\((?P<cast>{_COLUMN})\)::(?P<as>[a-z ]+)(?:\[\])?"
_NULLABLE = (
    rf"array_replace\((?P<nullable>{_COLUMN}), NULL::{_TYPE}, (?P<filling>{_STRING})::{_TYPE}\)"
)
"""An array whose elements may be NULL: the one that stands in for them is allowed too."""

_OPERATOR = r"(?:{0}|OPERATOR\({1}\.{0}\))"
_EQUALS = _OPERATOR.format("=", _COLUMN)
_LISTED = re.compile(
    rf"\((?:{_SUBJECT}|{_NULLABLE}) (?:(?P<single>{_EQUALS}) (?P<value>{_UNNAMED})"
    rf"|{_EQUALS} ANY \((?:ARRAY\[(?P<any>{_UNNAMED}(?:, {_UNNAMED})*)\]"
    rf"|(?P<array>{_STRING})::[\w. ]+\[\])\)"
    rf"|<@ (?:ARRAY\[(?P<within>{_UNNAMED}(?:, {_UNNAMED})*)\]"
    rf"|(?P<set>{_STRING})::[\w. ]+\[\]))\)"
)
_ONE = re.compile(_VALUE)
_ELEMENT = re.compile(r'"(?:[^"\\]|\\.)*"|[^",{}\\\s](?:[^",{}\\]|\\.)*')
_LITERAL = re.compile(rf"\{{(?:{_ELEMENT.pattern}(?:,(?:{_ELEMENT.pattern}))*)?\}}")


@dataclass(frozen=True)
class Allowed:
    """The values that a column may have.

    Attributes:
        column: the name of the column.
        operator: "=" where its value is one of them, "<@" where all its elements are.
        kind: the type in which they are compared; "text" for varchar too.
        nulls: whether an element may be NULL.
        values: what is allowed.
    """

    column: str
    operator: Literal["=", "<@"]
    kind: str
    values: frozenset[str]
    nulls: bool = False


def allowed(meaning: str) -> Allowed | None:
    """The values that an expression at its fixed point allows, None where it says anything else."""
    match = _LISTED.fullmatch(meaning)
    if match is None:
        return None
    operator: Literal["=", "<@"] = "<@" if match["within"] or match["set"] else "="
    values: set[str] = set()
    kinds: set[str] = set()
    literal = match["array"] or match["set"]
    if literal is not None:
        elements = _elements(_unquoted(literal))
        if elements is None:
            return None
        values.update(elements)
        kinds.add(_kind(meaning[match.end("array" if match["array"] else "set") + 2 :]))
    else:
        for one in _ONE.finditer(match["value"] or match["any"] or match["within"]):
            if one["number"] is not None:
                values.add(one["number"])
                kinds.add("number")
            elif one["inner"] is not None:
                values.add(_unquoted(one["inner"]))
                kinds.add("text")
            else:
                values.add(_unquoted(one["text"]))
                kinds.add(_kind(one["type"]))
    if len(kinds) != 1:
        return None
    if match["nullable"] and (operator == "=" or _unquoted(match["filling"]) not in values):
        return None
    column = match["column"] or match["cast"] or match["nullable"]
    if column.startswith('"'):
        column = column[1:-1].replace('""', '"')
    if match["as"] not in (None, "text", "character varying"):
        return None
    return Allowed(column, operator, kinds.pop(), frozenset(values), bool(match["nullable"]))


def _kind(type_: str) -> str:
    name = type_.split("[")[0].strip(")")
    if name in ("smallint", "integer", "bigint", "numeric"):
        return "number"
    return "text" if name in ("text", "character varying") else name


def _unquoted(literal: str) -> str:
    body = literal[literal.index("'") + 1 : -1].replace("''", "'")
    return body.replace("\\\\", "\\") if literal.startswith("E") else body


def _elements(literal: str) -> list[str] | None:
    """The elements of an array written as text, None where one is NULL or it is no such text."""
    if _LITERAL.fullmatch(literal) is None:
        return None
    found = _ELEMENT.findall(literal[1:-1])
    if any(item.upper() == "NULL" for item in found):
        return None
    return [
        re.sub(r"\\(.)", r"\1", item[1:-1] if item.startswith('"') else item, flags=re.DOTALL)
        for item in found
    ]
