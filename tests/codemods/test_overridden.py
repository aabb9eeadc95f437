"""What is written has its effect and loses nothing, or is not written at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codemods.rewriting import Done, Sources

LEVELS = """
[tool.alembic-fixups.tenant-keys]
levels = [
    { table = "clients", column = "client_id" },
    { table = "projects", column = "project_id" },
]
"""

HEAD = """
from sqlalchemy import Column, Enum, ForeignKey, ForeignKeyConstraint, Index, Integer, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.base import Base, metadata
"""

TENANCY = (
    HEAD
    + """

class Client(Base):
    __tablename__ = "clients"
    id: Mapped[int] = mapped_column(primary_key=True)


class Project(Base):
    __tablename__ = "projects"
    id: Mapped[int] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"))
"""
)

KEYS = """    id = Column(Integer, primary_key=True)
    client_id = Column(Integer, ForeignKey("clients.id"), nullable=False)
    project_id = Column(Integer, ForeignKey("projects.id"), nullable=False)
"""

TENANT_FILES = {
    "tenancy": TENANCY,
    "inside": HEAD
    + f"""

class Inside(Base):
    __tablename__ = "inside"
    if True:
        __table_args__ = (Index("ix_inside", "id"),)
{KEYS}""",
    "several": HEAD
    + f"""

class Several(Base):
    __tablename__, __table_args__ = "several", (Index("ix_several", "id"),)
{KEYS}""",
    "subclass": HEAD
    + f"""

class Made:
    def __init_subclass__(cls, **kw):
        cls.__table_args__ = (Index(f"ix_{{cls.__name__}}", "id"),)
        super().__init_subclass__(**kw)


class Subclass(Made, Base):
    __tablename__ = "subclass"
{KEYS}""",
    "commented": HEAD
    + """

class Commented(Base):
    __tablename__ = "commented"
    id = Column(Integer, primary_key=True)
    client_id = Column(Integer, ForeignKey("clients.id"), nullable=False)
    project_id = Column(
        Integer,
        ForeignKey(
            "projects.id",  # GDPR: rows go with the project
            ondelete="CASCADE",
        ),
        nullable=False,
    )
""",
    "star": HEAD
    + f"""

def common():
    return (Index(None, "id"),)


class Star(Base):
    __tablename__ = "star"
    __table_args__ = (*common(),)
{KEYS}""",
    "old": HEAD
    + """
old = Table("old", metadata,
            Column("id", Integer, primary_key=True),
            Column("client_id", Integer, ForeignKey("clients.id"), nullable=False),
            Column("project_id", Integer, ForeignKey("projects.id"), nullable=False))
""",
    "leading": HEAD
    + """

class Leading(Base):
    __tablename__ = "leading"
    id = Column(
        Integer  # the type
        , primary_key=True  # the key
        , index=True
    )
""",
}


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sources, Done]:
    toml = f"{LEVELS}[tool.alembic-fixups.redundant-index]\n"
    sources = Sources.make(tmp_path_factory.mktemp("tenants"), toml, TENANT_FILES)
    done = sources.codemod("--json")
    assert done.code == 0, done.err
    return sources, done


def reasons(done: Done, name: str) -> list[str]:
    """Why places in a module are left to be done by hand."""
    return [one["reason"] for one in done.json["refusals"] if one["file"].endswith(f"/{name}.py")]


@pytest.mark.parametrize("name", ["inside", "several", "subclass"])
def test_what_something_else_overrides_is_left(tenants: tuple[Sources, Done], name: str) -> None:
    """Or the foreign key of the column would be gone, and no other there."""
    sources, done = tenants
    assert sources.text(name) == Sources.dedented(TENANT_FILES[name])
    [reason] = reasons(done, name)
    assert "something else gives the models what is written for it" in reason


def test_a_comment_inside_of_what_goes_is_not_lost(tenants: tuple[Sources, Done]) -> None:
    sources, done = tenants
    assert sources.text("commented") == Sources.dedented(TENANT_FILES["commented"])
    [reason] = reasons(done, "commented")
    assert "the comment '# GDPR: rows go with the project' would go with it" in reason


def test_commas_that_begin_lines_stay_with_their_comments(tenants: tuple[Sources, Done]) -> None:
    before = Sources.dedented(TENANT_FILES["leading"])
    assert tenants[0].text("leading") == before.replace("        , index=True\n", "")


def test_elements_and_a_dict_may_follow_a_star(tenants: tuple[Sources, Done]) -> None:
    assert "    __table_args__ = (\n        *common(),\n        Foreign" in tenants[0].text("star")


def test_a_table_of_the_old_style_keeps_its_lines(tenants: tuple[Sources, Done]) -> None:
    assert (
        tenants[0]
        .text("old")
        .endswith(
            """
            Column("client_id", Integer, ForeignKey("clients.id"), nullable=False),
            Column("project_id", Integer, nullable=False),
            ForeignKeyConstraint(["client_id", "project_id"],
                                 ["projects.client_id", "projects.id"],
                                 name="fk_old_client_id_project_id"),
            Index("ix_old_client_id_project_id", "client_id", "project_id"))
"""
        )
    )


def test_a_second_run_changes_nothing(tenants: tuple[Sources, Done]) -> None:
    sources, done = tenants
    again = sources.codemod("--check", "--json")
    assert (again.code, again.json["changes"]) == (0, [])
    assert len(again.json["refusals"]) == len(done.json["refusals"]) == 4


def test_references_with_and_without_the_schema_take_two_runs(tmp_path: Path) -> None:
    """Until the schema is in the source, a reference that names it leads nowhere."""
    mixed = (
        HEAD
        + f"""

