"""Values of the types that have no parts: the edges of each, and plausible ones.

What a type takes is in chapter 8 of PostgreSQL's manual. All are as text, for the type's own input
function.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from alembic_fixups.prove.made_up import words

TEXTS = frozenset({"text", "varchar", "bpchar", "name", "citext"})
NUMBERS = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric", "money", "oid"})
TIMES = frozenset({"date", "timestamp", "timestamptz"})
VECTORS = frozenset({"vector", "halfvec", "sparsevec"})

BOUNDS = {"int2": 2**15, "int4": 2**31, "int8": 2**63}
"""What the integers stay below; minus that is the smallest."""

_DAYS = ["2024-02-29", "1970-01-01", "0044-03-15 BC", "9999-12-31", "infinity", "-infinity"]
_EPOCH = datetime(2015, 1, 1)

_EDGES: dict[str, list[str]] = {
    "bool": ["true", "false"],
    **{name: ["0", "-1", str(-bound), str(bound - 1)] for name, bound in BOUNDS.items()},
    "float4": "0 -0 -1.5 3.4028235e+38 -3.4028235e+38 1.1754944e-38 NaN Infinity -Infinity".split(),
    "float8": (
        "0 -0 -1.5 1.7976931348623157e+308 -1.7976931348623157e+308 2.2250738585072014e-308 NaN"
        " Infinity -Infinity"
    ).split(),
    "money": ["0", "-1.23", "-92233720368547758.08", "92233720368547758.07"],
    "char": ["", "a", "\\377"],
    "bytea": ["\\x", "\\x00", "\\xff00275c25", "\\x" + "00ff" * 2000],
    "date": [*_DAYS, "4714-11-24 BC", "5874897-12-31"],
    "timestamp": [*_DAYS, "4714-11-24 00:00:00 BC", "294276-12-31 23:59:59"],
    "timestamptz": [
        *_DAYS, "4714-11-24 00:00:00+00 BC", "294276-12-31 23:59:59+00",
        "2024-03-31 02:30:00+01:00",
    ],
    "time": ["00:00:00", "24:00:00", "23:59:59.999999"],
    "timetz": ["00:00:00+15:59", "24:00:00-15:59", "12:00:00+00"],
    "interval": [
        "0", "-1 year -2 mons +3 days -04:05:06.789", "178000000 years", "-178000000 years",
        "1 mon", "infinity",
    ],
    "uuid": [str(uuid.UUID(int=0)), str(uuid.UUID(int=2**128 - 1))],
    "json": ["null", "{}", "[]", '""', '{"a": {"b": [1, null, {"c": "\\u00fc\'\\\\"}]}, "a": 2}'],
    "jsonb": ["null", "{}", "[]", '""', "0", '{"a": {"b": [1, null, {"c": "\\u00fc\'\\\\"}]}}'],
    "xml": ["", "<a/>", "<a b=\"1\">&amp;<c/>'</a>", "only text"],
    "inet": ["0.0.0.0/0", "255.255.255.255", "::1", "::ffff:10.0.0.1/128", "10.0.0.1/8"],
    "cidr": ["0.0.0.0/0", "10.0.0.0/8", "2001:db8::/32"],
    "macaddr": ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"],
    "macaddr8": ["00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:ff"],
    "point": ["(0,0)", "(-1.5,1e300)", "(Infinity,NaN)"],
    "line": ["{1,0,0}", "{0,-1,1e100}"],
    "lseg": ["[(0,0),(0,0)]", "[(-1,-1),(1e100,1)]"],
    "box": ["(0,0),(0,0)", "(1,1),(-1,-1)"],
    "path": ["[(0,0)]", "((0,0),(1,1),(2,0))", "[(0,0),(-1,1e100)]"],
    "polygon": ["((0,0))", "((0,0),(1,1),(2,0))"],
    "circle": ["<(0,0),0>", "<(-1,1),1e100>"],
    "tsvector": ["", "'it''s':1A,2 b:3", "a b c"],
    "tsquery": ["", "a & !b | c:*A", "a <-> b"],
    "oid": ["0", "4294967295"],
    "xid": ["0", "4294967295"],
    "xid8": ["0", "18446744073709551615"],
    "cid": ["0", "4294967295"],
    "tid": ["(0,0)", "(4294967295,65535)"],
    "pg_lsn": ["0/0", "FFFFFFFF/FFFFFFFF"],
    "pg_snapshot": ["1:1:", "10:20:10,14,15"],
    "txid_snapshot": ["1:1:", "10:20:10,14,15"],
    "jsonpath": ["$", 'strict $."a b"[*] ? (@ > 1)'],
    "int2vector": ["", "1 -32768 32767"],
    "oidvector": ["", "1 4294967295"],
    "refcursor": ["", 'a "cursor"'],
    "aclitem": ["=r/pg_monitor", "pg_monitor=r*w/pg_monitor"],
    "regclass": ["-", "pg_catalog.pg_class"],
    "regtype": ["-", "integer"],
    "regproc": ["-", "pg_catalog.version"],
    "regprocedure": ["-", "pg_catalog.version()"],
    "regoper": ["0", "pg_catalog.||/"],
    "regoperator": ["0", "pg_catalog.+(integer,integer)"],
    "regrole": ["-", "pg_monitor"],
    "regnamespace": ["-", "pg_catalog"],
    "regcollation": ["-", 'pg_catalog."C"'],
    "regconfig": ["-", "pg_catalog.simple"],
    "regdictionary": ["-", "pg_catalog.simple"],
    "hstore": ["", '"a"=>"1", "b c"=>NULL, "\\""=>"\\\\"', '""=>""'],
    "ltree": ["", "a", "Top.Science.1"],
    "lquery": ["*", "Top.*{1,2}.!a"],
    "ltxtquery": ["a & !b", "a*"],
}  # fmt: skip

_PLAIN: dict[str, Callable[[random.Random], str]] = {
    "bool": lambda chance: chance.choice(["true", "false"]),
    "float4": lambda chance: str(round(chance.uniform(0, 1000), 2)),
    "float8": lambda chance: str(round(chance.uniform(0, 10**6), 4)),
    "money": lambda chance: str(round(chance.uniform(0, 1000), 2)),
    "char": lambda chance: chance.choice(words.LETTERS),
    "bytea": lambda chance: "\\x" + chance.randbytes(chance.randint(1, 16)).hex(),
    "date": lambda chance: moment(chance).date().isoformat(),
    "timestamp": lambda chance: moment(chance).isoformat(" "),
    "timestamptz": lambda chance: moment(chance).isoformat(" ") + "+00",
    "time": lambda chance: moment(chance).time().isoformat(),
    "timetz": lambda chance: f"{moment(chance).time().isoformat()}+{chance.randint(0, 12):02}",
    "interval": lambda chance: f"{chance.randint(0, 40)} days {chance.randint(0, 86400)} seconds",
    "uuid": lambda chance: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
    "json": lambda chance: _json(chance),
    "jsonb": lambda chance: _json(chance),
    "xml": lambda chance: f"<item id='{chance.randint(1, 999)}'>{words.word(chance)}</item>",
    "inet": lambda chance: f"10.{_byte(chance)}.{_byte(chance)}.{_byte(chance)}",
    "cidr": lambda chance: f"10.{_byte(chance)}.{_byte(chance)}.0/24",
    "macaddr": lambda chance: chance.randbytes(6).hex(":"),
    "macaddr8": lambda chance: chance.randbytes(8).hex(":"),
    "point": lambda chance: _point(chance),
    "line": lambda chance: f"{{{chance.randint(1, 9)},{chance.randint(0, 9)},{_byte(chance)}}}",
    "lseg": lambda chance: f"[{_point(chance)},{_point(chance)}]",
    "box": lambda chance: f"{_point(chance)},{_point(chance)}",
    "path": lambda chance: f"[{_point(chance)},{_point(chance)},{_point(chance)}]",
    "polygon": lambda chance: f"({_point(chance)},{_point(chance)},{_point(chance)})",
    "circle": lambda chance: f"<{_point(chance)},{chance.randint(1, 9)}>",
    "tsvector": lambda chance: f"{words.word(chance)}:1 {words.word(chance)}:2",
    "tsquery": lambda chance: f"{words.word(chance)} & {words.word(chance)}",
    "oid": lambda chance: str(chance.randint(1, 10**6)),
    "xid": lambda chance: str(chance.randint(1, 10**6)),
    "xid8": lambda chance: str(chance.randint(1, 10**6)),
    "cid": lambda chance: str(chance.randint(1, 10**6)),
    "tid": lambda chance: f"({chance.randint(0, 10**6)},{_byte(chance)})",
    "pg_lsn": lambda chance: f"{_byte(chance):X}/{chance.getrandbits(32):X}",
    "jsonpath": lambda chance: f"$.{words.word(chance)}",
    "refcursor": lambda chance: words.word(chance),
    "hstore": lambda chance: f"{words.word(chance)}=>{words.word(chance)}",
    "ltree": lambda chance: f"{words.word(chance)}.{words.word(chance)}",
}


def edges(name: str, modifier: int) -> list[str]:
    """The values at the edges of a type; none for a type that is not known.

    Takes the type's name and ``pg_attribute.atttypmod``.
    """
    if name in TEXTS:
        return words.edges(text_limit(name, modifier))
    if name == "numeric":
        return _numeric_edges(modifier)
    if name in ("bit", "varbit"):
        count = modifier if modifier > 0 else 9
        return ["0" * count, "1" * count, *([""] if name == "varbit" else [])]
    if name in VECTORS:
        return [_vector(name, parts) for parts in _vector_edges(name, _dimensions(modifier))]
    return list(_EDGES.get(name, ()))


def plain(name: str, modifier: int, chance: random.Random) -> str | None:
    """A plausible value; None for a type that is not known."""
    if name in TEXTS:
        return words.text(chance, text_limit(name, modifier))
    if name in BOUNDS:
        return str(chance.randint(1, min(10 ** chance.randint(2, 6), BOUNDS[name] - 1)))
    if name == "numeric":
        limit, step = numeric_range(modifier)
        top = min(limit - step, 10 ** chance.randint(1, 6) * max(step, Decimal("0.01")))
        return str(rounded(Decimal(chance.random()) * max(top, step), step))
    if name in ("bit", "varbit"):
        count = modifier if modifier > 0 else 1 if name == "bit" else 9
        return "".join(chance.choice("01") for _ in range(count))
    if name in VECTORS:
        count = _dimensions(modifier)
        # Whole hundredths, and none of them zero: a cosine distance is then always there.
        parts = [chance.choice([-1, 1]) * chance.randint(1, 99) / 100 for _ in range(count)]
        return _vector(name, parts)
    if name in _PLAIN:
        return _PLAIN[name](chance)
    known = _EDGES.get(name)
    return chance.choice(known) if known else None


def text_limit(name: str, modifier: int) -> int | None:
    """How many characters a text can have; None where it has no limit."""
    if name == "name":
        return 15  # of 63 bytes, four for each character
    return modifier - 4 if modifier > 4 else None


def numeric_range(modifier: int) -> tuple[Decimal, Decimal]:
    """What a numeric stays below, and its smallest step (manual, 8.1.2; numeric.c)."""
    if modifier < 4:
        return Decimal(10) ** 15, Decimal("0.0001")
    precision = (modifier - 4) >> 16 & 0xFFFF
    scale = ((modifier - 4 & 0x7FF) ^ 1024) - 1024
    return Decimal(10) ** (precision - scale), Decimal(1).scaleb(-scale)


def rounded(number: Decimal, step: Decimal) -> Decimal:
    """The number as a multiple of a step, which is a power of ten."""
    return Decimal(format(round(number / step) * step, "f"))


def moment(chance: random.Random) -> datetime:
    """A second of the years around now."""
    return _EPOCH + timedelta(seconds=chance.randrange(15 * 365 * 86400))


def _numeric_edges(modifier: int) -> list[str]:
    limit, step = numeric_range(modifier)
    if modifier < 4:
        huge = "9" * 40 + "." + "9" * 20
        return ["0", "-1.5", huge, "-" + huge, "0." + "0" * 30 + "1", "NaN", "Infinity"]
    largest = format(limit - step, "f") if limit > step else "0"
    return ["0", largest, "-" + largest, format(step, "f"), "NaN"]


def _dimensions(modifier: int) -> int:
    return modifier if modifier > 0 else 3


def _vector_edges(name: str, count: int) -> list[list[float]]:
    largest = 65504.0 if name == "halfvec" else 1e18
    rest = [0.0] * (count - 1)
    return [[1.0, *rest], [*rest, -1.0], [largest] * count, [0.001] * count]


def _vector(name: str, parts: list[float]) -> str:
    if name != "sparsevec":
        return "[" + ",".join(map(str, parts)) + "]"
    there = ",".join(f"{number}:{part}" for number, part in enumerate(parts, 1) if part)
    return f"{{{there}}}/{len(parts)}"


def _json(chance: random.Random) -> str:
    name, number = words.word(chance), chance.randint(0, 999)
    return chance.choice([f'{{"name": "{name}", "count": {number}}}', f'["{name}", {number}]'])


def _byte(chance: random.Random) -> int:
    return chance.randint(0, 255)


def _point(chance: random.Random) -> str:
    return f"({chance.randint(0, 9999)},{chance.randint(0, 9999)})"
