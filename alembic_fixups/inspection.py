"""The database as Alembic is to see it: every object under one name, the one the models use.

PostgreSQL leaves the schema out of everything it deparses that the session's search_path makes
visible. Reflected through that, a foreign key loses its schema, a type too, and a table is seen
twice, once to be dropped. An `Inspection` stands in the place of SQLAlchemy's Inspector while
Alembic compares: it names what the database has by the catalog, not by the search_path, and where
it will be once the migration has moved it. Everything else is as SQLAlchemy reflects it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any, cast

from sqlalchemy import ARRAY, BIGINT, INTEGER, Connection, Inspector, Table, inspect, text
from sqlalchemy.dialects.postgresql import DOMAIN, ENUM
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import NoSuchTableError, SAWarning
from sqlalchemy.types import TypeEngine

from alembic_fixups.catalog import Catalog, Move, Name, Relation, Sequence
from alembic_fixups.rendering.quoting import is_plain

_KINDS = (
    "columns",
    "pk_constraint",
    "foreign_keys",
    "indexes",
    "unique_constraints",
    "table_comment",
    "check_constraints",
    "table_options",
)
"""What Alembic asks an Inspector for, by ``get_multi_...`` and ``get_...``."""

_NEXT_VALUE = re.compile(r"nextval\('(?:[^']|'')*'::regclass\)")

_EXPRESSIONS = {
    "default",
    "computed",
    "sqltext",
    "expressions",
    "dialect_options",
    "postgresql_where",
}
"""Where SQL stands in what an Inspector gives, or a dictionary that has some."""

_TOKENS = re.compile(r"'(?:[^']|'')*'(?:::regclass)?|[^']+")

_TYPES = """
SELECT format_type(t.oid, NULL), t.typname
  FROM pg_catalog.pg_type t
 WHERE t.typtype = 'b' AND t.typelem = 0 AND t.oid >= 16384