class Task(Base):
    __tablename__ = "tasks"
{KEYS.replace('"projects.id"', '"core.projects.id"')}"""
    )
    toml = f'[tool.alembic-fixups.schema-prefix]\nschema = "core"\n{LEVELS}'
    sources = Sources.make(tmp_path, toml, {"tenancy": TENANCY, "mixed": mixed})
    first = sources.codemod("--json")
    assert first.code == 0, first.err
    [reason] = reasons(first, "mixed")
    assert "a foreign key of the models leads nowhere as they are now; run this again" in reason
    assert sources.codemod("--json").json["refusals"] == []
    models, wanted = sources.described()
    assert models == wanted
    assert "fk_tasks_client_id_project_id" in sources.text("mixed")


SCHEMA_FILES = {
    "texts": HEAD
    + """

class A(Base):
    __tablename__ = "a"
    id: Mapped[int] = mapped_column(primary_key=True)
    b_id: Mapped[int]
    b = relationship("B", primaryjoin="foreign(a.c.b_id) == b.c.id")


class B(Base):
    __tablename__ = "b"
    id: Mapped[int] = mapped_column(primary_key=True)
""",
    "odd_names": HEAD
    + """
S = "x"
odd = Table(f'"{S}"', metadata, Column("id", Integer, primary_key=True))
""",
    "decorator": HEAD
    + """

def mapped_to(table):
    def decorate(class_):
        class_.__table__ = table
        return class_

    return decorate


@mapped_to(Table("decorated", metadata, Column("id", Integer, primary_key=True)))
class Decorated:
    pass
""",
    "untyped": HEAD
    + """import enum


class State(enum.Enum):
    A = "a"


class Untyped(Base):
    __tablename__ = "untyped"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[State]
""",
    "spoilt": HEAD
    + """

class Spoilt(Base):
    __tablename__ = "spoilt"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind = Column(Enum("a", name="spoilt_kind"), info={"x": "'a'::spoilt_kind"})
""",
    "native": """
from sqlalchemy import Column, Integer
from sqlalchemy.dialects.postgresql import ENUM

from app.base import Base


class Native(Base):
    __tablename__ = "native"
    id = Column(Integer, primary_key=True)
    kind = Column(ENUM("a", name="native_kind"))  # not the ENUM of old
""",
}


def test_what_one_fixup_cannot_do_and_another_does_is_not_listed(tmp_path: Path) -> None:
    toml = (
        '[tool.alembic-fixups.schema-prefix]\nschema = "core"\n[tool.alembic-fixups.enum-check]\n'
    )
    sources = Sources.make(tmp_path, toml, SCHEMA_FILES)
    done = sources.codemod("--json")
    assert done.code == 0, done.err
    assert reasons(done, "untyped") == []
    assert "native_enum=False" in sources.text("untyped")
    assert "foreign(core.a.c.b_id) == core.b.c.id" in sources.text("texts")
    assert "Table(f'\"{S}\"', metadata" in sources.text("odd_names")
    assert 'schema="core"' in sources.text("odd_names")
    assert "is made in no statement of its own" in reasons(done, "decorator")[0]
    assert "import ENUM" not in sources.text("native")
    again = sources.codemod("--check", "--json")
    assert (again.code, again.json["files"]) == (0, [])


def test_what_nothing_is_changed_for_is_listed_all_the_same(tmp_path: Path) -> None:
    text = (
        HEAD.replace("Table", "Sequence, Table")
        + """

class Numbered(Base):
    __tablename__ = "numbered"
    __table_args__ = {"schema": "core"}
    id: Mapped[int] = mapped_column(primary_key=True)
    number = Column(Integer, server_default=Sequence("numbers").next_value())
"""
    )
    toml = '[tool.alembic-fixups.schema-prefix]\nschema = "core"\n'
    sources = Sources.make(tmp_path, toml, {"numbered": text})
    done = sources.codemod("--strict", "--json")
    assert (done.code, done.json["files"]) == (1, [])
    [reason] = reasons(done, "numbered")
    assert "is not what the fixups make of it" in reason


def test_a_default_that_is_a_function_keeps_an_enum(tmp_path: Path) -> None:
    text = (
        HEAD
        + """import enum


class Color(enum.Enum):
    RED = "red"


class Colored(Base):
    __tablename__ = "colored"
    id: Mapped[int] = mapped_column(primary_key=True)
    color = Column(Enum(Color), default=lambda: Color.RED)
"""
    )
    toml = '[tool.alembic-fixups.enum-check]\nmodel-type = "string"\n'
    sources = Sources.make(tmp_path, toml, {"colored": text})
    done = sources.codemod("--json")
    assert done.json["files"] == []
    [reason] = reasons(done, "colored")
    assert "a default is a function, which may give a member" in reason


def test_a_character_that_the_encoding_lacks_stops_that_change_only(tmp_path: Path) -> None:
    text = (
        HEAD
        + """

class Named(Base):
    __tablename__ = "named"
    id: Mapped[int] = mapped_column(primary_key=True)
    x = "ä"
"""
    )
    toml = '[tool.alembic-fixups.schema-prefix]\nschema = "schéma_ł"\n'
    sources = Sources.make(tmp_path, toml, {"named": text, "other": text.replace("amed", "ew")})
    path = sources.path("named")
    path.write_bytes(b"# -*- coding: latin-1 -*-\n" + sources.text("named").encode("latin-1"))
    done = sources.codemod("--json")
    assert (done.code, done.json["files"]) == (0, ["app/models/other.py"])
    [reason] = reasons(done, "named")
    assert "the file's encoding, iso-8859-1, lacks 'ł'" in reason
