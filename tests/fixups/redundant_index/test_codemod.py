"""Which index=True the codemod takes out of the models, and how it is left."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.codemods.rewriting import Idiom, Sources

SETTINGS = """
[tool.alembic-fixups.redundant-index]
keep = ["kept.id"]
"""

HEAD = """
from sqlalchemy.orm import Mapped, mapped_column

from app.base import Base
"""

CHANGED = [
    Idiom(
        "mapped",
        HEAD
        + """

class Mapped_(Base):
    __tablename__ = "mapped"

    id: Mapped[int] = mapped_column(primary_key=True, index=True)  # the key
    name: Mapped[str] = mapped_column('called', index=True, nullable=True)
    other: Mapped[str] = mapped_column(unique=True, index=True)
""",
        HEAD
        + """

class Mapped_(Base):
    __tablename__ = "mapped"

    id: Mapped[int] = mapped_column(primary_key=True)  # the key
    name: Mapped[str] = mapped_column('called', index=True, nullable=True)
    other: Mapped[str] = mapped_column(unique=True, index=True)
""",
    ),
    Idiom(
        "alone",
        HEAD
        + """from sqlalchemy import Index, UniqueConstraint


class Alone(Base):
    __tablename__ = "alone"
    __table_args__ = (
        UniqueConstraint("client", "name"),
        Index("by_state", "state", "name"),
        Index("by_kind", "kind", postgresql_where="kind > 1"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    client: Mapped[int] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(index=True)
    state: Mapped[int] = mapped_column(
        index=True,
        comment="what has become of it, as those who look after it every day say",
    )
    kind: Mapped[int] = mapped_column(index=True)
""",
        HEAD
        + """from sqlalchemy import Index, UniqueConstraint


class Alone(Base):
    __tablename__ = "alone"
    __table_args__ = (
        UniqueConstraint("client", "name"),
        Index("by_state", "state", "name"),
        Index("by_kind", "kind", postgresql_where="kind > 1"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    client: Mapped[int] = mapped_column()
    name: Mapped[str] = mapped_column(index=True)
    state: Mapped[int] = mapped_column(
        comment="what has become of it, as those who look after it every day say",
    )
    kind: Mapped[int] = mapped_column(index=True)
""",
    ),
    Idiom(
        "column",
        """
import sqlalchemy as sa

from app.base import Base


class Column(Base):
    __tablename__ = "column"

    id = sa.Column(sa.Integer, sa.Identity(), index=True, primary_key=True)
""",
        """
import sqlalchemy as sa

from app.base import Base


class Column(Base):
    __tablename__ = "column"

    id = sa.Column(sa.Integer, sa.Identity(), primary_key=True)
""",
    ),
    Idiom(
        "table",
        """
from sqlalchemy import Column, Integer, Table

from app.base import metadata

links = Table(
    "links",
    metadata,
    Column("left", Integer, primary_key=True, index=True),
    Column("right", Integer, primary_key=True, index=True),
)
""",
        """
from sqlalchemy import Column, Integer, Table

from app.base import metadata

links = Table(
    "links",
    metadata,
    Column("left", Integer, primary_key=True),
    Column("right", Integer, primary_key=True, index=True),
)
""",
    ),
    Idiom(
        "mixin",
        HEAD
        + """

class Keyed:
    id: Mapped[int] = mapped_column(primary_key=True, index=True)


class One(Keyed, Base):
    __tablename__ = "one"


class Two(Keyed, Base):
    __tablename__ = "two"
""",
        HEAD
        + """

class Keyed:
    id: Mapped[int] = mapped_column(primary_key=True)


class One(Keyed, Base):
    __tablename__ = "one"


class Two(Keyed, Base):
    __tablename__ = "two"
""",
    ),
    Idiom(
        "declared",
        """
from sqlalchemy import Column, Integer
from sqlalchemy.orm import declared_attr

from app.base import Base


class Numbered:
    @declared_attr
    def number(cls):
        return Column("nr", Integer, primary_key=True, index=True)


class Declared(Numbered, Base):
    __tablename__ = "declared"
""",
        """
from sqlalchemy import Column, Integer
from sqlalchemy.orm import declared_attr

from app.base import Base


class Numbered:
    @declared_attr
    def number(cls):
        return Column("nr", Integer, primary_key=True)


class Declared(Numbered, Base):
    __tablename__ = "declared"
""",
    ),
    Idiom(
        "fields",
        """
from sqlalchemy import Column, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.base import metadata


class Hero(SQLModel, table=True):
    __table_args__ = (UniqueConstraint("team", "name"),)
    metadata = metadata

    id: int | None = Field(default=None, primary_key=True, index=True)
    team: int = Field(sa_column=Column(Integer, index=True, nullable=False))
    name: str = Field(index=True)
""",
        """
from sqlalchemy import Column, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.base import metadata


class Hero(SQLModel, table=True):
    __table_args__ = (UniqueConstraint("team", "name"),)
    metadata = metadata

    id: int | None = Field(default=None, primary_key=True)
    team: int = Field(sa_column=Column(Integer, nullable=False))
    name: str = Field(index=True)
""",
    ),
]

REFUSED = [
    Idiom(
        "annotated",
        """
from typing import Annotated

from sqlalchemy.orm import Mapped, mapped_column

from app.base import Base

Key = Annotated[int, mapped_column(primary_key=True, index=True)]


class Annotated_(Base):
    __tablename__ = "annotated"

    id: Mapped[Key]
""",
        refused="is not written here",
    ),
    Idiom(
        "constant",
        HEAD
        + """
INDEXED = True


class Constant(Base):
    __tablename__ = "constant"

    id: Mapped[int] = mapped_column(primary_key=True, index=INDEXED)
""",
        refused="index=INDEXED is no plain True",
    ),
    Idiom(
        "unlike",
        HEAD
        + """

class Named:
    name: Mapped[str] = mapped_column(index=True)


class Unlike(Named, Base):
    __tablename__ = "unlike"

    id: Mapped[int] = mapped_column(primary_key=True)


class Other(Named, Base):
    __tablename__ = "other"

    name_first = None
    id: Mapped[int] = mapped_column(primary_key=True)


from sqlalchemy import Index

Index("by_name", Other.name, Other.id)
""",
        refused="unlike.name is made here too",
    ),
]

LEFT = [
    Idiom(
        "kept",
        HEAD
        + """

class Kept(Base):
    __tablename__ = "kept"

    id: Mapped[int] = mapped_column(primary_key=True, index=True)
""",
    ),
]


@dataclass(frozen=True)
class Rewritten:
    """A project whose models have been rewritten, and what was said."""

    sources: Sources
    wanted: dict[str, Any]
    said: Any


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory: pytest.TempPathFactory) -> Rewritten:
    folder = tmp_path_factory.mktemp("sources")
    sources = Sources.of(folder, SETTINGS, [*CHANGED, *REFUSED, *LEFT])
    _, wanted = sources.described()
    done = sources.codemod("--json")
    assert done.code == 0, done.err
    return Rewritten(sources, wanted, done.json)


@pytest.mark.parametrize("idiom", CHANGED, ids=lambda one: one.name)
def test_needless_flags_are_taken_out(rewritten: Rewritten, idiom: Idiom) -> None:
    assert idiom.after is not None
    assert rewritten.sources.text(idiom.name) == Sources.dedented(idiom.after)


@pytest.mark.parametrize("idiom", [*REFUSED, *LEFT], ids=lambda one: one.name)
def test_what_is_not_clear_stays_and_is_listed(rewritten: Rewritten, idiom: Idiom) -> None:
    assert rewritten.sources.text(idiom.name) == Sources.dedented(idiom.before)
    reasons = [
        one["reason"]
        for one in rewritten.said["refusals"]
        if one["file"].endswith(f"/{idiom.name}.py")
    ]
    assert len(reasons) == bool(idiom.refused)
    assert all(idiom.refused in reason for reason in reasons)


def test_the_new_source_makes_what_was_wanted(rewritten: Rewritten) -> None:
    models, again = rewritten.sources.described()
    assert again == rewritten.wanted
    refused = {"annotated", "constant", "other"}
    assert {key for key in models if models[key] != again[key]} == refused


def test_a_second_run_changes_nothing(rewritten: Rewritten) -> None:
    again = rewritten.sources.codemod("--check", "--json")
    assert again.code == 0
    assert again.json["files"] == []
    assert again.json["refusals"] == rewritten.said["refusals"]


def test_the_layout_stays(rewritten: Rewritten) -> None:
    folder = rewritten.sources.folder / "app" / "models"
    names = [f"{one.name}.py" for one in CHANGED if one.name != "mapped"]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--check", *names],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


SERVED = """
from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from app.base import Base


class Client(Base):
    __tablename__ = "clients"
    id: Mapped[int] = mapped_column(primary_key=True)


class Discount(Base):
    __tablename__ = "discounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), index=True)
    code: Mapped[str] = mapped_column()

    @declared_attr.directive
    def __table_args__(cls):
        if not hasattr(cls, "_made"):
            cls._made = (Index("ix_code", func.lower(cls.code)),)
        return cls._made


class Link(Base):
    __tablename__ = "links"
    id: Mapped[int] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), index=True)
    discount_id: Mapped[int] = mapped_column(ForeignKey("discounts.id"))
"""


@pytest.mark.parametrize("args", ["    @declared", '    __table_args__ = (Index("i", "code"),)'])
def test_what_serves_has_to_be_in_the_source(tmp_path: Path, args: str) -> None:
    """The index and the key of tenant-keys serve where they could be written."""
    levels = """
    [tool.alembic-fixups.tenant-keys]
    levels = [
        { table = "clients", column = "client_id" },
        { table = "discounts", column = "discount_id" },
    ]
    [tool.alembic-fixups.redundant-index]
    """
    text = SERVED
    can_be_written = "declared" not in args
    if can_be_written:
        text = text.replace(
            text[text.index("    @declared") : text.index("class Link")], f"{args}\n"
        )
    sources = Sources.make(tmp_path, levels, {"served": text})
    done = sources.codemod("--json")
    assert done.code == 0, done.err
    reasons = [one["reason"] for one in done.json["refusals"] if one["fixup"] == "redundant-index"]
    if can_be_written:
        assert reasons == []
        assert "index=True" not in sources.text("served")
    else:
        assert sources.text("served").count("index=True") == 2
        assert all("is not in the source yet" in reason for reason in reasons)
        assert len(reasons) == 2
