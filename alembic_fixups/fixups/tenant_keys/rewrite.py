"""The change of the desired schema: every tenant table refers to its parent by the whole key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import CompileError
from sqlalchemy.sql.elements import conv

from alembic_fixups.fixups.tenant_keys.hierarchy import (
    Level,
    log_inferred,
    resolve,
    tenant_depth,
)
from alembic_fixups.fixups.tenant_keys.settings import NAME, TenantKeysSettings
from alembic_fixups.rendering.quoting import fit_identifier
from alembic_fixups.report import Finding, Severity
from alembic_fixups.target import Target, columns_by_name, drop_foreign_keys, references

SET_COLUMNS_VERSION = 15
"""First major version with ``ON DELETE SET NULL (column)`` (release notes of PostgreSQL 15)."""


@dataclass(frozen=True)
class UniqueKey:
    """The key of a parent that a composite foreign key refers to.

    Attributes:
        name: its name, None where the primary key serves.
        columns: its columns in the order in which it is made.
        constraint: whether it is a constraint, not a bare unique index.
    """

    name: str | None
    columns: tuple[str, ...]
    constraint: bool = True


@dataclass(frozen=True)
class CoveringIndex:
    """The index by which the rows that refer to a parent are found.

    Attributes:
        name: its name, None where another index of the models serves.
        added: whether the models lack it and the rewrite adds it.
    """

    name: str | None
    added: bool


@dataclass(frozen=True)
class CompositeKey:
    """A foreign key that carries the tenant.

    Attributes:
        name: name of the constraint.
        child: key of the table that refers.
        columns: its referring columns, the tenant's first.
        parent: key of the table referred to.
        parent_columns: the columns referred to, in the same order.
        own_columns: those of *columns* that say which row of the tenant is meant.
        on_delete, on_update, deferrable, initially: as in the constraint; "" where not given.
        unique: the parent's key.
        index: the child's index.
        replaced: what the foreign keys refer to that this one takes the place of, each as pairs
            of columns; none where the tenant may be NULL and they are kept.
        nullable: those of *columns* that may be NULL.
    """

    name: str
    child: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    own_columns: tuple[str, ...]
    on_delete: str
    on_update: str
    deferrable: bool
    initially: str
    unique: UniqueKey
    index: CoveringIndex
    replaced: tuple[frozenset[tuple[str, str]], ...]
    nullable: tuple[str, ...]

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Which column refers to which."""
        return frozenset(zip(self.columns, self.parent_columns, strict=True))


@dataclass(frozen=True)
class _Wish:
    """A composite key before it is known what of it the models declare already.

    Attributes:
        child, parent: keys of the tables.
        pairs: which column refers to which, the tenant's first.
        own: the columns that say which row of the tenant is meant.
        single: the foreign keys of the models that it takes the place of.
        widened: whether it goes to another table than that of a level.
    """

    child: str
    parent: str
    pairs: tuple[tuple[str, str], ...]
    own: tuple[str, ...]
    single: tuple[ForeignKeyConstraint, ...] = field(compare=False)
    widened: bool = False


def rewrite(
    target: Target, settings: TenantKeysSettings, major_version: int
) -> tuple[CompositeKey, ...]:
    """Puts the composite keys into the desired schema.

    Takes the target, the fixup's settings and the major version of the server; gives the keys in
    a fixed order, those the models declare themselves as well as those it adds.

    Raises:
        SettingsError: the levels cannot be found in the models.
        UnresolvedReference: a ForeignKey of the models leads nowhere.
    """
    levels = log_inferred(target) if settings.levels is None else resolve(settings.levels, target)
    wishes = list(_wishes(target, levels, settings.scope == "all"))
    # The widest first: its index serves the others, whose columns it begins with.
    wishes.sort(key=lambda wish: (wish.child, -len(wish.pairs), wish.pairs, wish.parent))
    keys = [_put(target, wish) for wish in wishes if _possible(target, wish, major_version)]
    return tuple(
        sorted(dict.fromkeys(keys), key=lambda key: (key.child, len(key.columns), key.columns))
    )


