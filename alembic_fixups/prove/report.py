"""What ``prove`` has found, as data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from alembic_fixups.prove.lint import Finding
from alembic_fixups.prove.session import Proven
from alembic_fixups.settings import shown


@dataclass(frozen=True)
class Linted:
    """The statements of a revision by themselves.

    Attributes:
        sql: the statements, those of DO blocks in their place.
        findings: what squawk says of them; None where it is not installed.
    """

    sql: str
    findings: tuple[Finding, ...] | None


@dataclass(frozen=True)
class Report:
    """What has been found.

    Attributes:
        postgres: the major version of the server.
        data: the dump that the rows are from, "" where they are made up.
        rows: how many were made up for each table.
        seed: what they were made of.
        proven: what came out for each revision, in the order of the history.
        linted: their statements, by revision, where that was asked for.
        not_reached: the revisions after one that does not run, or after an error.
    """

    postgres: int
    data: str
    rows: int
    seed: int
    proven: tuple[Proven, ...]
    linted: dict[str, Linted]
    not_reached: tuple[str, ...]

    @property
    def is_broken(self) -> bool:
        """Whether any revision breaks a law."""
        return any(proven.broken for proven in self.proven)


def document(found: Report) -> str:
    """The report as JSON."""
    values = {
        "postgres": found.postgres,
        "data": found.data or None,
        "rows": found.rows,
        "seed": found.seed,
        "broken": found.is_broken,
        "revisions": [_revision(proven, found) for proven in found.proven],
        "not_reached": list(found.not_reached),
    }
    return json.dumps(values, indent=2)


def _revision(proven: Proven, found: Report) -> dict[str, Any]:
    values = {**asdict(proven), "path": shown(proven.path), "broken": bool(proven.broken)}
    if proven.revision in found.linted:
        values["lint"] = asdict(found.linted[proven.revision])
    return values
