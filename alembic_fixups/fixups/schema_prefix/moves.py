"""What has to move, by what the database has where; and what nobody but a person can decide."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from alembic_fixups.catalog import Move, Name, Relation
from alembic_fixups.fixups.schema_prefix.notes import moved
from alembic_fixups.fixups.schema_prefix.rewrite import Placement
from alembic_fixups.fixups.schema_prefix.settings import NAME, SchemaPrefixSettings
from alembic_fixups.rendering.quoting import qualified
from alembic_fixups.report import Finding, Refused
from alembic_fixups.run import Run
from alembic_fixups.target import columns_by_name

KINDS = {"v": "view", "m": "materialised view", "f": "foreign table"}
"""What is no table, by ``relkind``."""


def locate(placement: Placement, settings: SchemaPrefixSettings, run: Run) -> list[Move]:
    """The moves that bring the database to the models' schema: types, sequences, then tables.

    Raises:
        Refused: something is in two schemas, or in one that may not be moved from.
    """
    problems: list[str] = []
    tables = [
        move for name in sorted(placement.tables) for move in _table(name, settings, run, problems)
    ]
    types = [
        move for name in sorted(placement.types) for move in _type(name, settings, run, problems)
    ]
    sequences = [
        move for name in sorted(placement.sequences) for move in _sequence(name, settings, run)
    ]
    if problems:
        raise Refused("\n".join(problems))
    return [*_done_types(settings, run), *types, *sequences, *_done_tables(settings, run), *tables]


def lookalikes(name: str, settings: SchemaPrefixSettings, run: Run) -> list[Relation]:
    """What has a model's name in another schema that is moved from or on the search_path.

    Not what another model names, and not what the settings keep.
    """
    return [
        relation
        for schema in dict.fromkeys((*settings.move_from, *run.catalog.schemas_on_path))
        if schema != settings.home
        and f"{schema}.{name}" not in settings.keep
        and run.target.find(schema, name) is None
        and (relation := run.catalog.find(schema, name)) is not None
    ]


def _table(
    name: str, settings: SchemaPrefixSettings, run: Run, problems: list[str]
) -> Iterator[Move]:
    home = settings.home
    there = run.catalog.find(home, name)
    found = lookalikes(name, settings, run)
    covered = [relation for relation in found if relation.schema in settings.move_from]
    if there is not None:
        for other in covered:
            if other.kind not in KINDS:
                problems.append(_both(there, other, run))
        return
    if len(covered) > 1:
        names = " and ".join(map(_full, covered))
        problems.append(
            f"{home}.{name} of the models is in {names}. Leave one: drop the others, or list them "
            f"under keep in [tool.alembic-fixups.{NAME}]."
        )
    elif covered:
        [relation] = covered
        problem = _unmovable(relation)
        if problem is None:
            yield from _with_partitions(relation, home, run)
        else:
            problems.append(problem)
    else:
        columns = set(columns_by_name(run.target.table(f"{home}.{name}")))
        for other in found:
            known = set(other.columns)
            if known and (known <= columns or columns <= known):
                problems.append(_uncovered(other, home))


def _done_tables(settings: SchemaPrefixSettings, run: Run) -> Iterator[Move]:
    """What an upgrade has moved that was never stamped: the next revision has to move it too.

    Otherwise it would be moved on this database and on no other.
    """
    for relation in sorted(run.catalog.relations.values(), key=lambda item: item.name):
        for schema in settings.move_from:
            if relation.schema == settings.home and _is_noted(relation.row_comment, schema, run):
                yield Move("table", schema, relation.name, settings.home, done=True)


def _done_types(settings: SchemaPrefixSettings, run: Run) -> Iterator[Move]:
    for (home, name), comment in sorted(run.catalog.array_comments.items()):
        for schema in settings.move_from:
            if home == settings.home and _is_noted(comment, schema, run):
                yield Move("type", schema, name, home, done=True)


def _is_noted(comment: str, schema: str, run: Run) -> bool:
    return comment.partition("\n")[0] == moved(schema, run)


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


def _unmovable(relation: Relation) -> str | None:
    if relation.extension:
        return (
            f"{_full(relation)} belongs to an extension and stays where it is. Give its model "
            f"the schema {relation.schema!r}."
        )
    if relation.kind in KINDS:
        return (
            f"{_full(relation)} is a {KINDS[relation.kind]}, not a table: it is not moved, and no "
            f"table is made beside it. Give its model the schema {relation.schema!r}, or take it "
            "out of what Alembic compares with include_object."
        )
    return None


def _uncovered(relation: Relation, home: str) -> str:
    return (
        f"{_full(relation)} has the columns of the model {home}.{relation.name}, which is not "
        f"there: an empty twin of it is not created. Add {relation.schema!r} to move-from in "
        f"[tool.alembic-fixups.{NAME}] to have it moved, or give the model the schema "
        f"{relation.schema!r} to leave it there."
    )


def _with_partitions(relation: Relation, home: str, run: Run) -> Iterator[Move]:
    """The table, and of its partitions those that are in the same schema."""
    yield Move("table", relation.schema, relation.name, home)
    for other in sorted(run.catalog.relations.values(), key=lambda item: item.name):
        if other.partition_of == relation.oid and other.schema == relation.schema:
            yield from _with_partitions(other, home, run)


def _type(
    name: str, settings: SchemaPrefixSettings, run: Run, problems: list[str]
) -> Iterator[Move]:
    home = settings.home
    there = (home, name) in run.catalog.types
    for schema in dict.fromkeys((*settings.move_from, *run.catalog.schemas_on_path)):
        found = (schema, name)
        if schema == home or found not in run.catalog.types or f"{schema}.{name}" in settings.keep:
            continue
        users = _users(found, settings, run)
        if there and users:
            problems.append(
                f"{', '.join(users)}: of the type {schema}.{name}, while {home}.{name} is there "
                f"too. Alter the columns to {home}.{name} and drop the other type."
            )
        elif there:
            continue
        elif schema in settings.move_from:
            yield Move("type", schema, name, home)
            there = True
        elif users:
            run.aliases[found] = home
            message = (
                f"the type of {', '.join(users)} is in {schema!r}, not in {home!r}; it stays "
                f"there. Add {schema!r} to move-from to have it moved"
            )
            run.findings.append(Finding(NAME, "type-elsewhere", f"{schema}.{name}", message))


def _users(type_: Name, settings: SchemaPrefixSettings, run: Run) -> list[str]:
    """The columns of the models' tables, wherever these are now, that are of a type."""
    model_tables = {
        relation.oid: relation
        for table in run.target.tables.values()
        for relation in (
            run.relation(table),
            *(lookalikes(table.name, settings, run) if table.schema == settings.home else ()),
        )
        if relation is not None
    }
    return sorted(
        f"{_full(relation)}.{column}"
        for relation in model_tables.values()
        for column, known in relation.columns.items()
        if known.named == type_
    )


def _sequence(name: str, settings: SchemaPrefixSettings, run: Run) -> Iterator[Move]:
    if run.catalog.find_sequence(settings.home, name) is not None:
        return
    for schema in dict.fromkeys((*settings.move_from, *run.catalog.schemas_on_path)):
        found = run.catalog.find_sequence(schema, name)
        if found is None or schema == settings.home or found.owner is not None:
            continue
        if schema in settings.move_from:
            yield Move("sequence", schema, name, settings.home)
            return
        message = (
            f"the sequence of the models is in {schema!r}, not in {settings.home!r}; it stays "
            f"there. Add {schema!r} to move-from to have it moved"
        )
        run.findings.append(Finding(NAME, "sequence-elsewhere", f"{schema}.{name}", message))


def _full(relation: Relation) -> str:
    return f"{relation.schema}.{relation.name}"


def moved_tables(run: Run) -> dict[int, Move]:
    """The moves of tables by the OID of the table, which the catalog has moved already."""
    moves = [move for move in run.moves if move.kind == "table" and not move.done]
    found = [(run.catalog.find(move.to, move.name), move) for move in moves]
    return {relation.oid: move for relation, move in found if relation is not None}