def _wishes(target: Target, levels: Sequence[Level], everything: bool) -> Iterator[_Wish]:
    depths = {key: tenant_depth(table, levels) for key, table in target.tables.items()}
    for key, table in target.tables.items():
        _report_gaps(target, table, levels, depths[key])
        placed: set[ForeignKeyConstraint] = set()
        own_references = list(references(table))
        for depth in range(1, depths[key]):
            level = levels[depth]
            above = [upper.column for upper in levels[:depth]]
            pairs = (*((name, name) for name in above), (level.column, level.id))
            on_column = [
                (constraint, referred)
                for constraint, referred in own_references
                if [element.parent.name for element in constraint.elements] == [level.column]
            ]
            wrong = [
                referred.key
                for constraint, referred in on_column
                if referred.key != level.table or constraint.elements[0].column.name != level.id
            ]
            if wrong:
                _report(
                    target,
                    "other-target",
                    table,
                    f"{level.column} refers to {', '.join(wrong)}, not to {level.table}."
                    f"{level.id}; it gets no tenant key",
                )
                continue
            single = tuple(constraint for constraint, _ in on_column)
            placed.update(single)
            yield _Wish(key, level.table, pairs, (level.column,), single)
        if everything:
            for constraint, referred in own_references:
                wish = _widened(target, levels, depths, table, constraint, referred)
                if constraint not in placed and wish is not None:
                    yield wish


def _widened(
    target: Target,
    levels: Sequence[Level],
    depths: dict[str, int],
    table: Table,
    constraint: ForeignKeyConstraint,
    referred: Table,
) -> _Wish | None:
    """A foreign key between two tables of a tenant, with the tenant's columns.

    The referring table may belong to a lower level than the other; then the columns of the level
    they share are carried.
    """
    tenant = [level.column for level in levels[: depths[referred.key]]]
    if not tenant or depths[table.key] < len(tenant):
        return None
    pairs = [(element.parent.name, element.column.name) for element in constraint.elements]
    if all((column, column) in pairs for column in tenant):
        own = [column for column, other in pairs if column not in tenant]
        if [level for level in levels if level.table == referred.key and own == [level.column]]:
            return None  # a declared key to a level, seen to above
        single: tuple[ForeignKeyConstraint, ...] = tuple(
            other
            for other, parent in references(table)
            if parent is referred
            and {element.parent.name for element in other.elements} == set(own)
        )
    else:
        own = [column for column, _ in pairs if column not in tenant]
        single = (constraint,)
        if any(one != other and {one, other} & set(tenant) for one, other in pairs):
            _report(
                target,
                "tenant-column-elsewhere",
                table,
                f"the foreign key on ({', '.join(own)}) to {referred.key} uses a tenant column for "
                "something else than the tenant; it is left as it is",
            )
            return None
    remote = dict(pairs)
    return _Wish(
        table.key,
        referred.key,
        (*((name, name) for name in tenant), *((name, remote[name]) for name in own)),
        tuple(own),
        single,
        widened=True,
    )


def _possible(target: Target, wish: _Wish, major_version: int) -> bool:
    table, parent = target.table(wish.child), target.table(wish.parent)
    named, parent_named = columns_by_name(table), columns_by_name(parent)
    for column, other in wish.pairs:
        if not wish.single and not _comparable(named[column], parent_named[other]):
            _report(
                target,
                "other-type",
                table,
                f"{column} is {named[column].type!r} and {wish.parent}.{other} is "
                f"{parent_named[other].type!r}; a foreign key needs types that can be compared",
                "refused",
            )
            return False
    if _declared(table, wish) is not None:
        return True
    shared = [
        other for column, other in wish.pairs if column == other and parent_named[other].nullable
    ]
    if shared and wish.widened:
        _report(
            target,
            "shared-parent",
            table,
            f"{wish.parent}.{', '.join(shared)} may be NULL, for rows that are shared by all "
            f"tenants; the foreign key on ({', '.join(wish.own)}) is left as it is, since one with "
            "the tenant would refuse them",
        )
        return False
    options = next(iter(wish.single), None)
    if options is None:
        return True
    if (options.onupdate or "").upper().startswith("SET"):
        _report(
            target,
            "on-update-set",
            table,
            f"the foreign key on ({', '.join(wish.own)}) says ON UPDATE {options.onupdate}, which "
            "PostgreSQL cannot limit to a column: with the tenant in the key it would clear the "
            "tenant too. Take it out of the model first",
            "refused",
        )
        return False
    if (options.ondelete or "").upper().startswith("SET") and major_version < SET_COLUMNS_VERSION:
        _report(
            target,
            "set-null-needs-15",
            table,
            f"the foreign key on ({', '.join(wish.own)}) says ON DELETE {options.ondelete}; to "
            f"keep it from clearing the tenant needs PostgreSQL {SET_COLUMNS_VERSION}, the server "
            f"is {major_version}",
            "refused",
        )
        return False
    return True