"""
"""The base types that extensions bring, as the session sees them."""


class Inspection:
    """An Inspector that names everything as the models do.

    Takes a connection, the catalog as it was read from it (it becomes the catalog as it will be
    after *moves*), and the schemas that the models leave out, in the order in which a bare name is
    looked for in them; with none of them everything has its schema.

    Attributes:
        hides: whether a relation is not to be seen.
        types: the types that columns are seen with, by OID of the table and name.
        retyped: what an expression reads with these types.
    """

    hides: Callable[[Relation], bool]
    types: Mapping[tuple[int, str], TypeEngine[Any]] = {}
    retyped: Callable[[str], str] = str

    def __init__(
        self,
        connection: Connection,
        catalog: Catalog,
        moves: Collection[Move] = (),
        anonymous: Iterable[str] = (),
    ) -> None:
        self._catalog = catalog
        # Where everything is while it is read, and is not any more once it has moved.
        self._relations = {(item.schema, item.name): item for item in catalog.relations.values()}
        self._schemas = {relation.oid: name[0] for name, relation in self._relations.items()}
        moves = [move for move in moves if not move.done]
        self._types = {(move.schema, move.name): move.to for move in moves if move.kind == "type"}
        self._visible_types = _first(catalog.schemas_on_path, catalog.types)
        self._renamed = [
            (_printed(move.schema, move.name), f"{_quoted(move.to)}.{_quoted(move.name)}")
            for move in moves
            if move.kind in ("type", "sequence")
        ]
        self._before: dict[str, str] = {}
        for move in moves:
            catalog.move(move)
        anonymous = tuple(anonymous)
        self._bare = bool(anonymous)
        self._bare_types = _first(anonymous, catalog.types)
        # Without a schema an operation would reach what the search_path finds first.
        self._bare_relations = _first(
            anonymous,
            [
                (item.schema, item.name)
                for item in catalog.relations.values()
                if catalog.find(None, item.name) in (None, item)
            ],
        )
        self._tables: dict[str | None, list[Relation]] = {}
        for relation in catalog.relations.values():
            if relation.kind in ("r", "p"):
                self._tables.setdefault(self.schema_of(relation), []).append(relation)
        self._read: dict[tuple[str, str], dict[str, Any]] = {}

        self.info_cache: dict[Any, Any] = {}
        self._connection = connection
        self.dialect = cast(Any, copy(connection.engine.dialect))
        self.dialect.default_schema_name = None  # so that no foreign key goes without a schema
        self.dialect.ischema_names = _with_extensions(connection, self.dialect.ischema_names)
        self._inspector = self._inspect()
        # Alembic leaves the default schema of this dialect out.
        self.bind = _Bind(connection, connection.dialect if anonymous else self.dialect)
        for kind in _KINDS:
            several = getattr(type(self._inspector), f"get_multi_{kind}").__name__
            setattr(self, several, _named(several, partial(self._several, kind)))
            setattr(self, f"get_{kind}", _named(f"get_{kind}", partial(self._one, kind)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inspector, name)

    def schema_of(self, relation: Relation) -> str | None:
        """The schema as the models have it: none for what a bare name of theirs means."""
        name = (relation.schema, relation.name)
        return None if self._bare_relations.get(relation.name) == name else relation.schema

    def get_table_names(self, schema: str | None = None) -> list[str]:
        """Tables and partitioned tables."""
        tables = self._tables.get(schema, [])
        return sorted(relation.name for relation in tables if not self.hides(relation))

    def has_table(self, table_name: str, schema: str | None = None, **kw: Any) -> bool:
        """Whether there is a table; SQLAlchemy asks about one without a column."""
        try:
            self._find(schema, table_name)
        except NoSuchTableError:
            return False
        return True

    def _several(
        self, kind: str, schema: str | None = None, **_: Any
    ) -> dict[tuple[str | None, str], Any]:
        """One kind of thing for all tables of a schema."""
        return {
            (schema, name): self._one(kind, name, schema) for name in self.get_table_names(schema)
        }

    def _one(self, kind: str, name: str, schema: str | None = None, **_: Any) -> Any:
        """One kind of thing for one table, read together with its schema's others."""
        was = self._schemas[self._find(schema, name).oid]
        if (kind, was) not in self._read:
            self._read[kind, was] = self._reflect(kind, was)
        try:
            return self._read[kind, was][name]
        except KeyError:
            raise NoSuchTableError(name) from None

    def _find(self, schema: str | None, name: str) -> Relation:
        real = self._bare_relations.get(name, (None, name)) if schema is None else (schema, name)
        relation = self._catalog.find(*real) if real[0] is not None else None
        if relation is None:
            raise NoSuchTableError(name)
        return relation

    def _reflect(self, kind: str, schema: str) -> dict[str, Any]:
        found = self._ask(kind, schema, self._inspector)
        if kind == "foreign_keys":
            for table, foreign_keys in found.items():
                self._leave_out_parts(schema, table, foreign_keys)
                for foreign_key in foreign_keys:
                    self._name_referred(foreign_key)
        elif kind in ("columns", "indexes", "check_constraints") and self._renamed:
            with _without_search_path(self._connection, self._catalog.search_path):
                warnings.simplefilter("ignore", SAWarning)  # of types, which count for nothing here
                # One of its own: an Inspector remembers which types were visible.
                qualified = self._ask(kind, schema, self._inspect())
            for table, items in found.items():
                for item, other in zip(items, qualified.get(table, ()), strict=True):
                    self._rename(item, other)
        if kind == "columns":
            for table, columns in found.items():
                self._name_columns(schema, table, columns)
        if kind in ("columns", "indexes"):
            for table, items in found.items():
                self._leave_out_successors(schema, table, kind, items)
        if self.types and kind in ("columns", "indexes", "check_constraints"):
            for table, items in found.items():
                self._retype(schema, table, kind, items)
        return found

    def _leave_out_parts(self, schema: str, table: str, foreign_keys: list[dict[str, Any]]) -> None:
        """Takes out what PostgreSQL makes of a foreign key for each partition that it refers to.

        Alembic takes them for foreign keys that the models lack; none of them can be dropped alone.
        """
        relation = self._relations.get((schema, table))
        if relation is not None and relation.partition_of is None:
            parts = {known.name for known in relation.foreign_keys if known.inherited}
            foreign_keys[:] = [item for item in foreign_keys if item["name"] not in parts]

    def _leave_out_successors(
        self, schema: str, table: str, kind: str, items: list[dict[str, Any]]
    ) -> None:
        """Takes out what a migration that was stopped has begun; the catalog has none of it."""
        relation = self._relations.get((schema, table))
        if relation is not None and kind == "columns":
            items[:] = [item for item in items if item["name"] in relation.columns]
        elif relation is not None:
            known = {index.name for index in relation.indexes}
            items[:] = [item for item in items if item["name"] in known]

    def _retype(self, schema: str, table: str, kind: str, items: list[dict[str, Any]]) -> None:
        """Has what is said of columns that change their types read as it will."""
        relation = self._relations.get((schema, table))
        changed = {name for oid, name in self.types if relation is not None and oid == relation.oid}
        for item in items:
            if changed and (kind != "columns" or item["name"] in changed):
                _map_expressions(item, self.retyped)

    def _inspect(self) -> Inspector:
        inspector = inspect(self._connection)
        inspector.dialect = self.dialect
        inspector.bind = cast(Any, _Bind(self._connection, self._connection.dialect))
        # By itself it takes nothing but a Connection for one.
        inspector.has_table = self.has_table  # type: ignore[method-assign]
        return inspector

    def _ask(self, kind: str, schema: str, inspector: Inspector) -> dict[str, Any]:
        options = {"postgresql_ignore_search_path": True} if kind == "foreign_keys" else {}
        several = getattr(inspector, f"get_multi_{kind}")
        return {name: data for (_, name), data in several(schema=schema, **options).items()}

    def _rename(self, item: Any, qualified: Any) -> None:
        """Has every expression in what was reflected name types and sequences where they will be.

        It comes back in the downgrade, which needs them there. Takes the same as reflected
        without a search_path, where no name is without its schema.
        """
        for key in _EXPRESSIONS & item.keys():
            value, other = item[key], qualified[key]
            if isinstance(value, str):
                item[key] = self.after_moves(value, other)
            elif isinstance(value, list):
                item[key] = [self.after_moves(*pair) for pair in zip(value, other, strict=True)]
            elif isinstance(value, dict):
                self._rename(value, other)

    def after_moves(self, written: str, qualified: str) -> str:
        """An expression of the database with types and sequences where they will be.

        Takes it as it is shown, and as PostgreSQL writes it without a search_path.
        """

        def renamed(found: re.Match[str]) -> str:
            token = found[0]
            if token.startswith("'") and not token.endswith("::regclass"):
                return token  # a value
            for old, new in self._renamed:
                token = old.sub(lambda _, new=new: new, token)  # type: ignore[misc]
            return token

        after = _TOKENS.sub(renamed, qualified)
        if after == qualified:
            return written
        self._before[after] = written
        return after

    def before_moves(self, expression: str | None) -> str | None:
        """An expression as it can be evaluated now."""
        return None if expression is None else self._before.get(expression, expression)

    def _name_referred(self, foreign_key: dict[str, Any]) -> None:
        relation = self._relations.get(
            (foreign_key["referred_schema"], foreign_key["referred_table"])
        )
        if relation is not None:
            foreign_key["referred_schema"] = self.schema_of(relation)

    def _name_columns(self, schema: str, table: str, columns: list[dict[str, Any]]) -> None:
        relation = self._relations.get((schema, table))
        for column in columns:
            self._name_type(column["type"])
            known = relation.columns.get(column["name"]) if relation is not None else None
            if relation is not None and (relation.oid, column["name"]) in self.types:
                column["type"] = self.types[relation.oid, column["name"]]
            if known is None or known.sequence is None or self._bare:
                continue
            if is_next_value(column["default"]):
                # SQLAlchemy puts the table's schema before a sequence that has none.
                sequence = self._catalog.sequences[known.sequence]
                name = f"{_quoted(sequence.schema)}.{_quoted(sequence.name)}".replace("'", "''")
                column["default"] = f"nextval('{name}'::regclass)"

    def _name_type(self, type_: TypeEngine[Any]) -> None:
        if isinstance(type_, ARRAY):
            self._name_type(type_.item_type)
        elif isinstance(type_, ENUM | DOMAIN):
            name = str(type_.name)
            was = (type_.schema, name) if type_.schema else self._visible_types.get(name)
            if was is not None:
                now = (self._types.get(was, was[0]), name)
                type_.schema = None if self._bare_types.get(name) == now else now[0]

    def sequence_of(self, schema: str | None, table: str, column: str) -> Sequence | None:
        """The sequence that a column's default has to do with."""
        known = self._find(schema, table).columns.get(column)
        if known is None or known.sequence is None:
            return None
        return self._catalog.sequences[known.sequence]

    def leave_out_serial(self, _: Any, table: Table, column: dict[str, Any]) -> None:
        """Takes out the default of a serial column, as Alembic does with a query for each."""
        if not isinstance(column["type"], INTEGER | BIGINT) or not is_next_value(column["default"]):
            return
        sequence = self.sequence_of(table.schema, table.name, column["name"])
        owner = self._find(table.schema, table.name).oid
        if sequence is not None and (sequence.owner, sequence.column) == (owner, column["name"]):
            del column["default"]


