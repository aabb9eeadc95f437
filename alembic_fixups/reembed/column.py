"""A column that waits for vectors, as the database has it now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from alembic_fixups.fixups.vector_dimension.side_tables import SIDE_TABLES, Job, parsed
from alembic_fixups.project import ProjectError
from alembic_fixups.reembed.database import Connection, rows
from alembic_fixups.reembed.wire import DIMENSIONS, Encoder, encoder
from alembic_fixups.rendering.quoting import identifier


@dataclass(frozen=True)
class KeyColumn:
    """A column of the primary key.

    Attributes:
        name: its name.
        type: its type without length or scale, as SQL.
        kind: the OID of this type, of that below it where it is a domain.
        category: ``typcategory`` of this type.
        operators: the schema of its ``=`` and ``>``, which need not be on the search_path.
        collation: as SQL, None where the type has none.
    """

    name: str
    type: str
    kind: int
    category: str
    operators: str
    collation: str | None


@dataclass(frozen=True)
class Column:
    """A column that waits for vectors.

    Attributes:
        job: what the migration said of it.
        oid: that of its table.
        store: the OID of the job's table.
        key: the primary key, in its order.
        partitioned: whether the table is.
        not_null: whether the column is NOT NULL already.
        kind: vector, halfvec, sparsevec or bit.
        dimensions: how many, None where the type does not say.
        element: the OID of its type.
        array: the type of arrays of it, as SQL.
        send: the function that gives its binary form, as SQL.
    """

    job: Job
    oid: int
    store: int
    key: tuple[KeyColumn, ...]
    partitioned: bool
    not_null: bool
    kind: str
    dimensions: int | None
    element: int
    array: str
    send: str

    def digest(self, vector: str) -> str:
        """The MD5 of a vector as SQL; of the binary form, which is made faster than the text."""
        return f"pg_catalog.md5({self.send}({vector}))"

    @property
    def sql(self) -> str:
        """The column's name as SQL."""
        return identifier(self.job.column)

    @property
    def encoder(self) -> Encoder:
        """A function that gives a vector of this type as it goes over the wire."""
        return encoder(self.kind, self.dimensions)

    def labelled(self, key: Iterable[str]) -> dict[str, str]:
        """The values of a key by the names of its columns."""
        return dict(zip((column.name for column in self.key), key, strict=True))


# The path is set by itself: format_type() leaves out the schema of what is visible.
_BARE = "SET LOCAL search_path = pg_catalog, pg_temp"

_COLUMN = """
SELECT a.attrelid::bigint, s.oid::bigint, r.relkind = 'p', a.attnotnull,
       format_type(a.atttypid, a.atttypmod), t.typname, a.atttypmod, t.oid::bigint,
       format_type(t.typarray, -1),
       (SELECT quote_ident(n.nspname) || '.' || quote_ident(p.proname)
          FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = t.typsend),
       row_security_active(r.oid)
  FROM pg_class r
  JOIN pg_namespace n ON n.oid = r.relnamespace
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = $3 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_class s ON s.relname = $5 AND s.relnamespace = (
         SELECT oid FROM pg_namespace WHERE nspname = $4)
 WHERE n.nspname = $1 AND r.relname = $2
"""

_KEY = """
WITH RECURSIVE bases AS (
  SELECT t.oid AS type, t.oid AS base, t.typbasetype, t.typtype FROM pg_type t
   WHERE t.oid IN (SELECT atttypid FROM pg_attribute WHERE attrelid = $1)
  UNION ALL
  SELECT b.type, t.oid, t.typbasetype, t.typtype
    FROM bases b JOIN pg_type t ON b.typtype = 'd' AND t.oid = b.typbasetype
)
SELECT a.attname, format_type(a.atttypid, -1), b.base::bigint, t.typcategory::text,
       (SELECT quote_ident(n.nspname)
          FROM pg_opclass c
          JOIN pg_amop o ON o.amopfamily = c.opcfamily AND o.amopstrategy = 5
               AND o.amoplefttype = c.opcintype AND o.amoprighttype = c.opcintype
          JOIN pg_operator p ON p.oid = o.amopopr
          JOIN pg_namespace n ON n.oid = p.oprnamespace
         WHERE c.oid = i.indclass[k.place - 1]),
       (SELECT quote_ident(n.nspname) || '.' || quote_ident(l.collname)
          FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
         WHERE l.oid = a.attcollation)
  FROM pg_index i
 CROSS JOIN generate_series(1, i.indnkeyatts) AS k (place)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.place - 1]
  JOIN bases b ON b.type = a.atttypid AND b.typtype <> 'd'
  JOIN pg_type t ON t.oid = b.base
 WHERE i.indrelid = $1 AND i.indisprimary
 ORDER BY k.place
"""


def jobs(connection: Connection) -> list[Job]:
    """The jobs of a database."""
    return parsed(rows(connection, SIDE_TABLES))[0]


def read(connection: Connection, job: Job) -> Column:
    """What there is to know of the column that a job is for.

    Raises:
        ProjectError: it cannot be worked on; the message says why and what to do.
    """
    with connection.transaction():
        connection.execute(_BARE)
        found = rows(
            connection,
            _COLUMN,
            [job.table.schema, job.table.name, job.column, job.store.schema, job.store.name],
        )
        if not found:
            raise ProjectError(
                f"{job.name}: there is no such column, which the job {job.store} is for. Run "
                f"`alembic upgrade` to its end; where the column is gone for good, drop the table "
                f"{job.store}."
            )
        [(oid, store, partitioned, not_null, actual, name, modifier, *type, hidden)] = found
        key = tuple(KeyColumn(*row) for row in rows(connection, _KEY, [oid]))
        kept = tuple(KeyColumn(*row) for row in rows(connection, _KEY, [store]))
    if actual != job.type:
        raise ProjectError(
            f"{job.name}: its type is {actual}, not yet {job.type}. The migration has not come to "
            "its end: run `alembic upgrade heads` first."
        )
    if name not in DIMENSIONS:
        raise ProjectError(f"{job.name}: {actual} is no type that vectors can be written to")
    if hidden:
        raise ProjectError(
            f"{job.name}: row level security hides rows of {job.table} from the role that is "
            "connected, and these would be left out. Connect as the owner of the table, or as a "
            "role with BYPASSRLS (--database-url)."
        )
    if not key or {column.name for column in key} != {column.name for column in kept}:
        raise ProjectError(
            f"{job.name}: the primary key of {job.table} is no longer that of {job.store} "
            f"({', '.join(column.name for column in kept) or 'none'}). Rename the columns of that "
            "table too, or downgrade and upgrade the revision that made it."
        )
    return Column(
        job,
        oid,
        store,
        key,
        partitioned,
        not_null,
        name,
        None if modifier < 0 else modifier,
        *type,
    )
