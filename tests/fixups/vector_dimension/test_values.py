"""What every vector becomes, what the archive keeps of it, and that it comes back."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.fixups.vector_dimension.cases import HEAD
from tests.fixups.vector_dimension.converting import BOTH, Make, make, settings

__all__ = ["make"]

pytestmark = pytest.mark.postgres(16)

CUT = "l2_normalize(subvector({}, 1, 2))"

NOTHING = ("NULL", True)
"""No vector any more, and the old one is in the archive."""


@dataclass(frozen=True)
class Pair:
    """A column that changes.

    Attributes:
        old, new: its types.
        data: the setting.
        values: old values, each with SQL of the new one in which ``{}`` stands for the old one,
            and whether it goes to the archive.
    """

    old: str
    new: str
    data: str
    values: dict[str, tuple[str, bool]]


SAME, KEPT = ("{}", False), ("{}", True)

PAIRS = [
    Pair("vector(3)", "vector(2)", "archive", {"[1,2,3]": NOTHING, "[0,0,0]": NOTHING}),
    Pair("vector(3)", "vector(5)", "archive", {"[1,2,3]": NOTHING}),
    Pair("vector(3)", "halfvec(2)", "archive", {"[1,2,3]": NOTHING}),
    Pair("vector(3)", "sparsevec(4)", "archive", {"[1,2,3]": NOTHING}),
    Pair("vector(4)", "bit(4)", "archive", {"[1,0,1,1]": NOTHING}),
    Pair("bit(4)", "vector(4)", "archive", {"1011": NOTHING, "0000": NOTHING}),
    Pair("bit(4)", "bit(2)", "archive", {"1011": NOTHING}),
    Pair("bit(2)", "bit(4)", "archive", {"10": NOTHING}),
    Pair(
        "vector(3)",
        "halfvec(3)",
        "archive",
        {"[1,-2,65504]": SAME, "[-0,0,0.5]": SAME, "[0.1,2,3]": KEPT, "[1e-9,0,0]": KEPT},
    ),
    Pair("halfvec(3)", "vector(3)", "archive", {"[0.1,2,3]": SAME, "[-0,0,1e-7]": SAME}),
    Pair("vector(3)", "sparsevec(3)", "archive", {"[0,1,0.1]": SAME, "[-0,1,0]": KEPT}),
    Pair("sparsevec(3)", "vector(3)", "archive", {"{1:0.1}/3": SAME, "{}/3": SAME}),
    Pair("halfvec(3)", "sparsevec(3)", "archive", {"[0,0.1,1]": SAME, "[-0,0,0]": KEPT}),
    Pair("sparsevec(3)", "halfvec(3)", "archive", {"{1:1}/3": SAME, "{1:0.1,3:1}/3": KEPT}),
    Pair("vector", "vector(2)", "archive", {"[1,2]": SAME, "[1,2,3]": NOTHING, "[1]": NOTHING}),
    Pair("vector", "halfvec(2)", "archive", {"[1,2]": SAME, "[0.1,2]": KEPT, "[1]": NOTHING}),
    Pair("halfvec", "vector(2)", "archive", {"[0.1,2]": SAME, "[1]": NOTHING}),
    Pair("sparsevec", "sparsevec(2)", "archive", {"{1:1}/2": SAME, "{1:1}/3": NOTHING}),
    Pair("sparsevec", "vector(2)", "archive", {"{}/2": SAME, "{2:1}/20": NOTHING}),
    Pair("vector(2)", "vector", "archive", {"[0.1,2]": SAME}),
    Pair("vector(2)", "halfvec", "archive", {"[1,2]": SAME, "[0.1,2]": KEPT}),
    Pair(
        "real[]",
        "vector(2)",
        "archive",
        {
            "{0.1,2}": SAME,
            "{-0,0}": SAME,
            "[2:3]={1,2}": KEPT,
            "{1,NULL}": NOTHING,
            "{1,NaN}": NOTHING,
            "{-Infinity,1}": NOTHING,
            "{{1,2}}": NOTHING,
            "{{1},{2}}": NOTHING,
            "{}": NOTHING,
            "{1}": NOTHING,
        },
    ),
    Pair("double precision[]", "vector(2)", "archive", {"{0.5,2}": SAME, "{0.1,2}": KEPT}),
    Pair(
        "double precision[]",
        "vector",
        "archive",
        {"{0.5,2,3}": SAME, "{}": NOTHING, "{NaN}": NOTHING, "{{1,2},{3,4}}": NOTHING},
    ),
    Pair("real[]", "halfvec(2)", "archive", {"{1,2}": SAME, "{0.1,2}": KEPT, "{1}": NOTHING}),
    Pair("real[]", "sparsevec(2)", "archive", {"{0,0.1}": SAME, "{-0,1}": KEPT}),
    Pair("vector(3)", "vector(2)", "truncate", {"[3,4,5]": (CUT, True), "[0,0,1]": (CUT, True)}),
    Pair("halfvec(3)", "halfvec(2)", "truncate", {"[3,4,5]": (CUT, True), "[0,0,1]": (CUT, True)}),
    Pair("vector(3)", "halfvec(2)", "truncate", {"[0.1,-2,1e30]": (CUT, True)}),
    Pair("halfvec(3)", "vector(2)", "truncate", {"[0.1,2,3]": (CUT, True)}),
    Pair(
        "sparsevec(3)",
        "sparsevec(2)",
        "truncate",
        {"{1:3,2:4,3:5}/3": (CUT.format("{}::vector"), True), "{3:1}/3": ("'{{}}/2'", True)},
    ),
    Pair("vector(3)", "sparsevec(2)", "truncate", {"[0,4,5]": (CUT, True)}),
    Pair("bit(4)", "bit(2)", "truncate", {"1011": ("B'10'", True)}),
    Pair(
        "vector",
        "vector(2)",
        "truncate",
        {"[3,4]": SAME, "[3,4,5]": (CUT, True), "[1]": NOTHING, "[-0,-0,1]": (CUT, True)},
    ),
    Pair(
        "double precision[]",
        "halfvec(2)",
        "truncate",
        {
            "{3,4}": SAME,
            "{3,4,5}": (CUT.format("{}::vector"), True),
            "[0:2]={3,4,5}": (CUT.format("{}::vector"), True),
            "{3,4,NULL}": NOTHING,
            "{3,4,NaN}": NOTHING,
            "{{3,4,5}}": NOTHING,
            "{1}": NOTHING,
            "{}": NOTHING,
        },
    ),
    Pair("vector(2)", "vector(3)", "pad", {"[0.1,-0]": ("'[0.1,-0,0]'", False)}),
    Pair(
        "vector(2)",
        "halfvec(3)",
        "pad",
        {"[1,2]": ("'[1,2,0]'", False), "[0.1,2]": ("'[0.1,2,0]'", True)},
    ),
    Pair("halfvec(2)", "vector(3)", "pad", {"[0.5,2]": ("'[0.5,2,0]'", False)}),
    Pair("sparsevec(2)", "sparsevec(3)", "pad", {"{2:1}/2": ("'{{2:1}}/3'", False)}),
    Pair(
        "vector(2)",
        "sparsevec(3)",
        "pad",
        {"[0,1]": ("'{{2:1}}/3'", False), "[-0,1]": ("'{{2:1}}/3'", True)},
    ),
    Pair("bit(2)", "bit(4)", "pad", {"10": ("B'1000'", False)}),
    Pair(
        "vector",
        "vector(3)",
        "pad",
        {"[1,2]": ("'[1,2,0]'", True), "[1,2,3]": SAME, "[1,2,3,4]": NOTHING},
    ),
    Pair(
        "real[]",
        "vector(3)",
        "pad",
        {
            "{1,2}": ("'[1,2,0]'", True),
            "{1,2,3}": SAME,
            "{1,NULL}": NOTHING,
            "{Infinity}": NOTHING,
            "{{1,2}}": NOTHING,
            "{}": NOTHING,
            "{1,2,3,4}": NOTHING,
        },
    ),
    Pair("vector(3)", "vector(2)", "clear", {"[1,2,3]": ("NULL", False)}),
    Pair("vector", "vector(2)", "clear", {"[1,2]": SAME, "[1,2,3]": ("NULL", False)}),
    Pair("vector(3)", "halfvec(3)", "clear", {"[0.1,2,3]": SAME}),
    Pair("real[]", "vector(2)", "clear", {"{1,2}": SAME, "{1,NULL}": ("NULL", False)}),
    Pair("bit(4)", "vector(4)", "clear", {"1011": ("NULL", False)}),
]

COLUMNS = {f"c{number}": pair for number, pair in enumerate(PAIRS)}


def models(which: str) -> str:
    """A table with a column for each pair, of the old types or of the new ones."""
    written = {"real[]": "ARRAY(REAL)", "double precision[]": "ARRAY(DOUBLE_PRECISION)"}
    columns = ", ".join(
        f'Column("{name}", {written.get(type_) or type_.upper()})'
        for name, pair in COLUMNS.items()
        for type_ in [getattr(pair, which)]
    )
    return f'{HEAD}Table("t", metadata, Column("id", Integer, primary_key=True), {columns})'


def insert() -> str:
    """A row for the first value of each column, one for the second, and so on, and an empty one."""
    longest = max(len(pair.values) for pair in PAIRS)
    return (
        "".join(
            f"INSERT INTO t (id, {', '.join(names)}) VALUES ({', '.join([str(row), *literals])});"
            for row in range(longest)
            for names, literals in [
                zip(
                    *(
                        (name, f"'{list(pair.values)[row]}'")
                        for name, pair in COLUMNS.items()
                        if row < len(pair.values)
                    ),
                    strict=True,
                )
            ]
        )
        + f"INSERT INTO t (id) VALUES ({longest})"
    )


@BOTH
def test_what_every_value_becomes_and_that_it_comes_back(make: Make, strategy: str) -> None:
    chosen = {f"t.{name}": f"data = '{pair.data}'" for name, pair in COLUMNS.items()}
    database = make(models("old"), models("new"), insert(), settings("archive", strategy, **chosen))
    [before] = database.values(
        "SELECT jsonb_object_agg(t.id, to_jsonb(s)) FROM t,"
        f" LATERAL (SELECT {', '.join(f'{name}::text' for name in COLUMNS)}) AS s"
    )
    database.revise()
    database.project.upgrade()
    found, expected = {}, {}
    archives = database.archives()
    for name, pair in COLUMNS.items():
        values = [*pair.values.items(), (None, ("NULL", False))]
        now = dict(database.rows(f"SELECT id, {name}::text FROM t"))
        [archive] = [each for each in archives if each.startswith(f"fixup_archive_t_{name}_")] or [
            None
        ]
        kept = dict(database.rows(f"SELECT id, {name}::text FROM {archive}")) if archive else {}
        for row, (value, (becomes, is_kept)) in enumerate(values):
            at = name, pair.old, pair.new, pair.data, value
            old = "NULL" if value is None else f"'{value}'::{pair.old}"
            [made] = database.values(f"SELECT (({becomes.format(old)})::{pair.new})::text")
            found[at] = now[row], kept.get(row)
            expected[at] = made, (before[str(row)][name] if is_kept else None)
        assert kept.keys() <= set(range(len(values)))
    assert found == expected
    assert database.project.is_converged()
    database.project.downgrade("base")
    [after] = database.values(
        "SELECT jsonb_object_agg(t.id, to_jsonb(s)) FROM t,"
        f" LATERAL (SELECT {', '.join(f'{name}::text' for name in COLUMNS)}) AS s"
    )
    for name, pair in COLUMNS.items():
        if pair.data != "clear":
            assert {row: after[row][name] for row in after} == {
                row: before[row][name] for row in before
            }, (name, pair)
    assert database.archives() == []