def _put(target: Target, wish: _Wish) -> CompositeKey:
    table = target.table(wish.child)
    columns = tuple(column for column, _ in wish.pairs)
    parent_columns = tuple(other for _, other in wish.pairs)
    tenant = [column for column in columns if column not in wish.own]
    named = columns_by_name(table)
    nullable_tenant = [name for name in tenant if named[name].nullable]
    declared = _declared(table, wish)
    unique = _put_unique(target, wish.parent, parent_columns)
    index = _put_index(target, wish.child, columns)
    if nullable_tenant:
        _report(
            target,
            "nullable-tenant",
            table,
            f"{', '.join(nullable_tenant)} may be NULL, and then PostgreSQL does not check "
            f"({', '.join(columns)}) at all (MATCH SIMPLE); the foreign key on "
            f"({', '.join(wish.own)}) is kept beside it. Make the column NOT NULL",
        )
    elif wish.single:
        doomed = _replaced(wish)
        drop_foreign_keys(
            target.editable(wish.child),
            lambda other: other.referred_table.key == wish.parent and _pairs(other) in doomed,
        )
    if declared is None:
        declared = _add_foreign_key(target, wish, columns, parent_columns)
    return CompositeKey(
        name=_name_of(declared) or _foreign_key_name(table, columns),
        child=wish.child,
        columns=tuple(element.parent.name for element in declared.elements),
        parent=wish.parent,
        parent_columns=tuple(element.column.name for element in declared.elements),
        own_columns=wish.own,
        on_delete=declared.ondelete or "",
        on_update=declared.onupdate or "",
        deferrable=bool(declared.deferrable),
        initially=declared.initially or "",
        unique=unique,
        index=index,
        replaced=() if nullable_tenant else _replaced(wish),
        nullable=tuple(name for name in columns if named[name].nullable),
    )


def _add_foreign_key(
    target: Target, wish: _Wish, columns: Sequence[str], parent_columns: Sequence[str]
) -> ForeignKeyConstraint:
    table = target.editable(wish.child)
    parent = target.table(wish.parent)
    old = next(iter(wish.single), None)
    made = ForeignKeyConstraint(
        [columns_by_name(table)[name] for name in columns],
        [columns_by_name(parent)[name] for name in parent_columns],
        name=conv(_foreign_key_name(table, columns)),
        ondelete=_limited(old.ondelete, wish.own) if old is not None else None,
        onupdate=old.onupdate if old is not None else None,
        deferrable=old.deferrable if old is not None else None,
        initially=old.initially if old is not None else None,
        # A cycle among new tables is Alembic's to sort out, as for the key that this one replaces.
        use_alter=old.use_alter if old is not None else False,
    )
    table.append_constraint(made)
    return made


def _limited(action: str | None, columns: Sequence[str]) -> str | None:
    """ON DELETE SET NULL and SET DEFAULT for the own columns only, not for the tenant's."""
    if action is None or not action.upper().startswith("SET") or "(" in action:
        return action
    quote = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]
    return f"{action.upper()} ({', '.join(quote(column) for column in columns)})"


def _put_unique(target: Target, key: str, columns: tuple[str, ...]) -> UniqueKey:
    table = target.table(key)
    for constraint in sorted(table.constraints, key=lambda item: str(item.name)):
        if not isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
            continue
        names = tuple(column.name for column in constraint.columns)
        if set(names) == set(columns) and not constraint.deferrable:
            if isinstance(constraint, PrimaryKeyConstraint):
                return UniqueKey(None, names)
            return UniqueKey(_name_of(constraint) or _unique_name(table, names), names)
    for index in sorted(table.indexes, key=lambda item: str(item.name)):
        names = _plain_columns(index)
        if index.unique and set(names) == set(columns) and len(names) == len(columns):
            return UniqueKey(_name_of(index), names, constraint=False)
    name = _unique_name(table, columns)
    editable = target.editable(key)
    editable.append_constraint(
        UniqueConstraint(*map(columns_by_name(editable).__getitem__, columns), name=conv(name))
    )
    return UniqueKey(name, columns)


