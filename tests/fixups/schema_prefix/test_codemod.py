"""The source of the models with their schema, one way of writing it after another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.codemods.rewriting import Done, Idiom, Sources, rewrite_all

SETTINGS = """
[tool.ruff]
line-length = 100

[tool.alembic-fixups.schema-prefix]
schema = "migration"
"""

BASE = '''
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, declared_attr, mapped_column

USERS = "users"
PREFIX = "migration."


class Base(DeclarativeBase):
    pass


class Owned:
    owner_id = mapped_column(ForeignKey("users.id"))

    @declared_attr
    def editor_id(cls):
        return mapped_column(ForeignKey(USERS + ".id"))


class Facade:
    """Hands on what SQLAlchemy has, as Flask-SQLAlchemy does."""

    Model = Base

    def __getattr__(self, name):
        import sqlalchemy
        import sqlalchemy.orm

        return getattr(sqlalchemy, name, None) or getattr(sqlalchemy.orm, name)


db = Facade()
metadata = Base.metadata
'''

IDIOMS = [
    Idiom(
        "users",
        '''
        """People."""

        from sqlalchemy import Integer
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base


        class User(Base):
            """A person."""

            __tablename__ = "users"

            id: Mapped[int] = mapped_column(Integer, primary_key=True)
            name: Mapped[str]

            teams = relationship("Team", secondary="members", back_populates="users")
        ''',
        '''
        """People."""

        from sqlalchemy import Integer
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base


        class User(Base):
            """A person."""

            __tablename__ = "users"
            __table_args__ = {"schema": "migration"}

            id: Mapped[int] = mapped_column(Integer, primary_key=True)
            name: Mapped[str]

            teams = relationship("Team", secondary="migration.members", back_populates="users")
        ''',
    ),
    Idiom(
        "tuple_and_dict",
        """
        import sqlalchemy as sa
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base


        class Team(Base):
            __tablename__ = "teams"
            __table_args__ = (
                sa.UniqueConstraint("name"),
                {"comment": "People who work together"},
            )

            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str]
            lead_id: Mapped[int] = mapped_column(
                sa.ForeignKey('users.id', ondelete='CASCADE'),  # who leads it
            )

            users = relationship(
                "User",
                secondary="members",
                primaryjoin="Team.id == members.c.team_id",
                secondaryjoin="User.id == members.c.user_id",
                back_populates="teams",
            )
        """,
        """
        import sqlalchemy as sa
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base


        class Team(Base):
            __tablename__ = "teams"
            __table_args__ = (
                sa.UniqueConstraint("name"),
                {"schema": "migration", "comment": "People who work together"},
            )

            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str]
            lead_id: Mapped[int] = mapped_column(
                sa.ForeignKey('migration.users.id', ondelete='CASCADE'),  # who leads it
            )

            users = relationship(
                "User",
                secondary="migration.members",
                primaryjoin="Team.id == migration.members.c.team_id",
                secondaryjoin="User.id == migration.members.c.user_id",
                back_populates="teams",
            )
        """,
    ),
    Idiom(
        "imperative",
        """
        from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, Table

        from app.base import PREFIX, USERS, Base

        members = Table(
            "members",
            Base.metadata,
            Column("team_id", ForeignKey("teams.id"), primary_key=True),
            Column("user_id", ForeignKey(f"{USERS}.id"), primary_key=True),
        )

        placed = Table(
            "placed",
            Base.metadata,
            Column("id", Integer, primary_key=True),
            Column("user_id", ForeignKey(PREFIX + "users.id")),
            schema="migration",
        )

        badges = Table(
            "badges", Base.metadata, Column("team_id", Integer), Column("user_id", Integer),
            ForeignKeyConstraint(["team_id", "user_id"], ["members.team_id", "members.user_id"]),
        )
        """,
        """
        from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, Table

        from app.base import PREFIX, USERS, Base

        members = Table(
            "members",
            Base.metadata,
            Column("team_id", ForeignKey("migration.teams.id"), primary_key=True),
            Column("user_id", ForeignKey(f"migration.{USERS}.id"), primary_key=True),
            schema="migration",
        )

        placed = Table(
            "placed",
            Base.metadata,
            Column("id", Integer, primary_key=True),
            Column("user_id", ForeignKey(PREFIX + "users.id")),
            schema="migration",
        )

        badges = Table(
            "badges", Base.metadata, Column("team_id", Integer), Column("user_id", Integer),
            ForeignKeyConstraint(["team_id", "user_id"],
                                 ["migration.members.team_id", "migration.members.user_id"]),
            schema="migration",
        )
        """,
    ),
    Idiom(
        "one_element",
        """
        from sqlalchemy import ForeignKeyConstraint as FK
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Owned


        class Document(Owned, Base):
            __tablename__ = "documents"
            __table_args__ = (FK(["reader_id"], ["users.id"], name="fk_documents_reader_id"),)

            id: Mapped[int] = mapped_column(primary_key=True)
            reader_id: Mapped[int]
        """,
        """
        from sqlalchemy import ForeignKeyConstraint as FK
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Owned


        class Document(Owned, Base):
            __tablename__ = "documents"
            __table_args__ = (
                FK(["reader_id"], ["migration.users.id"], name="fk_documents_reader_id"),
                {"schema": "migration"},
            )

            id: Mapped[int] = mapped_column(primary_key=True)
            reader_id: Mapped[int]
        """,
    ),
    Idiom(
        "facade",
        """
        from app.base import db


        class Note(db.Model):
            __tablename__ = "notes"
            id = db.Column(db.Integer, primary_key=True)
            author_id = db.Column(db.ForeignKey("users.id"))
        """,
        """
        from app.base import db


        class Note(db.Model):
            __tablename__ = "notes"
            __table_args__ = {"schema": "migration"}
            id = db.Column(db.Integer, primary_key=True)
            author_id = db.Column(db.ForeignKey("migration.users.id"))
        """,
    ),
    Idiom(
        "functions",
        """
        from sqlalchemy import ForeignKey, Index
        from sqlalchemy.orm import declared_attr, mapped_column

        from app.base import Base
        from app.models.users import User


        class Named:
            @declared_attr.directive
            def __tablename__(cls):
                return cls.__name__.lower()


        class Report(Named, Base):
            @declared_attr.directive
            def __table_args__(cls):
                # By its owner.
                return (Index(f"ix_{cls.__tablename__}_owner", "owner_id"),)

            id = mapped_column(ForeignKey("documents.id"), primary_key=True)
            owner_id = mapped_column(ForeignKey(User.id))
        """,
        """
        from sqlalchemy import ForeignKey, Index
        from sqlalchemy.orm import declared_attr, mapped_column

        from app.base import Base
        from app.models.users import User


        class Named:
            @declared_attr.directive
            def __tablename__(cls):
                return cls.__name__.lower()


        class Report(Named, Base):
            @declared_attr.directive
            def __table_args__(cls):
                # By its owner.
                return (Index(f"ix_{cls.__tablename__}_owner", "owner_id"), {"schema": "migration"})

            id = mapped_column(ForeignKey("migration.documents.id"), primary_key=True)
            owner_id = mapped_column(ForeignKey(User.id))
        """,
    ),
    Idiom(
        "types_and_sequences",
        """
        import enum

        from sqlalchemy import Enum, Sequence
        from sqlalchemy.dialects import postgresql
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Colour(enum.Enum):
            RED = "red"


        numbers = Sequence("numbers", metadata=Base.metadata)
        shade = Enum("light", "dark", name="shade")


        class Thing(Base):
            __tablename__ = "things"

            id: Mapped[int] = mapped_column(primary_key=True)
            number: Mapped[int] = mapped_column(server_default=numbers.next_value())
            colour: Mapped[Colour] = mapped_column(Enum(Colour))
            shade: Mapped[str] = mapped_column(shade)
            kinds: Mapped[list[str]] = mapped_column(
                postgresql.ARRAY(postgresql.ENUM("a", "b", name="kind"))
            )
        """,
        """
        import enum

        from sqlalchemy import Enum, Sequence
        from sqlalchemy.dialects import postgresql
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Colour(enum.Enum):
            RED = "red"


        numbers = Sequence("numbers", metadata=Base.metadata, schema="migration")
        shade = Enum("light", "dark", name="shade", schema="migration")


        class Thing(Base):
            __tablename__ = "things"
            __table_args__ = {"schema": "migration"}

            id: Mapped[int] = mapped_column(primary_key=True)
            number: Mapped[int] = mapped_column(server_default=numbers.next_value())
            colour: Mapped[Colour] = mapped_column(Enum(Colour, schema="migration"))
            shade: Mapped[str] = mapped_column(shade)
            kinds: Mapped[list[str]] = mapped_column(
                postgresql.ARRAY(postgresql.ENUM("a", "b", name="kind", schema="migration"))
            )
        """,
    ),
    Idiom(
        "sqlmodel_",
        """
        from sqlmodel import Field, SQLModel

        from app.base import metadata


        class Hero(SQLModel, table=True):
            metadata = metadata
            __tablename__ = "heroes"

            id: int | None = Field(default=None, primary_key=True)
            user_id: int = Field(foreign_key="users.id")
        """,
        """
        from sqlmodel import Field, SQLModel

        from app.base import metadata


        class Hero(SQLModel, table=True):
            metadata = metadata
            __tablename__ = "heroes"
            __table_args__ = {"schema": "migration"}

            id: int | None = Field(default=None, primary_key=True)
            user_id: int = Field(foreign_key="migration.users.id")
        """,
    ),
    Idiom(
        "inherited_args",
        """
        from sqlalchemy import Index
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Commented:
            __table_args__ = {"comment": "has one"}


        class Inheriting(Commented, Base):
            __tablename__ = "inheriting"
            id: Mapped[int] = mapped_column(primary_key=True)


        class Copying(Base):
            __tablename__ = "copying"
            __table_args__ = Commented.__table_args__
            id: Mapped[int] = mapped_column(primary_key=True)


        class Ending(Base):
            __tablename__ = "ending"
            __table_args__ = (Index("i", "id"), Commented.__table_args__)
            id: Mapped[int] = mapped_column(primary_key=True)


        def options():
            return {"comment": "made"}


        class Calling(Base):
            __tablename__ = "calling"
            __table_args__ = options()
            id: Mapped[int] = mapped_column(primary_key=True)
        """,
        """
        from sqlalchemy import Index
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Commented:
            __table_args__ = {"comment": "has one"}


        class Inheriting(Commented, Base):
            __tablename__ = "inheriting"
            __table_args__ = {**Commented.__table_args__, "schema": "migration"}
            id: Mapped[int] = mapped_column(primary_key=True)


        class Copying(Base):
            __tablename__ = "copying"
            __table_args__ = {**Commented.__table_args__, "schema": "migration"}
            id: Mapped[int] = mapped_column(primary_key=True)


        class Ending(Base):
            __tablename__ = "ending"
            __table_args__ = (Index("i", "id"), {**Commented.__table_args__, "schema": "migration"})
            id: Mapped[int] = mapped_column(primary_key=True)


        def options():
            return {"comment": "made"}


        class Calling(Base):
            __tablename__ = "calling"
            __table_args__ = options()
            id: Mapped[int] = mapped_column(primary_key=True)
        """,
        refused="__table_args__ is what options() gives",
    ),
    Idiom(
        "far_references",
        """
        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        def reference(name):
            return ForeignKey(f"{name}.id")


        class Target(Base):
            __tablename__ = "targets"
            id: Mapped[int] = mapped_column(primary_key=True)


        class Referring(Base):
            __tablename__ = "referring"
            id: Mapped[int] = mapped_column(primary_key=True)
            target_id: Mapped[int] = mapped_column(reference("targets"))
        """,
        """
        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        def reference(name):
            return ForeignKey(f"{name}.id")


        class Target(Base):
            __tablename__ = "targets"
            id: Mapped[int] = mapped_column(primary_key=True)


        class Referring(Base):
            __tablename__ = "referring"
            __table_args__ = {"schema": "migration"}
            id: Mapped[int] = mapped_column(primary_key=True)
            target_id: Mapped[int] = mapped_column(reference("targets"))
        """,
        refused="the foreign key on target_id to 'targets.id' is not written here as such",
    ),
]


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sources, Done]:
    """All idioms in a project, and the run that rewrote them."""
    return rewrite_all(tmp_path_factory.mktemp("idioms"), SETTINGS, IDIOMS, BASE)


@pytest.mark.parametrize("idiom", IDIOMS, ids=lambda idiom: idiom.name)
def test_an_idiom(rewritten: tuple[Sources, Done], idiom: Idiom) -> None:
    sources, done = rewritten
    expected = idiom.before if idiom.after is None else idiom.after
    assert sources.text(idiom.name) == sources.dedented(expected)
    reasons = [one["reason"] for one in done.json["refusals"] if idiom.name in one["file"]]
    assert any(idiom.refused in reason for reason in reasons) == bool(idiom.refused), reasons


def test_a_mixin_is_changed_once_for_all_its_tables(rewritten: tuple[Sources, Done]) -> None:
    text = (rewritten[0].folder / "app" / "base.py").read_text()
    assert 'owner_id = mapped_column(ForeignKey("migration.users.id"))' in text
    assert 'ForeignKey("migration." + USERS + ".id")' in text


def test_a_second_run_changes_nothing(rewritten: tuple[Sources, Done]) -> None:
    sources, done = rewritten
    before = {name: sources.text(name) for name in sources.names}
    again = sources.codemod("--check", "--json")
    assert (again.code, again.json["files"], again.json["changes"]) == (0, [], [])
    assert again.json["refusals"] == done.json["refusals"]
    assert {name: sources.text(name) for name in sources.names} == before


def test_law_2_source_and_memory_agree(rewritten: tuple[Sources, Done]) -> None:
    sources, _ = rewritten
    models, wanted = sources.described()
    by_hand = {"targets", "calling"}
    assert {key for key in models if "." not in key} == by_hand
    for key, table in wanted.items():
        if key.removeprefix("migration.") not in {*by_hand, "referring"}:
            assert models[key] == table


def test_what_was_formatted_is_formatted(rewritten: tuple[Sources, Done]) -> None:
    sources, _ = rewritten
    unformatted = {"imperative", "tuple_and_dict"}
    files = [str(sources.path(name)) for name in sources.names if name not in unformatted]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--check", "--line-length=100", *files],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_a_table_and_all_that_refer_to_it_change_together_or_not_at_all(tmp_path: Path) -> None:
    files = {
        "parents": """
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Parent(Base):
            __tablename__ = "parents"
            id: Mapped[int] = mapped_column(primary_key=True)
        """,
        "children": """
        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Child(Base):
            __tablename__ = "children"
            id: Mapped[int] = mapped_column(primary_key=True)
            parent_id: Mapped[int] = mapped_column(ForeignKey("parents.id"))
        """,
    }
    sources = Sources.make(tmp_path, SETTINGS, files)
    done = sources.codemod("app/models/parents.py", "--json")
    assert done.json["files"] == []
    [refusal] = done.json["refusals"][:1]
    assert refusal["file"].endswith("children.py")
    assert "not among those to change" in refusal["reason"]
    assert sources.codemod("app/models", "--json").json["files"] == [
        "app/models/children.py",
        "app/models/parents.py",
    ]
