"""What has to move, by what the database has where; and what nobody but a person can decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import Connection, Table, text

from alembic_fixups.catalog import Move, Name, Relation
from alembic_fixups.fixups.schema_prefix.notes import moved
from alembic_fixups.fixups.schema_prefix.rewrite import Placement, named_types, settle
from alembic_fixups.fixups.schema_prefix.settings import NAME, SchemaPrefixSettings
from alembic_fixups.rendering.quoting import qualified
from alembic_fixups.report import Finding, Refused
from alembic_fixups.run import Run
from alembic_fixups.target import columns_by_name

KINDS = {"v": "view", "m": "materialised view", "f": "foreign table"}
"""What is no table, by ``relkind``."""


@dataclass
class _Search:
    """A look for everything of the models, and what comes of it.

    Attributes:
        problems: why the run has to stop.
        types, sequences: those that stay in another schema, by name.
    """

    settings: SchemaPrefixSettings
    run: Run
    problems: list[str] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    sequences: dict[str, str] = field(default_factory=dict)

    @property
    def schemas(self) -> list[str]:
        """The schemas that may have what belongs to the models, besides their own."""
        found = dict.fromkeys((*self.settings.move_from, *self.run.catalog.schemas_on_path))
        return [schema for schema in found if schema != self.settings.home]

    @cached_property
    def columns(self) -> dict[Name | int | None, list[tuple[Relation, str]]]:
        """The columns of each enum type or domain, and those with a default of each sequence."""
        found: dict[Name | int | None, list[tuple[Relation, str]]] = {}
        for relation in self.run.catalog.relations.values():
            for name, column in relation.columns.items():
                for key in (column.named, column.sequence):
                    found.setdefault(key, []).append((relation, name))
        return found

    @cached_property
    def seen(self) -> list[str]:
        """The schemas that Alembic looks at besides, with include_schemas."""
        context = self.run.context
        if not context.opts.get("include_schemas"):
            return []
        default = self.run.target.default_schema
        return [
            schema
            for schema in sorted(self.run.catalog.schemas)
            if schema not in (self.settings.home, *self.schemas)
            and context.run_name_filters(None if schema == default else schema, "schema", {})
        ]


def locate(placement: Placement, settings: SchemaPrefixSettings, run: Run) -> list[Move]:
    """The moves that bring the database to the models' schema: types, sequences, then tables.

    Raises:
        Refused: something is in two schemas, in one that may not be moved from, or is not what it
            looks like.
    """
    search = _Search(settings, run)
    tables = [
        move
        for name in sorted(placement.tables)
        if _is_compared(table := run.target.table(f"{settings.home}.{name}"), run)
        for move in _table(table, search)
    ]
    types = [move for name in sorted(placement.types) for move in _type(name, search)]
    sequences = [move for name in sorted(placement.sequences) for move in _sequence(name, search)]
    if search.problems:
        raise Refused("\n".join(search.problems))
    settle(run.target, search.types, search.sequences)
    return [*types, *sequences, *tables]


def lookalikes(name: str, settings: SchemaPrefixSettings, run: Run) -> list[Relation]:
    """What has a model's name in another schema that is moved from or on the search_path.

    Not what another model names, and not what the settings keep.
    """
    return _lookalikes_in(_Search(settings, run).schemas, name, settings, run)


def _lookalikes_in(
    schemas: Iterable[str], name: str, settings: SchemaPrefixSettings, run: Run
) -> list[Relation]:
    return [
        relation
        for schema in schemas
        if f"{schema}.{name}" not in settings.keep
        and run.target.find(schema, name) is None
        and (relation := run.catalog.find(schema, name)) is not None
    ]


def moved_tables(run: Run) -> dict[int, Move]:
    """The moves of tables by the OID of the table, which the catalog has moved already."""
    moves = [move for move in run.moves if move.kind == "table" and not move.done]
    found = [(run.catalog.find(move.to, move.name), move) for move in moves]
    return {relation.oid: move for relation, move in found if relation is not None}


def _is_compared(table: Table, run: Run) -> bool:
    """Whether env.py's include_object lets Alembic compare the table."""
    original = run.target.original(table)
    return run.context.run_object_filters(original, original.name, "table", False, None)


