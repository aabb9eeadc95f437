"""The vector indexes by themselves: a fixup that does nothing but compare and build them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from alembic.operations import ops
from sqlalchemy import URL

from alembic_fixups import scratch, settings
from alembic_fixups.comparator import collect_runs
from alembic_fixups.fixups import Fixup
from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.steps import Step, StepsOp, Unit
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.report import Finding
from alembic_fixups.run import Replacement, Run
from alembic_fixups.target import Target
from tests.projects import Project

_FOLDER = "alembic_fixups.fixups.vector_dimension"
indexes = importlib.import_module(f"{_FOLDER}.indexes")
index_rewrite = importlib.import_module(f"{_FOLDER}.index_rewrite")
index_steps = importlib.import_module(f"{_FOLDER}.index_steps")
side_tables = importlib.import_module(f"{_FOLDER}.side_tables")
SETTINGS = importlib.import_module(f"{_FOLDER}.settings").VectorDimensionSettings

TYPES = """
from sqlalchemy.types import UserDefinedType
class V(UserDefinedType):
    cache_ok = True
    def __init__(self, spec="VECTOR(3)"): self.spec = spec
    def get_col_spec(self, **kw): return self.spec
metadata = MetaData()
"""


def _rendered(kind: str, item: Any, context: Any) -> Any:
    """Types of vectors as Alembic cannot write them by itself."""
    if kind != "type" or type(item).__name__ not in ("V", "VECTOR", "NullType"):
        return False
    spec = "vector(3)" if type(item).__name__ == "NullType" else item.get_col_spec()
    return (
        f"type('V', (sa.types.UserDefinedType,), {{'get_col_spec': lambda *_, **__: {spec!r}}})()"
    )


RENDERED = {"render_item": _rendered}
"""For the types that Alembic does not know how to write."""


@dataclass
class Indexing:
    """A project whose only fixup is about vector indexes.

    Attributes:
        schema: that of the extension where it is not on the search_path.
        converted: the columns whose types change, by table and name, with the new one; the values
            are not kept.
        waits: SQL that is true where indexes are not built yet.
        others: other fixups that are there, by name.
    """

    folder: Path
    url: URL
    schema: str | None = None
    converted: dict[tuple[str, str], str] = field(default_factory=dict)
    waits: str | None = None
    others: tuple[str, ...] = ()
    changes: list[Any] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def make(self, models: str, *sql: str) -> Project:
        """A project, on a database with the extension that the SQL makes."""
        self.sql(
            f"CREATE SCHEMA IF NOT EXISTS {quoting.identifier(self.schema or 'public')}",
            f"CREATE EXTENSION vector SCHEMA {quoting.identifier(self.schema or 'public')}",
            *sql,
        )
        project = Project.make(
            self.folder / "project", self.url, "", "[tool.alembic-fixups.vector-dimension]\n"
        )
        self.models(project, models)
        return project

    def models(self, project: Project, models: str) -> None:
        """Takes these models, which have ``metadata`` and the type ``V``."""
        project.models(TYPES)
        path = project.folder / "models.py"
        path.write_text(path.read_text() + models)

    def compare(self, project: Project, **attributes: Any) -> list[str]:
        """What autogenerate finds; leaves no revision behind."""
        attributes.setdefault("configure", RENDERED)
        with collect_runs() as runs:
            self.source = project.autogenerate_source(**attributes)
        self.findings = sorted(set(runs[0].findings))
        return [str(change) for change in self.changes]

    @property
    def codes(self) -> list[str]:
        """The codes of the findings of the last comparison."""
        return [finding.code for finding in self.findings]

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Runs SQL, each a transaction of its own; gives what the last one does."""
        with scratch.connect(self.url.set(drivername="postgresql+psycopg")) as connection:
            for statement in statements:
                cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def definitions(self) -> list[str]:
        """The vector indexes of the database with their comments."""
        return [
            " ".join(filter(None, row))
            for row in self.sql(
                "SELECT pg_get_indexdef(c.oid),"
                "       'COMMENT ' || obj_description(c.oid, 'pg_class'),"
                "       CASE WHEN NOT indisvalid THEN 'INVALID' END"
                "  FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
                "  JOIN pg_am m ON m.oid = relam WHERE amname IN ('hnsw', 'ivfflat') ORDER BY 1"
            )
        ]

    def oids(self) -> dict[str, int]:
        """The OIDs of these indexes."""
        return dict(
            self.sql(
                "SELECT relname, c.oid FROM pg_class c JOIN pg_am m ON m.oid = relam"
                " WHERE amname IN ('hnsw', 'ivfflat') AND relkind IN ('i', 'I')"
            )
        )

    def fixup(self) -> Fixup:
        """The fixup itself."""
        return Fixup(
            "vector-dimension",
            SETTINGS,
            rewrite=lambda target, *_: index_rewrite.rewrite_indexes(target, self.schema),
            replace=self._replace,
            infer=lambda target: None,
            hint=lambda target: "",
        )

    def _replace(
        self, wanted: None, chosen: Any, run: Run, upgrade_ops: ops.UpgradeOps
    ) -> Replacement:
        storages = {
            (relation.oid, column): type_
            for (table, column), type_ in self.converted.items()
            for relation in run.catalog.relations.values()
            if relation.name == table
        }
        jobs, _ = side_tables.parsed(self.sql(side_tables.SIDE_TABLES))
        comparison = indexes.compare(run, storages, jobs)
        self.changes = list(comparison.changes)
        templates = Templates(run.settings.general.lock_timeout)
        early = [index_steps.early_unit(templates, change) for change in self.changes]
        replacement = Replacement(
            lambda it: comparison.owns(it) or (self.converted and isinstance(it, ops.AlterColumnOp))
        )
        for place, units in (
            (replacement.early, early),
            (replacement.operations, self._units(templates, self.changes)),
        ):
            if any(unit.upgrade for unit in units):
                place.append(_operation(templates, self.changes, units))
        return replacement

    def _units(self, templates: Templates, changes: Sequence[Any]) -> list[Unit]:
        plain = [change for change in changes if not change.converted]
        units = [index_steps.unit(templates, change) for change in plain]
        hanging = [change for change in changes if change.converted]
        if not hanging:
            return units
        for change in hanging:
            units.append(
                Unit(
                    index_steps.drop_old(templates, change, self._is_of("vector(3)")),
                    index_steps.build_old(templates, change),
                )
            )
        for (table, column), type_ in self.converted.items():
            name = TableName(None, table)
            units.append(Unit([_alter(name, column, type_)], [_alter(name, column, "vector(3)")]))
        for change in hanging:
            units.append(
                Unit(
                    index_steps.build_new(templates, change, self.waits),
                    index_steps.drop_new(templates, change, f"NOT ({self._is_of('vector(3)')})"),
                )
            )
        return units

    def _is_of(self, type_: str) -> str:
        [(table, column)] = self.converted
        return (
            "EXISTS (SELECT FROM pg_attribute AS a"
            f" WHERE a.attrelid = to_regclass('{table}') AND a.attname = '{column}'"
            f" AND format_type(a.atttypid, a.atttypmod) = '{type_}')"
        )


