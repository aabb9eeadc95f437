"""A column that gets another type, and its table, in the forms that the steps need."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Protocol

from alembic_fixups.catalog import SUCCESSOR_MARK, Name
from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.templates import TableName


class Retyped(Protocol):
    """A column whose type changes, as a fixup has it."""

    @property
    def table(self) -> TableName:
        """Its table."""

    @property
    def column(self) -> str:
        """Its name."""

    @property
    def storage(self) -> str:
        """SQL of its new type."""

    @property
    def is_old(self) -> str:
        """An SQL condition: whether it is still of its old type, false where it is not there."""

    @property
    def check(self) -> str | None:
        """Name of the CHECK that comes with the new type, None for none."""

    @property
    def condition(self) -> str | None:
        """SQL of this CHECK."""

    @property
    def shadow_condition(self) -> str | None:
        """SQL of this CHECK over the successor."""

    def value(self, name: str | None = None) -> str:
        """SQL of the new value; *name* is SQL of the column, where it is not its bare name."""

    def comparable(self, name: str) -> str:
        """SQL of the successor, whose name it takes, as it is compared with that value."""

    def comparable_value(self, value: str) -> str:
        """SQL of that value, as the successor is compared with it."""


@dataclass(frozen=True)
class ShadowIndex:
    """An index that is built over the successors of its columns.

    Attributes:
        name: its name.
        unique: whether it is a unique one.
        definition: the statement that made it.
        tail: what stands behind USING, over the successors; None where that cannot be.
        shadow: the index while it is built.
        problem: why it cannot be.
    """

    name: str
    unique: bool
    definition: str
    tail: str | None
    shadow: TableName
    problem: str | None = None

    @property
    def sql(self) -> str:
        """What stands behind USING, fit to be written into a migration."""
        return requoted(self.tail or "")


@dataclass(frozen=True)
class Swapped:
    """A column that is swapped with a successor which writes keep in step.

    Attributes:
        of: the column.
    """

    of: Retyped

    @property
    def shadow(self) -> str:
        """Name of the successor until it takes the column's."""
        return quoting.fit_identifier(f"fixup_new_{self.of.column}")

    @property
    def proof(self) -> str:
        """Name of the constraint that says it is filled and in step."""
        return quoting.fit_identifier(f"fixup_same_{self.of.column}")

    @property
    def not_null(self) -> str:
        """Name of the constraint that NOT NULL is taken from."""
        return quoting.fit_identifier(f"fixup_not_null_{self.of.column}")

    @property
    def comparable_shadow(self) -> str:
        """SQL of the successor, as it is compared with the new value."""
        return self.of.comparable(quoting.identifier(self.shadow))

    @property
    def row_shadow(self) -> str:
        """The same of a row called ``fixup_row``."""
        return self.of.comparable(f"fixup_row.{quoting.identifier(self.shadow)}")

    @property
    def comparable_value(self) -> str:
        """SQL of the new value, as the successor is compared with it."""
        return self.of.comparable_value(self.of.value())

    @property
    def row_value(self) -> str:
        """SQL of the new value of a row called ``fixup_row``."""
        return self.of.value(f"fixup_row.{quoting.identifier(self.of.column)}")

    @property
    def row_comparable(self) -> str:
        """The same, as the successor is compared with it."""
        return self.of.comparable_value(self.row_value)

    def __getattr__(self, name: str) -> object:
        return getattr(self.of, name)


@dataclass(frozen=True)
class Domain:
    """A domain that gets another base type.

    Attributes:
        name: its name.
        base: its new base type, as SQL.
        native: its old one.
        checks: its constraints by name, as they were.
        check: name and SQL of a CHECK that comes with the new type, None for none.
    """

    name: TableName
    base: str
    native: str
    checks: tuple[tuple[str, str], ...]
    check: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"domain {self.name}"