def _table(table: Table, search: _Search) -> Iterator[Move]:
    settings, run, name = search.settings, search.run, table.name
    there = run.catalog.find(settings.home, name)
    found = lookalikes(name, settings, run)
    covered = [relation for relation in found if relation.schema in settings.move_from]
    if there is not None:
        if there.kind in KINDS:
            search.problems.append(_no_table(there))
        elif (source := _source(there.row_comment, search)) is not None:
            yield from _with_partitions(there, source, search, done=True)
        for other in covered:
            if other.kind not in KINDS:
                search.problems.append(_both(there, other, run))
    elif len(covered) > 1:
        names = " and ".join(map(_full, covered))
        search.problems.append(
            f"{settings.home}.{name} of the models is in {names}. Leave one: drop the others, or "
            f"list them under keep in [tool.alembic-fixups.{NAME}]."
        )
    elif covered:
        [relation] = covered
        if relation.extension:
            search.problems.append(_of_extension(relation))
        elif relation.kind in KINDS:
            search.problems.append(_no_table(relation))
        elif not _is_like(relation, table):
            search.problems.append(_another(relation, table))
        else:
            yield from _with_partitions(relation, relation.schema, search)
    else:
        # Alembic would drop what it sees there, and make an empty one.
        found += _lookalikes_in(search.seen, name, settings, run)
        search.problems += [
            _uncovered(other, settings.home) for other in found if _is_like(other, table)
        ]


def _is_like(relation: Relation, table: Table) -> bool:
    """Whether what the database has may be what the model means, by the columns of both."""
    there, wanted = set(relation.columns), set(columns_by_name(table))
    if not there:  # a view
        return True
    common = there & wanted
    return common in (there, wanted) or 2 * len(common) >= len(there | wanted)


def _both(there: Relation, other: Relation, run: Run) -> str:
    connection = run.context.connection
    assert connection is not None
    return (
        f"{_full(other)} and {_full(there)} are both there, with {_count(connection, other)} and "
        f"{_count(connection, there)}. Which of them is right is not for a tool to guess: bring "
        f'their rows together and drop one, or list "{_full(other)}" under keep in '
        f"[tool.alembic-fixups.{NAME}] if it is another table."
    )


def _count(connection: Connection, relation: Relation) -> str:
    if connection.scalar(
        text("SELECT NOT has_table_privilege(:oid, 'SELECT')"), {"oid": relation.oid}
    ):
        return "rows that this role may not read"
    table = qualified(relation.schema, relation.name)
    number = connection.exec_driver_sql(f"SELECT count(*) FROM {table}".replace("%", "%%"))
    return f"{number.scalar_one()} row(s)"


def _of_extension(relation: Relation) -> str:
    return (
        f"{_full(relation)} belongs to an extension and stays where it is. Give its model the "
        f"schema {relation.schema!r}."
    )


def _no_table(relation: Relation) -> str:
    return (
        f"{_full(relation)} is a {KINDS[relation.kind]}, not a table: it is not moved, and no "
        f"table is made in its place. Give its model the schema {relation.schema!r} if it has "
        "none, and have include_object in env.py leave it out of what Alembic compares."
    )


def _another(relation: Relation, table: Table) -> str:
    return (
        f"{_full(relation)} has the name of the model {table.key} and other columns "
        f"({', '.join(relation.columns)}). If it is another table, list "
        f'"{_full(relation)}" under keep in [tool.alembic-fixups.{NAME}]; if it is that one, move '
        "it by hand: ALTER TABLE ... SET SCHEMA."
    )


def _uncovered(relation: Relation, home: str) -> str:
    return (
        f"{_full(relation)} has the columns of the model {home}.{relation.name}, which is not "
        f"there: an empty twin of it is not created. In [tool.alembic-fixups.{NAME}] add "
        f'{relation.schema!r} to move-from to have it moved, or list "{_full(relation)}" under '
        f"keep if it is another table; or give the model the schema {relation.schema!r}."
    )


def _with_partitions(
    relation: Relation, source: str, search: _Search, *, done: bool = False, along: bool = False
) -> Iterator[Move]:
    """The table, and of its partitions those that are in the same schema."""
    yield Move("table", source, relation.name, search.settings.home, done, along)
    relations = search.run.catalog.relations.values()
    for other in sorted(relations, key=lambda item: item.name):
        if other.partition_of == relation.oid and other.schema == relation.schema:
            yield from _with_partitions(other, source, search, done=done, along=True)