def _alter(table: TableName, column: str, type_: str) -> Step:
    return Step(
        "The column gets its type.",
        "DO $fixup$ BEGIN IF (SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
        f" WHERE attrelid = {table.oid} AND attname = '{column}') <> '{type_}' THEN\n"
        f"ALTER TABLE {table.sql} ALTER COLUMN {column} TYPE {type_} USING NULL::{type_};\n"
        "END IF; END $fixup$",
    )


def _operation(templates: Templates, changes: Sequence[Any], units: Sequence[Unit]) -> StepsOp:
    return StepsOp(
        "vector-dimension",
        tuple(map(str, changes)),
        tuple(step for unit in units for step in unit.upgrade),
        tuple(step for unit in reversed(units) for step in unit.downgrade),
        functions=index_steps.functions(templates),
    )


@pytest.fixture
def indexing(tmp_path: Path, database_url: URL, monkeypatch: pytest.MonkeyPatch) -> Indexing:
    """The fixup, switched on in the place of all others."""
    made = Indexing(tmp_path, database_url)
    every = settings.all_fixups()
    monkeypatch.setattr(
        settings,
        "all_fixups",
        lambda: (*(one for one in every if one.name in made.others), made.fixup()),
    )
    return made


def rewritten(target: Target, schema: str | None = None) -> Target:
    """The target after the rewrite."""
    index_rewrite.rewrite_indexes(target, schema)
    return target
