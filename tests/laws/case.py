"""What the laws are tried on: a project before and after, and rows in it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """One situation in which a fixup has something to do.

    Attributes:
        name: says what is special in it.
        settings: the pyproject.toml.
        models: the models, Python that leaves a ``metadata``; sqlalchemy is imported.
        before: the models that the database was made from, where they differ.
        setup: SQL that runs after the tables are made: rows, and what models cannot say.
        schemas: the schemas to make first.
        versions: the major versions of PostgreSQL that have what it needs.
        everywhere: whether every version has its turn in ``make test``, not 16 alone.
        reorders: whether a column is swapped with a successor, which becomes the last of its table.
        findings: codes of the findings that it has to give, no others but inferred ones.
    """

    name: str
    settings: str
    models: str
    before: str = ""
    setup: str = ""
    schemas: tuple[str, ...] = ()
    versions: tuple[int, ...] = (15, 16, 18)
    everywhere: bool = True
    reorders: bool = False
    findings: frozenset[str] = field(default=frozenset())
