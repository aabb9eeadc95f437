"""``[tool.alembic-fixups.enum-check]``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from alembic_fixups.settings import Model, SettingsError

NAME = "enum-check"

Storage = Literal["varchar", "text"]
Strategy = Literal["auto", "rewrite", "online"]
ModelType = Literal["enum", "string"]


def _pattern(pattern: str) -> str:
    if not pattern.strip():
        raise ValueError("an empty pattern covers nothing; write 'schema.table.column' or a type")
    if pattern != pattern.strip():
        raise ValueError(f"write {pattern!r} without spaces around it")
    return pattern


def _mapping(labels: dict[str, str]) -> dict[str, str]:
    for old, new in labels.items():
        if old == new:
            raise ValueError(f"{old!r} is given itself as its new name; take the entry out")
        if new in labels:
            raise ValueError(
                f"{old!r} becomes {new!r}, which becomes {labels[new]!r}: a migration that is run "
                "again would move the rows twice. Do one of the two in a revision of its own"
            )
    twice = [new for new, count in Counter(labels.values()).items() if count > 1]
    if twice:
        olds = " and ".join(repr(old) for old, new in labels.items() if new == twice[0])
        raise ValueError(
            f"{olds} both become {twice[0]!r}: the downgrade could not tell their rows apart. "
            "Move the rows of one of them by hand"
        )
    return labels


Pattern = Annotated[str, AfterValidator(_pattern)]
Labels = Annotated[dict[str, str], AfterValidator(_mapping)]


class EnumCheckSettings(Model):
    """The settings of the fixup.

    A pattern is matched as a file name is in a shell, upper and lower case told apart, against
    ``schema.table.column``, ``table.column`` where the table is in the default schema, and the
    name of the column's enum type with and without its schema.

    Attributes:
        include: patterns of the columns that are to be VARCHAR or TEXT with a CHECK.
        exclude: patterns of those that stay as they are all the same.
        storage: what they are to be.
        strategy: how the migration changes a column: "rewrite" in one transaction, "online" by
            way of a second column, "auto" as the table's size tells when it runs.
        model_type: what a native enum becomes in the model files: "enum", an Enum that is none to
            the database and goes on giving members of a Python enum, or "string", a String.
        renames: pattern, then old label and new label, for labels that the models call otherwise
            now; the migration moves the rows.
    """

    include: tuple[Pattern, ...] = ("*",)
    exclude: tuple[Pattern, ...] = ()
    storage: Storage = "varchar"
    strategy: Strategy = "auto"
    model_type: ModelType = "enum"
    renames: dict[Pattern, Labels] = Field(default_factory=dict)


def covers(
    settings: EnumCheckSettings,
    table_schema: str | None,
    table: str,
    column: str,
    type_names: Iterable[str],
    default_schema: str = "public",
) -> bool:
    """Whether the settings cover a column.

    Takes the schema of its table (None for the default one), the names of table and column in the
    database, and the names of its enum type: bare and ``schema.name``; none where it has no type.
    """
    names = _names(table_schema, table, column, type_names, default_schema)
    return _matches(settings.include, names) and not _matches(settings.exclude, names)


def renames_for(
    settings: EnumCheckSettings,
    table_schema: str | None,
    table: str,
    column: str,
    type_names: Iterable[str],
    default_schema: str = "public",
) -> dict[str, str]:
    """Old and new labels of a column, from every pattern that matches it; takes what `covers` does.

    Raises:
        SettingsError: two patterns that match it contradict each other.
    """
    names = _names(table_schema, table, column, type_names, default_schema)
    merged: dict[str, str] = {}
    for pattern, labels in settings.renames.items():
        if not _matches((pattern,), names):
            continue
        for old, new in labels.items():
            if merged.setdefault(old, new) != new:
                raise _contradiction(
                    pattern, names[0], f"{old!r} becomes {merged[old]!r} and {new!r}"
                )
        try:
            _mapping(merged)
        except ValueError as error:
            raise _contradiction(pattern, names[0], str(error)) from error
    return merged


def _names(
    table_schema: str | None,
    table: str,
    column: str,
    type_names: Iterable[str],
    default_schema: str,
) -> list[str]:
    schema = table_schema or default_schema
    bare = [f"{table}.{column}"] if schema == default_schema else []
    return [f"{schema}.{table}.{column}", *bare, *type_names]


def _matches(patterns: Iterable[str], names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _contradiction(pattern: str, column: str, what: str) -> SettingsError:
    return SettingsError(
        f"{NAME}.renames: the patterns that match {column} contradict each other: {what}",
        keys=(NAME, "renames", pattern),
    )
