"""Names of every awkward kind, no two alike.

None has a line end: the pattern by which SQLAlchemy reads foreign keys stops at it.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

RESERVED = ("user", "order", "select", "group", "table", "all", "check", "end", "when", "default")

_SHAPES: tuple[Callable[[str, int], str], ...] = (
    lambda kind, number: f"{kind}{number}",
    lambda kind, number: f"{kind}_{number}",
    lambda _, number: RESERVED[number] if number < len(RESERVED) else f"r{number}",
    lambda kind, number: f"{kind.title()}{number}",
    lambda kind, number: f"{kind} {number}",
    lambda kind, number: f'"{kind}"{number}',
    lambda kind, number: f"{kind}'s{number}",
    lambda _, number: f"{number}%",
    lambda kind, number: f"%s%({kind})s{number}",
    lambda kind, number: f"{kind}:x{number} ::int",
    lambda kind, number: f"{kind}\\{number}",
    lambda kind, number: f"$fixup${kind}{number}$$",
    lambda kind, number: f"größe 🙂 {number}",
    lambda kind, number: f"-- {kind}{number} /*",
    lambda kind, number: f"{kind}{'x' * 63}"[:59] + f"_{number:03}",
    lambda _, number: "é" * 30 + f"{number:03}",
)
ORDINARY = st.just(_SHAPES[0])
ASCII = st.sampled_from(_SHAPES[:12] + _SHAPES[13:15])
ANY = st.sampled_from(_SHAPES)