@dataclass(frozen=True)
class Besides:
    """What else is done in the transaction that gives columns their new types, as PL/pgSQL.

    Attributes:
        before: once the tables are locked, with everything as it was.
        between: once what depends on the columns is taken down.
        after: once it is put back.
    """

    before: str = ""
    between: str = ""
    after: str = ""


@dataclass(frozen=True)
class Table:
    """A table with the columns of it whose types change.

    Attributes:
        oid: its OID where the revision was generated.
        name: its name.
        columns: the columns.
        indexes: the indexes on them.
        types: the types, by schema and name, whose casts are turned into text.
        domains: the domains of its columns that change with them.
        obstacle: why it cannot be done while writes go on, "" where it can.
    """

    oid: int
    name: TableName
    columns: tuple[Swapped, ...]
    types: tuple[Name, ...]
    indexes: tuple[ShadowIndex, ...] = ()
    domains: tuple[Domain, ...] = ()
    obstacle: str = ""

    @property
    def is_eligible(self) -> bool:
        """Whether it can be done while writes go on."""
        return not self.obstacle

    @property
    def checks(self) -> list[Swapped]:
        """The columns that get a CHECK."""
        return [column for column in self.columns if column.of.check is not None]

    @property
    def constraints(self) -> list[str]:
        """The names of the constraints over the successors that the steps add by name."""
        named = [str(column.of.check) for column in self.checks]
        return [*named, *(name for one in self.columns for name in (one.proof, one.not_null))]

    @property
    def trigger(self) -> str:
        """Name of the trigger that keeps the successors in step.

        Triggers fire in the order of their names (manual, CREATE TRIGGER); this one comes last.
        """
        return quoting.fit_identifier(f"~fixup_{self.name.name}")

    @property
    def function(self) -> str:
        """The function of the trigger, as SQL."""
        return f"{self.name.sibling(f'fixup_keep_{self.name.name}').sql}()"

    @property
    def mark(self) -> str:
        """The comment on the successors while they are some.

        It tells those of this revision from those that another one has begun.
        """
        said = repr(
            [
                (one.shadow, one.of.storage, one.of.value(), one.of.check, one.of.shadow_condition)
                for one in self.columns
            ]
        )
        return (
            f"{SUCCESSOR_MARK}to be {self.name} ({hashlib.sha256(said.encode()).hexdigest()[:12]})"
        )

    @property
    def assignments(self) -> str:
        """What fills a row called ``fixup_row``."""
        return ", ".join(f"{behind_new(one.shadow)} = {one.row_value}" for one in self.columns)

    @property
    def unfilled(self) -> str:
        """Whether a row called ``fixup_row`` has yet to be filled."""
        return " OR ".join(
            f"{one.row_shadow} IS DISTINCT FROM {one.row_comparable}" for one in self.columns
        )

    @property
    def condition(self) -> str:
        """When the trigger fires: always, but it depends on the successors that way."""
        return " OR ".join(f"NEW.{behind_new(one.shadow)} IS NULL OR true" for one in self.columns)

    @property
    def body(self) -> str:
        """The body of this function."""
        lines = [
            f"NEW.{behind_new(one.shadow)} := {one.of.value(f'NEW.{behind_new(one.of.column)}')};"
            for one in self.columns
        ]
        return "\n".join(["BEGIN", *lines, "RETURN NEW;", "END"])


def behind_new(name: str) -> str:
    """A name behind NEW, where PL/pgSQL knows no Unicode escapes; the body stands in a literal."""
    return name if quoting.is_plain(name) else '"' + name.replace('"', '""') + '"'


def requoted(sql: str) -> str:
    """SQL of PostgreSQL's own with its literals and names as `quoting` writes them."""

    def token(found: re.Match[str]) -> str:
        text = found[0]
        if text[0] == '"':
            return quoting.identifier(text[1:-1].replace('""', '"'))
        value = text[text.index("'") + 1 : -1].replace("''", "'")
        return quoting.literal(value.replace("\\\\", "\\") if text[0] == "E" else value)

    return re.sub(r"""E?'(?:[^']|'')*'|"(?:[^"]|"")+\"""", token, sql)