def is_next_value(default: str | None) -> bool:
    """Whether a default as PostgreSQL writes it is the next value of a sequence and no more."""
    return default is not None and _NEXT_VALUE.fullmatch(default) is not None


def _map_expressions(item: Any, function: Callable[[str], str]) -> None:
    for key in _EXPRESSIONS & item.keys():
        value = item[key]
        if isinstance(value, str):
            item[key] = function(value)
        elif isinstance(value, list):
            item[key] = [None if each is None else function(each) for each in value]
        elif isinstance(value, dict):
            _map_expressions(value, function)


class _Bind:
    """A connection with another dialect, and without its schema_translate_map."""

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self._connection = connection
        self.dialect = dialect

    def schema_for_object(self, item: Table) -> str | None:
        """The schema, whatever the map says."""
        return item.schema

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def in_transaction(connection: Connection) -> bool:
    """Whether the next statement is in the same transaction as this one.

    SQLAlchemy does not say so for every driver: an engine that was made with AUTOCOMMIT may give
    the server's isolation level.
    """
    connection.exec_driver_sql("SELECT set_config('alembic_fixups.here', 'yes', true)")
    here = connection.exec_driver_sql("SELECT current_setting('alembic_fixups.here', true)")
    return bool(here.scalar() == "yes")


@contextmanager
def _without_search_path(connection: Connection, search_path: str) -> Iterator[None]:
    # Local to the transaction, so that nothing is left behind where it fails; on an AUTOCOMMIT
    # connection local would mean this one statement.
    local = in_transaction(connection)
    statement = text("SELECT pg_catalog.set_config('search_path', :path, :local)")
    connection.execute(statement, {"path": "", "local": local})
    try:
        with warnings.catch_warnings():
            yield
    except BaseException:
        if not local:
            connection.execute(statement, {"path": search_path, "local": local})
        raise
    connection.execute(statement, {"path": search_path, "local": local})


