"""One comparison of the models with a database, as those who take part in it see it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import Table
from sqlalchemy.types import TypeEngine

from alembic_fixups.catalog import Catalog, Move, Name, Relation
from alembic_fixups.rendering.steps import StepsOp
from alembic_fixups.rendering.templates import TableName
from alembic_fixups.report import Finding
from alembic_fixups.target import TableKey, Target

if TYPE_CHECKING:
    from alembic_fixups.fixups import Fixup
    from alembic_fixups.settings import Settings


@dataclass
class Replacement:
    """What a fixup puts in the place of Alembic's operations.

    Attributes:
        owns: whether an operation of Alembic's is the fixup's business and has to go.
        operations: what to do instead; none where the database is already as desired.
        first: what to do before anything else in the migration.
        aside: what then changes rows so that the rest can be done; every look of *first* has let
            the migration pass by then.
        early: what to do after that, before Alembic's own operations.
        again: what a downgrade does before anything else but what *last* undoes, where the revision
            has more than *first* and *early*.
        last: what to do after everything else, and to undo before it, where there is anything else.
    """

    owns: Callable[[ops.MigrateOperation], bool]
    operations: list[StepsOp] = field(default_factory=list)
    first: list[StepsOp] = field(default_factory=list)
    aside: list[StepsOp] = field(default_factory=list)
    early: list[StepsOp] = field(default_factory=list)
    again: list[StepsOp] = field(default_factory=list)
    last: list[StepsOp] = field(default_factory=list)


@dataclass
class Run:
    """One comparison, from before Alembic's comparators until after them.

    Attributes:
        settings: what is switched on.
        target: the desired schema, rewritten.
        catalog: the database as it is.
        context: Alembic's context.
        wanted: what each fixup's ``rewrite`` gave.
        operations: what the fixups put into the migration.
        by_path: the schemas that Alembic looks at only because the search_path shows them.
        glimpsed: the schemas of which Alembic sees the models' tables only.
        moves: what the migration puts into another schema; the catalog has it there already.
        settled: key of the table and name of every CHECK that a fixup brings about by itself, so
            that it is compared with nothing.
        column_types: the types that the migration gives columns before Alembic's operations, by OID
            of the table and name.
        revalued: the columns, by OID of the table and name, whose values it may change thereby.
        domain_types: the types, as SQL, that it gives domains, by schema and name.
        leaving: gives the CHECKs that the migration drops before Alembic's operations, by table and
            name.
        retyped: what an expression of the database reads once the migration has given columns other
            types; as it is where it gives none.
    """

    settings: Settings
    target: Target
    catalog: Catalog
    context: AutogenContext
    wanted: list[tuple[Fixup, Any, Any]] = field(default_factory=list)
    operations: list[StepsOp] = field(default_factory=list)
    by_path: set[str] = field(default_factory=set)
    glimpsed: set[str] = field(default_factory=set)
    moves: list[Move] = field(default_factory=list)
    settled: set[tuple[TableKey, str]] = field(default_factory=set)
    column_types: dict[tuple[int, str], TypeEngine[Any]] = field(default_factory=dict)
    revalued: set[tuple[int, str]] = field(default_factory=set)
    domain_types: dict[Name, str] = field(default_factory=dict)
    leaving: Callable[[], Collection[tuple[TableName, str]]] = frozenset
    retyped: Callable[[str], str] = str

    @property
    def findings(self) -> list[Finding]:
        """What the fixups have to say."""
        return self.target.findings

    @cached_property
    def heads(self) -> str:
        """The revisions that the database is at, as a text."""
        return ", ".join(sorted(self.context.migration_context.get_current_heads())) or "none"

    def relation(self, table: Table) -> Relation | None:
        """What the database has for a table of the models, None where it has nothing."""
        return self.catalog.find(table.schema, table.name)

    def relation_before_moves(self, table: Table) -> Relation | None:
        """The same also where the migration has yet to move it."""
        found = self.relation(table)
        if found is None:
            for move in self.moves:
                if move.kind == "table" and (move.to, move.name) == (table.schema, table.name):
                    found = self.catalog.find(move.schema, move.name)
        return found
