"""The Jinja2 templates of the SQL, and steps filled from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import Table

from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.steps import Step

_PACKAGE = Path(__file__).parents[1]
# In the wheel the templates lie inside the package, in a checkout beside it.
_IN_WHEEL = _PACKAGE / "templates"
SHIPPED = _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent / "templates"


@dataclass(frozen=True)
class TableName:
    """A table as the models name it, in the forms that SQL and messages need."""

    schema: str | None
    name: str

    @classmethod
    def of(cls, table: Table) -> TableName:
        """The name of a table of the models."""
        return cls(table.schema, table.name)

    @property
    def sql(self) -> str:
        """As an SQL name."""
        return quoting.qualified(self.schema, self.name)

    @property
    def oid(self) -> str:
        """As a ``regclass`` constant, which PostgreSQL resolves to its OID."""
        return f"{self.text}::regclass"

    @property
    def text(self) -> str:
        """As a string constant, for ``to_regclass()``."""
        return quoting.name_literal(self.schema, self.name)

    def sibling(self, name: str) -> TableName:
        """Something else in the same schema; a longer name than PostgreSQL keeps is shortened."""
        return TableName(self.schema, quoting.fit_identifier(name))

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Templates:
    """Fills templates into steps.

    Attributes:
        lock_timeout: how long a step waits for a lock, as PostgreSQL writes a time.
        overrides: a folder of the user's whose templates come before those that are shipped.
    """

    lock_timeout: str
    overrides: Path | None = None

    def step(self, template: str, what: str, locks: str, **values: Any) -> Step:
        """Fills *template*, a path below the templates folder.

        Takes a sentence on what the step does and why, and one on what it locks and for how long;
        they stand above it in the migration. The other values are the template's own.

        Raises:
            jinja2.TemplateError: a template of the user's is no Jinja2, or wants other values.
        """
        text = (
            environment(self.overrides)
            .get_template(template)
            .render(lock_timeout=self.lock_timeout, **values)
        )
        return Step(f"{what}\nLocks: {locks}", text.strip())


@cache
def environment(overrides: Path | None) -> Environment:
    """The environment that looks in *overrides* first, then in the templates that are shipped."""
    made = Environment(
        loader=FileSystemLoader([SHIPPED] if overrides is None else [overrides, SHIPPED]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # SQL; the filters below quote it
    )
    made.filters.update(
        identifier=quoting.identifier,
        identifiers=quoting.identifiers,
        literal=lambda value: quoting.literal(str(value)),
        literals=quoting.literals,
        deparsed=quoting.deparsed,
        deparsed_name=quoting.deparsed_name,
    )
    return made
