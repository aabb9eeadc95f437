"""The database as Alembic is to see it: every object under one name, the one the models use.

PostgreSQL leaves the schema out of everything it deparses that the session's search_path makes
visible. Reflected through that, a foreign key loses its schema, a type too, and a table is seen
twice, once to be dropped. An `Inspection` stands in the place of SQLAlchemy's Inspector while
Alembic compares: it names what the database has by the catalog, not by the search_path, and where
it will be once the migration has moved it. Everything else is as SQLAlchemy reflects it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from copy import copy
from functools import partial
from typing import Any, cast

from sqlalchemy import ARRAY, Connection, inspect, text
from sqlalchemy.dialects.postgresql import DOMAIN, ENUM
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.types import TypeEngine

from alembic_fixups.catalog import Catalog, Move, Name, Relation, Sequence
from alembic_fixups.rendering.quoting import qualified

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

_TYPES = """
SELECT format_type(t.oid, NULL), t.typname
  FROM pg_catalog.pg_type t
 WHERE t.typtype = 'b' AND t.typelem = 0 AND t.oid >= 16384
"""
"""The base types that extensions bring, as the session sees them."""


class Inspection:
    """An Inspector that names everything as the models do.

    Takes a connection, the catalog as it was read from it (it becomes the catalog as it will be
    after *moves*), types that are shown in another schema than they are in, and the schemas that
    the models leave out, in the order in which a bare name is looked for in them; with none of
    them everything has its schema.

    Attributes:
        hides: whether a relation is not to be seen.
    """

    hides: Callable[[Relation], bool]

    def __init__(
        self,
        connection: Connection,
        catalog: Catalog,
        moves: Collection[Move] = (),
        aliases: Mapping[Name, str] | None = None,
        anonymous: Iterable[str] = (),
    ) -> None:
        self._catalog = catalog
        # Where everything is while it is read, and is not any more once it has moved.
        self._relations = {(item.schema, item.name): item for item in catalog.relations.values()}
        self._schemas = {relation.oid: name[0] for name, relation in self._relations.items()}
        self._sequences = {oid: (one.schema, one.name) for oid, one in catalog.sequences.items()}
        self._types = dict(aliases or {})
        self._types |= {(move.schema, move.name): move.to for move in moves if move.kind == "type"}
        self._visible_types = _first(catalog.schemas_on_path, catalog.types)
        for move in moves:
            if not move.done:
                catalog.move(move)
        anonymous = tuple(anonymous)
        self._bare_types = _first(anonymous, catalog.types)
        relations = [(item.schema, item.name) for item in catalog.relations.values()]
        self._bare_relations = _first(anonymous, relations)
        self._tables: dict[str | None, list[Relation]] = {}
        for relation in catalog.relations.values():
            if relation.kind in ("r", "p"):
                self._tables.setdefault(self.schema_of(relation), []).append(relation)
        self._read: dict[tuple[str, str], dict[str, Any]] = {}

        self.info_cache: dict[Any, Any] = {}
        self._inspector = inspect(connection)
        self.dialect = cast(Any, copy(self._inspector.dialect))
        self.dialect.default_schema_name = None  # so that no foreign key goes without a schema
        self.dialect.ischema_names = _with_extensions(connection, self.dialect.ischema_names)
        self._inspector.dialect = self.dialect
        # Alembic leaves the default schema of this dialect out.
        self.bind = connection if anonymous else _Bind(connection, self.dialect)
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
        options = {"postgresql_ignore_search_path": True} if kind == "foreign_keys" else {}
        several = getattr(self._inspector, f"get_multi_{kind}")
        found = {name: data for (_, name), data in several(schema=schema, **options).items()}
        for name, data in found.items():
            if kind == "foreign_keys":
                for foreign_key in data:
                    self._name_referred(foreign_key)
            elif kind == "columns":
                self._name_columns(schema, name, data)
        return found

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
            if known is not None and known.sequence is not None and column.get("default"):
                # SQLAlchemy puts the table's schema before a sequence that has none.
                name = qualified(*self._sequences[known.sequence]).replace("'", "''")
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
        """The sequence that a column's default takes the next value of."""
        known = self._find(schema, table).columns.get(column)
        if known is None or known.sequence is None:
            return None
        return self._catalog.sequences[known.sequence]


class _Bind:
    """A connection with another dialect."""

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self._connection = connection
        self.dialect = dialect

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


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
