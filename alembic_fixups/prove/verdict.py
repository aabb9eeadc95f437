"""The laws that a revision is held to, and what came out for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from alembic_fixups.settings import Law

Outcome = Literal["held", "broken", "not tried"]

LAWS: Mapping[Law, str] = {
    "runs": "upgrade() runs, and ends the same each time",
    "again": "upgrade() run over itself changes nothing",
    "restart": "upgrade() stopped at any statement and run again ends the same",
    "downgrade": "downgrade() gives the catalog and the rows back",
    "downgrade-again": "downgrade() run over itself changes nothing",
    "downgrade-restart": "downgrade() stopped at any statement and run again ends the same",
    "upgrade-after-downgrade": "upgrade() after downgrade() ends the same",
    "offline": "what --sql prints, run by psql, ends the same",
}
"""What each law says, in the order in which they are tried."""


@dataclass(frozen=True)
class Verdict:
    """What came out for one law.

    Attributes:
        law: which.
        outcome: whether it was held.
        reason: why not, in words; "" where it was.
        differences: what is otherwise than it ought to be, as lines of a diff.
        notes: what is worth knowing besides.
    """

    law: Law
    outcome: Outcome
    reason: str = ""
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