def _source(comment: str, search: _Search) -> str | None:
    """Where an upgrade that was never stamped has moved something from, by its note.

    The next revision has to move it too, or it would be moved on this database and on no other.
    """
    first = comment.partition("\n")[0]
    schemas = search.settings.move_from
    return next((schema for schema in schemas if first == moved(schema, search.run)), None)


def _type(name: str, search: _Search) -> Iterator[Move]:
    home, catalog = search.settings.home, search.run.catalog
    there = (home, name) in catalog.types
    source = _source(catalog.array_comments.get((home, name), ""), search)
    if source is not None:
        yield Move("type", source, name, home, done=True)
    elsewhere = sorted(schema for schema, known in catalog.types if known == name)
    for schema in dict.fromkeys((*search.schemas, *elsewhere)):
        full = f"{schema}.{name}"
        if schema == home:
            continue
        users, others = _users((schema, name), search)
        if not users or full in search.settings.keep:
            continue  # another's, or nobody's
        if there:
            search.problems.append(
                f"{', '.join(users)}: of the type {full}, while {home}.{name} is there too. Alter "
                f"the columns to {home}.{name} and drop the other type."
            )
        elif schema in search.settings.move_from:
            yield Move("type", schema, name, home)
            if others:
                message = f"is the type of {', '.join(others)} too, which the models do not have"
                search.run.findings.append(Finding(NAME, "shared-type", full, message))
        else:
            message = _stays("type", schema, home)
            search.run.findings.append(Finding(NAME, "type-elsewhere", full, message))
            search.types[name] = schema
        there = True


def _users(type_: Name, search: _Search) -> tuple[list[str], list[str]]:
    """The columns of a type: those that have it in the models, wherever they are, and others."""
    users: list[str] = []
    others: list[str] = []
    for relation, column in search.columns.get(type_, ()):
        table = _model_of(relation, search)
        ours = table is not None and _may_mean(table, column, type_, search.settings.home)
        (users if ours else others).append(f"{_full(relation)}.{column}")
    return sorted(users), sorted(others)


def _may_mean(table: Table, column: str, type_: Name, home: str) -> bool:
    """Whether the models mean the type in *home* there, or nothing else of its name."""
    known = columns_by_name(table).get(column)
    named = named_types(known.type) if known is not None else set()
    if (home, type_[1]) in named:
        return True
    return table.schema == home and all(name != type_[1] for _, name in named)


def _model_of(relation: Relation, search: _Search) -> Table | None:
    """The table of the models that it is, where they have it or where it is now."""
    root = relation
    while root.partition_of is not None:
        root = search.run.catalog.relations[root.partition_of]
    target = search.run.target
    key = target.find(root.schema, root.name)
    if key is None and root in lookalikes(root.name, search.settings, search.run):
        key = f"{search.settings.home}.{root.name}"
    return target.table(key) if key is not None and key in target else None


def _sequence(name: str, search: _Search) -> Iterator[Move]:
    home, catalog = search.settings.home, search.run.catalog
    there = catalog.find_sequence(home, name)
    if there is not None:
        source = _source(there.comment, search)
        if source is not None:
            yield Move("sequence", source, name, home, done=True)
        return
    elsewhere = sorted(one.schema for one in catalog.sequences.values() if one.name == name)
    for schema in dict.fromkeys((*search.schemas, *elsewhere)):
        full = f"{schema}.{name}"
        found = catalog.find_sequence(schema, name)
        if found is None or found.owner is not None or full in search.settings.keep:
            continue
        columns = search.columns.get(found.oid, ())
        users = [_model_of(relation, search) is not None for relation, _ in columns]
        if not any(users) and (users or schema not in search.schemas):
            continue  # another's
        if schema in search.settings.move_from:
            yield Move("sequence", schema, name, home)
        else:
            message = _stays("sequence", schema, home)
            search.run.findings.append(Finding(NAME, "sequence-elsewhere", full, message))
            search.sequences[name] = schema
        return
    message = (
        "the sequence of the models is not there, and Alembic makes none: have the migration "
        "CREATE SEQUENCE it before what uses it"
    )
    search.run.findings.append(Finding(NAME, "missing-sequence", f"{home}.{name}", message))


def _stays(kind: str, schema: str, home: str) -> str:
    return (
        f"the {kind} of the models is not in {home!r}; it stays where it is. Add {schema!r} to "
        "move-from to have it moved"
    )


def _full(relation: Relation) -> str:
    return f"{relation.schema}.{relation.name}"
