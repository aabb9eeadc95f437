"""``[tool.alembic-fixups.vector-dimension]``."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictInt

from alembic_fixups.settings import Model, SettingsError

NAME = "vector-dimension"

Data = Literal["archive", "reembed", "truncate", "pad", "clear"]
Strategy = Literal["auto", "rewrite", "online"]

_EMBEDDER = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")


def _embedder(name: str) -> str:
    if _EMBEDDER.fullmatch(name) is None:
        raise ValueError("write the module and the function, as in 'app.embeddings:embed'")
    return name


def _source(query: str) -> str:
    query = query.strip().removesuffix(";").rstrip()
    if not query:
        raise ValueError("write a SELECT that gives the primary key and a text")
    return query


def _batch(rows: int) -> int:
    if rows < 1:
        raise ValueError("has to be 1 row at least")
    return rows


def _dimensions(count: int) -> int:
    if count < 1:
        raise ValueError("has to be 1 at least")
    return count


class ColumnSettings(Model):
    """What is done with one column and its vectors.

    Attributes:
        dimensions: how many it is to have, None for as many as the models say.
        data: what becomes of them, None for what the table above says.
        source: for ``reembed``: a SELECT of the columns of the primary key and a text.
        embedder: for ``reembed``: ``module:function``, which takes a list of texts and gives as
            many vectors.
        batch: rows that the embedder is given at once.
    """

    dimensions: Annotated[StrictInt, AfterValidator(_dimensions)] | None = None
    data: Data | None = None
    source: Annotated[str, AfterValidator(_source)] | None = None
    embedder: Annotated[str, AfterValidator(_embedder)] | None = None
    batch: Annotated[StrictInt, AfterValidator(_batch)] = 256


class VectorDimensionSettings(Model):
    """The settings of the fixup.

    Attributes:
        data: what becomes of vectors that do not fit the column's new type.
        strategy: how the migration changes a column: "rewrite" in one transaction, "online" by
            way of a second column, "auto" as the table's size tells when it runs.
        columns: ``schema.table.column`` with what is done there; ``table.column`` does where the
            table is in the default schema.
    """

    data: Data = "archive"
    strategy: Strategy = "auto"
    columns: dict[str, ColumnSettings] = Field(default_factory=dict)


def given_settings(
    settings: VectorDimensionSettings, schema: str | None, table: str, column: str, default: str
) -> tuple[str, ColumnSettings]:
    """What the settings say of a column alone, with its name in them.

    Takes the schema of its table, None for the default one, and the default one.
    """
    names = [f"{schema or default}.{table}.{column}"]
    if schema in (None, default):
        names.append(f"{table}.{column}")
    name = next((name for name in names if name in settings.columns), names[0])
    return name, settings.columns.get(name, ColumnSettings())


def column_settings(
    settings: VectorDimensionSettings, schema: str | None, table: str, column: str, default: str
) -> tuple[str, ColumnSettings]:
    """The settings of a column, with what the table says where it says nothing itself.

    Takes the schema of its table, None for the default one, and the default one. Gives its name in
    the settings too.

    Raises:
        SettingsError: it is to be embedded anew, and there is nothing that says from what or how.
    """
    name, given = given_settings(settings, schema, table, column, default)
    chosen = given.model_copy(update={"data": given.data or settings.data})
    missing = [key for key in ("source", "embedder") if getattr(chosen, key) is None]
    if chosen.data == "reembed" and missing:
        raise SettingsError(
            f'{NAME}.columns."{name}": data = "reembed" needs {" and ".join(missing)}',
            keys=(NAME, "columns", name),
        )
    return name, chosen