def _printed(schema: str, name: str) -> re.Pattern[str]:
    """Matches a name with its schema as PostgreSQL writes it, with or without quotes."""
    either = (rf"(?:{re.escape(_quoted(part))}|{re.escape(part)})" for part in (schema, name))
    return re.compile(r"(?<![\w.\"$])" + r"\.".join(either) + r"(?![\w\"$.])")


def _quoted(name: str) -> str:
    return name if is_plain(name) else '"' + name.replace('"', '""') + '"'


def _first(schemas: Iterable[str], names: Iterable[Name]) -> dict[str, Name]:
    """What each bare name means where it is looked for in *schemas*, in their order."""
    rank = {schema: place for place, schema in enumerate(schemas)}
    inside = sorted((name for name in names if name[0] in rank), key=lambda name: -rank[name[0]])
    return {name[1]: name for name in inside}


def _with_extensions(connection: Connection, known: dict[str, Any]) -> dict[str, Any]:
    """The types that SQLAlchemy knows by name, also by their names with the schema."""
    return known | {
        shown.lower(): known[name.lower()]
        for shown, name in connection.execute(text(_TYPES))
        if name.lower() in known
    }


def _named(name: str, function: partial[Any]) -> Callable[..., Any]:
    """Alembic looks at the name of the method."""
    function.__name__ = name  # type: ignore[attr-defined]
    return function
