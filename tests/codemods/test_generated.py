"""Made-up model files: whatever they look like, the outcome is right, or a place is refused."""

from __future__ import annotations

import ast
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from alembic_fixups.codemods.models import LEFT_OUT
from tests.codemods.rewriting import Sources

SETTINGS = """
[tool.alembic-fixups.schema-prefix]
schema = "app"
[tool.alembic-fixups.tenant-keys]
levels = [
    { table = "clients", column = "client_id" },
    { table = "projects", column = "project_id" },
]
scope = "all"
[tool.alembic-fixups.enum-check]
[tool.alembic-fixups.redundant-index]
[tool.alembic-fixups.relationship-loading]
[tool.alembic-fixups.vector-dimension.columns."app.projects.embedding"]
dimensions = 3
"""

BASE = """
import enum

import sqlalchemy as sa
from pgvector.sqlalchemy import Vector
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, relationship

CLIENTS = "clients"
PROJECTS = "projects"


class Base(DeclarativeBase):
    pass


class State(enum.Enum):
    OPEN = "open"
    DONE = "it's done"


state = sa.Enum(State, name="state")


class Tenant:
    client_id: Mapped[int] = mapped_column(sa.ForeignKey("clients.id"))


class Client(Base):
    __tablename__ = "clients"
    id: Mapped[int] = mapped_column(primary_key=True)


class Project(Base):
    __tablename__ = "projects"
    id: Mapped[int] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(sa.ForeignKey("clients.id"))
    embedding = mapped_column(Vector(5))


metadata = Base.metadata
"""

IMPORTS = """
import enum

import sqlalchemy as sa
from sqlalchemy import *
from sqlalchemy import Enum as SAEnum
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship

from app.base import CLIENTS, PROJECTS, Base, State, Tenant, state
"""


@dataclass(frozen=True)
class Style:
    """How one model is written."""

    quote: str
    column: str
    typed: bool
    client: str
    project: str
    args: str
    state: str
    other: str
    relation: str
    index: str
    split: bool
    comment: str


_FUNCTION = "@declared_attr.directive\n    def __table_args__(cls):\n        return "
ARGS = [
    "",
    '__table_args__ = {"comment": "it is"}',
    '__table_args__ = (Index(None, "client_id", "number"),)',
    '__table_args__ = (\n        UniqueConstraint("number"),\n        {"comment": "it is"},\n    )',
    '__table_args__ = (Index(None, "number"), {})',
    _FUNCTION + "{'comment': cls.__name__}",
    _FUNCTION + "()",
]
STYLES = st.builds(
    Style,
    quote=st.sampled_from("\"'"),
    column=st.sampled_from(["mapped_column", "sa.Column", "Column"]),
    typed=st.booleans(),
    client=st.sampled_from(["{q}clients.id{q}", "CLIENTS + {q}.id{q}", "f{q}{{CLIENTS}}.id{q}"]),
    project=st.sampled_from(["{q}projects.id{q}", "PROJECTS + {q}.id{q}", "f{q}projects.id{q}"]),
    args=st.sampled_from(ARGS),
    state=st.sampled_from(
        [
            "",
            "Enum(State)",
            "state",
            "SAEnum({q}a{q}, {q}b{q}, name={q}letters_{n}{q})",
            "postgresql.ENUM({q}x{q}, name={q}x_{n}{q})",
            "sa.Enum(State, native_enum=False)",
        ]
    ),
    other=st.sampled_from(["", "self", "previous"]),
    relation=st.sampled_from(["", "one", "both", "backref", "two"]),
    index=st.sampled_from(["", ", index=True", ", unique=True", ", unique=True, index=True"]),
    split=st.booleans(),
    comment=st.sampled_from(["", "  # why", "  # noqa: E501"]),
)


def written(number: int, style: Style) -> str:
    """A model in that style."""

    def column(name: str, python: str, *arguments: str) -> str:
        given = [one for one in arguments if one]
        if style.split:
            call = f"{style.column}(\n        " + ",\n        ".join(given) + ",\n    )"
        else:
            call = f"{style.column}({', '.join(given)})"
        annotation = f": Mapped[{python}]" if style.column == "mapped_column" else ""
        return f"    {name}{annotation} = {call}{style.comment}"

    q = style.quote
    client, project = style.client.format(q=q), style.project.format(q=q)
    integer = "Integer" if style.typed or style.column != "mapped_column" else ""
    key_type = "Integer" if style.typed else ""
    lines = [
        f"class Model{number}(Base):",
        f"    __tablename__ = {q}models_{number}{q}",
        f"    {style.args}" if style.args else "",
        column("id", "int", integer, "primary_key=True"),
        column("number", "int", "Integer" + style.index),
        column("client_id", "int", key_type, f"ForeignKey({client})", "nullable=False"),
        column("project_id", "int", key_type, f"ForeignKey({project})", "nullable=False"),
    ]
    if style.state:
        lines.append(column("state", "State", style.state.format(q=q, n=number)))
    if style.other:
        target = number if style.other == "self" else max(number - 1, 0)
        spec = f"{q}models_{target}.id{q}"
        lines.append(
            column("other_id", "int | None", key_type, f"ForeignKey({spec})", "nullable=True")
        )
    if style.relation:
        lines.append(f"    project = relationship({q}Project{q}" + _other_side(style, number) + ")")
    if style.relation == "two":
        lines.append(f"    client = relationship({q}Client{q})")
    if style.relation == "both":
        lines += [
            "",
            "",
            "from app.base import Project",
            f"Project.models_{number} = relationship(",
            f"    Model{number}, back_populates={q}project{q}",
            ")",
        ]
    return "\n".join(line for line in lines if line) + "\n"


def _other_side(style: Style, number: int) -> str:
    if style.relation == "both":
        return f", back_populates={style.quote}models_{number}{style.quote}"
    if style.relation == "backref":
        return f", backref={style.quote}models_{number}{style.quote}"
    return ""


def check(styles: list[Style], newline: str) -> None:
    """Rewrites a module with those models and looks at what comes out."""
    text = IMPORTS + "\n\n" + "\n\n".join(written(n, one) for n, one in enumerate(styles))
    with tempfile.TemporaryDirectory() as folder:
        sources = Sources.make(Path(folder), SETTINGS, {"generated": text}, BASE)
        path = sources.path("generated")
        path.write_bytes(path.read_bytes().replace(b"\n", newline.encode()))
        done = sources.codemod("--json")
        assert done.code == 0, done.err
        rewritten = path.read_bytes()
        ast.parse(rewritten)
        assert (b"\r\n" in rewritten) == (newline == "\r\n")
        refusals = done.json["refusals"]
        assert not [one for one in refusals if LEFT_OUT in one["reason"]], refusals
        models, wanted = sources.described()
        if not refusals:
            assert models == wanted
        again = sources.codemod("--json")
        assert (again.json["files"], again.json["refusals"]) == ([], refusals)
        assert path.read_bytes() == rewritten


def _explore(examples: int) -> hypothesis_settings:
    return hypothesis_settings(
        max_examples=examples,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@_explore(1)
@given(st.lists(STYLES, min_size=25, max_size=25), st.sampled_from(["\n", "\r\n"]))
@pytest.mark.slow
def test_made_up_models(styles: list[Style], newline: str) -> None:
    check(styles, newline)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@_explore(10)
@given(st.lists(STYLES, min_size=25, max_size=25), st.sampled_from(["\n", "\r\n"]))
def test_many_made_up_models(styles: list[Style], newline: str) -> None:
    check(styles, newline)