def _put_index(target: Target, key: str, columns: tuple[str, ...]) -> CoveringIndex:
    table = target.table(key)
    for index in sorted(table.indexes, key=lambda item: (len(item.columns), str(item.name))):
        names = _plain_columns(index)
        if _begins_with(names, columns):
            exact = len(names) == len(columns) and not index.unique
            return CoveringIndex(_name_of(index) if exact else None, added=False)
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint) and _begins_with(
            [column.name for column in constraint.columns], columns
        ):
            return CoveringIndex(None, added=False)
    name = _free_index_name(target, table, f"ix_{table.name}_{'_'.join(columns)}")
    editable = target.editable(key)
    Index(conv(name), *map(columns_by_name(editable).__getitem__, columns))
    return CoveringIndex(name, added=True)


def _begins_with(names: Sequence[str], columns: Sequence[str]) -> bool:
    return len(names) >= len(columns) and set(names[: len(columns)]) == set(columns)


def _plain_columns(index: Index) -> tuple[str, ...]:
    """The columns of a plain btree index, nothing for one that serves only some look-ups."""
    options = index.dialect_options["postgresql"]
    if options["where"] is not None or options["using"] not in (False, None, "btree"):
        return ()
    if not all(isinstance(expression, Column) for expression in index.expressions):
        return ()
    return tuple(column.name for column in index.columns)


def _declared(table: Table, wish: _Wish) -> ForeignKeyConstraint | None:
    """The composite key where the models have it themselves, in whatever order of columns."""
    for constraint, referred in references(table):
        if referred.key == wish.parent and _pairs(constraint) == set(wish.pairs):
            return constraint
    return None


def _pairs(constraint: ForeignKeyConstraint) -> frozenset[tuple[str, str]]:
    return frozenset((element.parent.name, element.column.name) for element in constraint.elements)


def _replaced(wish: _Wish) -> tuple[frozenset[tuple[str, str]], ...]:
    """The foreign key on the own columns, in the models or only in the database, and the like."""
    own = frozenset(pair for pair in wish.pairs if pair[0] in wish.own)
    return tuple(dict.fromkeys([own, *map(_pairs, wish.single)]))


def _comparable(column: Column[object], other: Column[object]) -> bool:
    """Whether PostgreSQL has an equality operator for both types, as far as the models tell."""
    families = [_family(column), _family(other)]
    return "" in families or families[0] == families[1]


def _family(column: Column[object]) -> str:
    try:
        name = column.type.compile(postgresql.dialect()).split("(")[0]  # type: ignore[no-untyped-call]
    except CompileError:
        return ""  # a type that only the other end of a foreign key knows
    if name in ("SMALLINT", "INTEGER", "BIGINT", "NUMERIC"):
        return "number"
    return "text" if name in ("VARCHAR", "CHAR", "TEXT") else name


def _report_gaps(target: Target, table: Table, levels: Sequence[Level], depth: int) -> None:
    own = next((place for place, level in enumerate(levels) if level.table == table.key), None)
    columns = columns_by_name(table)
    has = [place for place, level in enumerate(levels) if level.column in columns and place != own]
    below = [place for place in has if place > depth]
    if own is not None or not below:
        return
    missing = [levels[place].column for place in range(max(below)) if place not in has]
    _report(
        target,
        "missing-tenant-column",
        table,
        f"has {', '.join(levels[place].column for place in below)} but no {', '.join(missing)}; "
        "without it no foreign key can check to which tenant its rows belong. Add the column "
        f"(and fill it from {levels[max(below)].table})",
    )


def _report(
    target: Target, code: str, table: Table, message: str, severity: Severity = "warning"
) -> None:
    target.findings.append(Finding(NAME, code, table.key, message, severity))


def _name_of(item: ForeignKeyConstraint | UniqueConstraint | Index) -> str | None:
    return str(item.name) if isinstance(item.name, str) else None


def _foreign_key_name(table: Table, columns: Sequence[str]) -> str:
    return fit_identifier(f"fk_{table.name}_{'_'.join(columns)}")


def _unique_name(table: Table, columns: Sequence[str]) -> str:
    return fit_identifier(f"uq_{table.name}_{'_'.join(columns)}")


def _free_index_name(target: Target, table: Table, wanted: str) -> str:
    """*wanted*, or that and a digest where another table has it: index names are per schema."""
    name = fit_identifier(wanted)
    if target.index_owners.setdefault((table.schema, name), table.key) == table.key:
        return name
    return fit_identifier(f"{wanted}_{hashlib.sha256(table.key.encode()).hexdigest()[:8]}")
