"""The steps that drop a needless index while its table is in use, and build it again.

An index goes after everything else in the revision, when what serves in its place is there. What
Alembic would do about it (``op.drop_index``, which locks the table) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_values

from alembic.operations import ops
from sqlalchemy import Table

from alembic_fixups.catalog import Relation
from alembic_fixups.fixups.redundant_index.present import Present, read
from alembic_fixups.fixups.redundant_index.rewrite import Redundant
from alembic_fixups.fixups.redundant_index.serving import Serving, flag_names, serving
from alembic_fixups.fixups.redundant_index.settings import NAME, RedundantIndexSettings
from alembic_fixups.rendering import indexes
from alembic_fixups.rendering.steps import Step, StepsOp, Unit
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.report import Finding, Severity
from alembic_fixups.run import Replacement, Run
from alembic_fixups.stock.tree import leaves


@dataclass(frozen=True)
class Drop:
    """An index that Alembic would drop, and that another one of the models makes needless.

    Attributes:
        operation: Alembic's operation.
        table: its table as the models have it.
        relation: the table as the database has it.
        oid, name, column: the index, and its column.
        serving: what the models have in its place.
    """

    operation: ops.DropIndexOp
    table: Table
    relation: Relation
    oid: int
    name: str
    column: str
    serving: Serving

    @property
    def is_partitioned(self) -> bool:
        """Whether its table is partitioned."""
        return self.relation.kind == "p"

    @property
    def place(self) -> TableName:
        """Its table, for SQL."""
        return TableName.of(self.table)

    @property
    def is_named_by_flag(self) -> bool:
        """Whether ``index=True`` on the column would give it its name, in any schema."""
        return self.name in flag_names(self.table, self.column)


def replace(
    wanted: Sequence[Redundant],
    settings: RedundantIndexSettings,
    run: Run,
    upgrade_ops: ops.UpgradeOps,
) -> Replacement:
    """Gives the steps for the indexes that go, and says which operations they take over.

    That is those of Alembic's operations that drop an index by ``index=True``, also where the
    models have it no more: the codemod may have been run first.
    """
    general = run.settings.general
    templates = Templates(general.lock_timeout, general.templates)
    found = list(_drops(run, upgrade_ops))
    present = read((drop.oid for drop in found), run, templates)
    # Under the name that index=True gives there may be something else, which Alembic does not see.
    # Under another name, to drop something else is somebody's wish.
    ours = [drop for drop in found if present[drop.oid].is_plain or drop.is_named_by_flag]
    owned = {id(drop.operation) for drop in ours}
    replacement = Replacement(lambda operation: id(operation) in owned)
    going = [drop for drop in ours if _may_go(drop, present[drop.oid], run, upgrade_ops)]
    if not going:
        return replacement
    steps = _Steps(templates, going)
    early = [drop for drop in going if present[drop.oid].is_served]
    if early:
        units = [Unit([steps.look(drop) for drop in early])]
        headings = ("looks at what is there", "has nothing to take back")
        replacement.first = [_operation((), units, headings)]
    units = [
        Unit(
            [*([] if drop in early else [steps.look(drop)]), steps.drop(drop)],
            steps.build(drop, present[drop.oid]),
        )
        for drop in going
    ]
    described = tuple(
        f"{drop.table.key}: drop the index {drop.name}, since {drop.serving} serves as well"
        for drop in going
    )
    replacement.operations = [_operation(described, units, ("makes these changes", "takes back"))]
    return replacement


def _operation(
    described: tuple[str, ...], units: Sequence[Unit], headings: tuple[str, str]
) -> StepsOp:
    return StepsOp(
        NAME,
        described,
        tuple(step for unit in units for step in unit.upgrade),
        tuple(step for unit in reversed(units) for step in unit.downgrade),
        headings=headings,
    )


def _drops(run: Run, upgrade_ops: ops.UpgradeOps) -> Iterator[Drop]:
    """The indexes on one column that Alembic would drop for good, where another one serves."""
    operations = list(leaves(upgrade_ops.ops))
    created = {
        (one.schema, one.table_name, str(one.index_name))
        for one in operations
        if isinstance(one, ops.CreateIndexOp)
    }
    for operation in operations:
        if not isinstance(operation, ops.DropIndexOp) or operation.table_name is None:
            continue
        name = str(operation.index_name)
        key = run.target.find(operation.schema, operation.table_name)
        if key is None:
            continue
        table = run.target.table(key)
        relation = run.relation(table)
        if relation is None:
            continue
        index = next((one for one in relation.indexes if one.name == name), None)
        if (operation.schema, operation.table_name, name) in created or index is None:
            continue
        if index.unique or len(index.columns) != 1 or index.columns[0] is None:
            continue
        served = serving(table, index.columns[0])
        if served is not None:
            yield Drop(operation, table, relation, index.oid, name, index.columns[0], served)


def _may_go(drop: Drop, present: Present, run: Run, upgrade_ops: ops.UpgradeOps) -> bool:
    """Whether an index can be dropped; where it stays, a finding says why."""
    if not present.is_plain or present.is_bound:
        _say(
            run,
            "differs",
            drop,
            "it is no plain index of the column by itself, which index=True would make: "
            f"{present.definition}. Where it is wanted, write it as an Index() in __table_args__; "
            "else drop it yourself",
            "refused",
        )
    elif present.is_clustered:
        _say(
            run,
            "clustered",
            drop,
            "a table is clustered by it. ALTER TABLE ... SET WITHOUT CLUSTER, or USING another "
            "index, lets it go",
            "refused",
        )
    elif not all(part.is_like_whole for part in present.parts):
        _say(
            run,
            "differs",
            drop,
            "the indexes of partitions that are parts of it have storage of their own, which a "
            "downgrade could not give back",
            "refused",
        )
    elif not present.is_served and not _will_be_served(drop, upgrade_ops):
        _say(
            run,
            "not-served",
            drop,
            f"the models have {drop.serving}, but the database has no valid index that begins "
            f"with {drop.column}, and this revision makes none",
            "warning",
        )
    else:
        return True
    return False


def _say(run: Run, code: str, drop: Drop, why: str, severity: Severity) -> None:
    message = f"the index {drop.name} stays: {why}"
    run.findings.append(Finding(NAME, code, drop.table.key, message, severity))


def _will_be_served(drop: Drop, upgrade_ops: ops.UpgradeOps) -> bool:
    """Whether the revision makes an index of the table that begins with the column."""
    place = drop.operation.schema, drop.operation.table_name
    for operation in leaves(upgrade_ops.ops):
        if isinstance(operation, ops.CreateIndexOp | ops.CreateUniqueConstraintOp) and (
            place == (operation.schema, operation.table_name)
        ):
            first = operation.columns[0]
            if getattr(first, "name", first) == drop.column:
                return True
    return False


class _Steps:
    """Makes the steps of both directions."""

    def __init__(self, templates: Templates, drops: Sequence[Drop]) -> None:
        self._templates = templates
        self._drops = drops

    def look(self, drop: Drop) -> Step:
        """Stops where the index is another one, or where nothing would serve without it."""
        table = drop.place
        return self._templates.step(
            "redundant_index/look.sql.j2",
            f"{table}: stop unless {drop.name} is the plain index on {drop.column} and another "
            "index serves.",
            "nothing.",
            table=table,
            index=drop.name,
            column=drop.column,
            going=[other.name for other in self._drops if other.table is drop.table],
        )

    def drop(self, drop: Drop) -> Step:
        """Drops it."""
        table = drop.place
        return indexes.drop(self._templates, table, drop.name, partitioned=drop.is_partitioned)

    def build(self, drop: Drop, present: Present) -> list[Step]:
        """Builds it again as it was."""
        table = drop.place
        made = indexes.create(
            self._templates,
            table,
            drop.name,
            [drop.column],
            f"{table}: the index on {drop.column} as it was.",
            partitioned=drop.is_partitioned,
        )
        if present.options or present.tablespace:
            filled = self._templates.step(
                "redundant_index/build_index.sql.j2",
                "",
                "",
                table=table,
                index=drop.name,
                qualified=table.sibling(drop.name),
                column=drop.column,
                options=present.options,
                tablespace=present.tablespace,
                partitioned=drop.is_partitioned,
            )
            made[-1] = with_values(made[-1], sql=filled.sql)
        if present.parts or present.comment is not None:
            made.append(self._restore(drop, present))
        return made

    def _restore(self, drop: Drop, present: Present) -> Step:
        table = drop.place
        what = "the names and comments of its parts" if present.parts else "its comment"
        return self._templates.step(
            "redundant_index/restore.sql.j2",
            f"{table}: {drop.name} has {what} again.",
            f"SHARE UPDATE EXCLUSIVE on {drop.name} and its parts.",
            index=table.sibling(drop.name),
            comment=present.comment,
            parts=present.parts,
        )
