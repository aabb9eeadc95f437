"""What the codemod makes of ``lazy``, and what it leaves to be done by hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.codemods.rewriting import Done, Idiom, Sources, rewrite_all

WRONG = "[tool.alembic-fixups.relationship-loading]\n"

CHOSEN = """
[tool.alembic-fixups.relationship-loading]
selectin = [
  "bare.Bare1.many", "Bare2.one", "app.models.explicit.*", "Both1.*", "Hero.team", "Dynamic1.*",
  "WriteOnly1.many", "Constant?.*", "Shared1.many", "Mixed1.owner", "ByName1.many",
]
raise-on-sql = ["Backref1.many", "Both1.many", "Team.heroes"]
"""

HEAD = """
from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import {imports}

from app.base import Base
"""


def head(*imports: str) -> str:
    """The imports of a module."""
    return HEAD.format(imports=", ".join(sorted({"Mapped", "mapped_column", *imports})))


def pair(name: str, left: str, right: str = "") -> str:
    """Two models, the second of which refers to the first, with their relationships."""
    return f"""

class {name}1(Base):
    __tablename__ = "{name.lower()}_1"

    id: Mapped[int] = mapped_column(primary_key=True)
{left}

class {name}2(Base):
    __tablename__ = "{name.lower()}_2"

    id: Mapped[int] = mapped_column(primary_key=True)
    one_id: Mapped[int] = mapped_column(ForeignKey("{name.lower()}_1.id"))
{right}"""


def many(name: str, rest: str) -> str:
    """A relationship to the second model."""
    return f'    many: Mapped[list[{name}2]] = relationship("{name}2"{rest})\n'


def one(name: str, rest: str) -> str:
    """A relationship to the first model."""
    return f'    one: Mapped[{name}1] = relationship("{name}1"{rest})\n'


def spelled(name: str, wrong: str, right: str) -> Idiom:
    """A value and what it is meant to be."""
    short = name[:4].title()
    written = head("relationship") + pair(short, many(short, ", lazy={}"))
    return Idiom(name, written.replace("{}", wrong), written.replace("{}", right))


PUT_RIGHT = [
    spelled("option", '"selectinload"', '"selectin"'),
    spelled("joinedload", "'joinedload'", "'joined'"),
    spelled("subqueryload", '"subqueryload"', '"subquery"'),
    spelled("lazyload", '"lazyload"', '"select"'),
    spelled("raiseload", '"raiseload"', '"raise"'),
    spelled("immediateload", '"immediateload"', '"immediate"'),
    spelled("underscore", '"select_in"', '"selectin"'),
    spelled("capitals", '"SELECTIN"', '"selectin"'),
    spelled("together", '"raiseonsql"', '"raise_on_sql"'),
    spelled("flag", '"True"', '"select"'),
    Idiom(
        "function",
        head("relationship", "selectinload")
        + pair("Function", many("Function", ", lazy=selectinload")),
        head("relationship") + pair("Function", many("Function", ', lazy="selectin"')),
    ),
    Idiom(
        "backrefs",
        head("backref", "relationship")
        + pair("Back", "", one("Back", ', backref=backref("many", lazy="joinedload")')),
        head("backref", "relationship")
        + pair("Back", "", one("Back", ', backref=backref("many", lazy="joined")')),
    ),
    Idiom(
        "facade",
        """
from app.base import Base, db


class Facade(Base):
    __tablename__ = "facade"

    id = db.mapped_column(db.Integer, primary_key=True)
    parent_id = db.mapped_column(db.ForeignKey("facade.id"))
    children = db.relationship(
        "Facade",  # of its own kind
        lazy="selectinload",
    )
""",
        """
from app.base import Base, db


class Facade(Base):
    __tablename__ = "facade"

    id = db.mapped_column(db.Integer, primary_key=True)
    parent_id = db.mapped_column(db.ForeignKey("facade.id"))
    children = db.relationship(
        "Facade",  # of its own kind
        lazy="selectin",
    )
""",
    ),
    Idiom(
        "declared",
        head("declared_attr", "relationship")
        + """

class Owned:
    owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"))

    @declared_attr
    def owner(cls) -> Mapped[Owner]:
        return relationship("Owner", lazy="joinedload")


class Owner(Base):
    __tablename__ = "owner"

    id: Mapped[int] = mapped_column(primary_key=True)


class Owned1(Owned, Base):
    __tablename__ = "owned_1"

    id: Mapped[int] = mapped_column(primary_key=True)


class Owned2(Owned, Base):
    __tablename__ = "owned_2"

    id: Mapped[int] = mapped_column(primary_key=True)
""",
        head("declared_attr", "relationship")
        + """

class Owned:
    owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"))

    @declared_attr
    def owner(cls) -> Mapped[Owner]:
        return relationship("Owner", lazy="joined")


class Owner(Base):
    __tablename__ = "owner"

    id: Mapped[int] = mapped_column(primary_key=True)


class Owned1(Owned, Base):
    __tablename__ = "owned_1"

    id: Mapped[int] = mapped_column(primary_key=True)


class Owned2(Owned, Base):
    __tablename__ = "owned_2"

    id: Mapped[int] = mapped_column(primary_key=True)
""",
    ),
    Idiom(
        "loading",
        """
LOAD = "selectinload"  # of all that is small
""",
        """
LOAD = "selectin"  # of all that is small
""",
    ),
    Idiom(
        "constant",
        head("relationship")
        + "from app.models.loading import LOAD as HOW\n"
        + pair(
            "Constant",
            many("Constant", ", lazy=HOW, back_populates='one'"),
            one("Constant", ", lazy=HOW, back_populates='many'"),
        ),
    ),
    Idiom(
        "fields",
        """
from sqlmodel import Field, Relationship, SQLModel

from app.base import metadata


class Team(SQLModel, table=True):
    metadata = metadata

    id: int | None = Field(default=None, primary_key=True)
    heroes: list["Hero"] = Relationship(
        back_populates="team", sa_relationship_kwargs={"lazy": "selectinload"}
    )


class Hero(SQLModel, table=True):
    metadata = metadata

    id: int | None = Field(default=None, primary_key=True)
    team_id: int = Field(foreign_key="team.id")
    team: Team = Relationship(
        back_populates="heroes", sa_relationship_kwargs=dict(lazy="joinedload")
    )
""",
        """
from sqlmodel import Field, Relationship, SQLModel

from app.base import metadata


class Team(SQLModel, table=True):
    metadata = metadata

    id: int | None = Field(default=None, primary_key=True)
    heroes: list["Hero"] = Relationship(
        back_populates="team", sa_relationship_kwargs={"lazy": "selectin"}
    )


class Hero(SQLModel, table=True):
    metadata = metadata

    id: int | None = Field(default=None, primary_key=True)
    team_id: int = Field(foreign_key="team.id")
    team: Team = Relationship(
        back_populates="heroes", sa_relationship_kwargs=dict(lazy="joined")
    )
""",
    ),
    Idiom(
        "valid",
        head("dynamic_loader", "relationship")
        + pair(
            "Valid",
            '    many = dynamic_loader("Valid2")\n'
            + '    more = relationship("Valid2", lazy="subquery", viewonly=True)\n'
            + '    most = relationship("Valid2", lazy=True, viewonly=True)\n',
        ),
    ),
]

REFUSED = [
    Idiom(
        "unknown",
        head("relationship") + pair("Unknown", many("Unknown", ', lazy="eager"')),
        refused="lazy='eager' is no value that SQLAlchemy knows, and what it is meant to be",
    ),
    Idiom(
        "list_of",
        head("relationship") + pair("ListOf", many("ListOf", ', lazy=["selectin"]')),
        refused="lazy=['selectin'] is no value that SQLAlchemy knows",
    ),
    Idiom(
        "used",
        head("relationship")
        + '\nLOAD = "joinedload"\nOPTIONS = [LOAD]\n'
        + pair("Used", many("Used", ", lazy=LOAD")),
        refused="used.py:9 uses too",
    ),
    Idiom(
        "stars",
        head("relationship")
        + '\nCOMMON = {"lazy": "selectinload"}\n'
        + pair("Stars", many("Stars", ", **COMMON")),
        refused="lazy may be in the ** of relationship()",
    ),
    Idiom(
        "computed",
        head("relationship") + pair("Computed", many("Computed", ', lazy="selectin" + "load"')),
        refused='lazy="selectin" + "load" gives \'selectinload\'',
    ),
    Idiom(
        "later",
        head("relationship")
        + pair("Later", "")
        + '\n\nLater1.many = relationship("Later2", lazy="selectinload")\n',
        refused="Later1.many is not written in the class",
    ),
]

ASKED_FOR = [
    Idiom(
        "bare",
        head("relationship") + pair("Bare", many("Bare", ""), one("Bare", ", viewonly=True")),
        head("relationship")
        + pair(
            "Bare",
            many("Bare", ', lazy="selectin"'),
            one("Bare", ', viewonly=True, lazy="selectin"'),
        ),
    ),
    Idiom(
        "explicit",
        head("relationship")
        + pair(
            "Explicit",
            many("Explicit", ', lazy="joined"'),
            one("Explicit", ", viewonly=True, lazy=True"),
        ),
        head("relationship")
        + pair(
            "Explicit",
            many("Explicit", ', lazy="selectin"'),
            one("Explicit", ', viewonly=True, lazy="selectin"'),
        ),
    ),
    Idiom(
        "both",
        head("relationship")
        + pair("Both", many("Both", ""), one("Both", ', viewonly=True, lazy="joined"')),
        head("relationship")
        + pair(
            "Both",
            many("Both", ', lazy="raise_on_sql"'),
            one("Both", ', viewonly=True, lazy="joined"'),
        ),
    ),
    Idiom(
        "backref",
        head("backref", "relationship")
        + pair(
            "Backref",
            "",
            """    one: Mapped[Backref1] = relationship(
        "Backref1", backref=backref("many", order_by="Backref2.id")
    )
""",
        ),
        head("backref", "relationship")
        + pair(
            "Backref",
            "",
            """    one: Mapped[Backref1] = relationship(
        "Backref1", backref=backref("many", order_by="Backref2.id", lazy="raise_on_sql")
    )
""",
        ),
    ),
    Idiom(
        "by_name",
        head("relationship") + pair("ByName", "", one("ByName", ', backref="many"')),
        head("backref", "relationship")
        + pair(
            "ByName",
            "",
            """    one: Mapped[ByName1] = relationship(
        "ByName1", backref=backref("many", lazy="selectin")
    )
""",
        ),
    ),
    Idiom(
        "constant",
        head("relationship")
        + '\nLOAD = "joined"\n'
        + pair(
            "Constant",
            many("Constant", ", lazy=LOAD"),
            one("Constant", ", viewonly=True, lazy=LOAD"),
        ).replace("many:", "two:"),
        head("relationship")
        + '\nLOAD = "selectin"\n'
        + pair(
            "Constant",
            many("Constant", ", lazy=LOAD"),
            one("Constant", ", viewonly=True, lazy=LOAD"),
        ).replace("many:", "two:"),
    ),
    Idiom(
        "fields",
        """
from sqlmodel import Field, Relationship, SQLModel

from app.base import metadata


class Team(SQLModel, table=True):
    metadata = metadata

    id: int | None = Field(default=None, primary_key=True)
    heroes: list["Hero"] = Relationship(
        back_populates="team", sa_relationship_kwargs={"order_by": "Hero.id"}
    )


class Hero(SQLModel, table=True):
    metadata = metadata

    id: int | None = Field(default=None, primary_key=True)
    team_id: int = Field(foreign_key="team.id")
    team: Team = Relationship(back_populates="heroes")
""",
        """
from sqlmodel import Field, Relationship, SQLModel

from app.base import metadata


class Team(SQLModel, table=True):
    metadata = metadata

    id: int | None = Field(default=None, primary_key=True)
    heroes: list["Hero"] = Relationship(
        back_populates="team",
        sa_relationship_kwargs={"lazy": "raise_on_sql", "order_by": "Hero.id"},
    )


class Hero(SQLModel, table=True):
    metadata = metadata

    id: int | None = Field(default=None, primary_key=True)
    team_id: int = Field(foreign_key="team.id")
    team: Team = Relationship(
        back_populates="heroes", sa_relationship_kwargs={"lazy": "selectin"}
    )
""",
    ),
    Idiom(
        "dynamic",
        head("relationship")
        + pair("Dynamic", '    many = relationship("Dynamic2", lazy="dynamic")\n'),
    ),
    Idiom(
        "write_only",
        head("WriteOnlyMapped", "relationship")
        + pair("WriteOnly", '    many: WriteOnlyMapped[WriteOnly2] = relationship("WriteOnly2")\n'),
        refused="it is write_only: the attribute is a query",
    ),
    Idiom(
        "shared",
        head("relationship")
        + '\nLOAD = "joined"\n'
        + pair(
            "Shared", many("Shared", ", lazy=LOAD"), one("Shared", ", viewonly=True, lazy=LOAD")
        ),
        refused="lazy is LOAD, which app/models/shared.py:",
    ),
    Idiom(
        "mixed",
        head("declared_attr", "relationship")
        + """

class Master(Base):
    __tablename__ = "master"

    id: Mapped[int] = mapped_column(primary_key=True)


class Mixed:
    owner_id: Mapped[int] = mapped_column(ForeignKey("master.id"))

    @declared_attr
    def owner(cls) -> Mapped[Master]:
        return relationship("Master")


class Mixed1(Mixed, Base):
    __tablename__ = "mixed_1"

    id: Mapped[int] = mapped_column(primary_key=True)


class Mixed2(Mixed, Base):
    __tablename__ = "mixed_2"

    id: Mapped[int] = mapped_column(primary_key=True)
""",
        refused="Mixed2.owner is made here too and is not to have lazy=",
    ),
]

BASE = """
from types import SimpleNamespace

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import DeclarativeBase

db = SimpleNamespace(
    Integer=sa.Integer,
    ForeignKey=sa.ForeignKey,
    mapped_column=orm.mapped_column,
    relationship=orm.relationship,
)


class Base(DeclarativeBase):
    pass


metadata = Base.metadata
"""

SHOW = """
import json
import app.models
from sqlalchemy.orm import configure_mappers
from sqlalchemy.orm.mapper import _all_registries

try:
    configure_mappers()
except Exception as error:
    print(json.dumps({"error": str(error)}))
else:
    found = {
        f"{mapper.class_.__name__}.{key}": one.lazy
        for registry in _all_registries()
        for mapper in registry.mappers
        for key, one in mapper.relationships.items()
    }
    print(json.dumps(found))
"""


@dataclass(frozen=True)
class Rewritten:
    """A project whose models have been rewritten, and what was said."""

    sources: Sources
    done: Done

    @property
    def reasons(self) -> dict[str, str]:
        """The reasons for which something is left, by module."""
        return {Path(one["file"]).stem: one["reason"] for one in self.done.json["refusals"]}


def rewrite(folder: Path, settings: str, idioms: list[Idiom]) -> Rewritten:
    return Rewritten(*rewrite_all(folder, settings, idioms, BASE))


def lazy(sources: Sources) -> dict[str, Any]:
    """What every relationship is loaded by, or the error of the mappers."""
    done = sources.python("-c", SHOW)
    assert done.code == 0, done.err
    return dict(done.json)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Rewritten:
    return rewrite(tmp_path_factory.mktemp("right"), WRONG, PUT_RIGHT)


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Rewritten:
    return rewrite(tmp_path_factory.mktemp("refused"), WRONG, [*REFUSED, PUT_RIGHT[0]])


@pytest.fixture(scope="module")
def asked_for(tmp_path_factory: pytest.TempPathFactory) -> Rewritten:
    return rewrite(tmp_path_factory.mktemp("asked_for"), CHOSEN, ASKED_FOR)


@pytest.mark.parametrize("idiom", PUT_RIGHT, ids=lambda idiom: idiom.name)
def test_wrong_values_are_put_right(right: Rewritten, idiom: Idiom) -> None:
    expected = idiom.before if idiom.after is None else idiom.after
    assert right.sources.text(idiom.name) == Sources.dedented(expected)


def test_the_mappers_can_be_configured_afterwards(right: Rewritten) -> None:
    assert right.done.json["refusals"] == []
    found = lazy(right.sources)
    assert found["Back1.many"] == "joined"
    assert found["Constant1.many"] == found["Constant2.one"] == "selectin"
    assert found["Owned2.owner"] == "joined"
    assert found["Valid1.many"] == "dynamic"
    models, wanted = right.sources.described()
    assert models == wanted


@pytest.mark.parametrize("idiom", ASKED_FOR, ids=lambda idiom: idiom.name)
def test_relationships_get_what_the_settings_say(asked_for: Rewritten, idiom: Idiom) -> None:
    expected = idiom.before if idiom.after is None else idiom.after
    assert asked_for.sources.text(idiom.name) == Sources.dedented(expected)
    assert idiom.refused in asked_for.reasons.get(idiom.name, "")
    assert (idiom.name in asked_for.reasons) == bool(idiom.refused)


def test_relationships_are_loaded_as_the_settings_say(asked_for: Rewritten) -> None:
    found = lazy(asked_for.sources)
    assert found["Backref1.many"] == found["Both1.many"] == found["Team.heroes"] == "raise_on_sql"
    assert found["ByName1.many"] == found["Hero.team"] == found["Bare2.one"] == "selectin"
    assert found["Explicit2.one"] == found["Constant1.two"] == found["Constant2.one"] == "selectin"
    assert found["Dynamic1.many"] == "dynamic"
    assert found["Both2.one"] == found["Shared1.many"] == "joined"
    models, wanted = asked_for.sources.described()
    assert models == wanted


def test_a_name_that_the_models_do_not_have_stops_the_run(asked_for: Rewritten) -> None:
    path = asked_for.sources.folder / "pyproject.toml"
    text = path.read_text()
    path.write_text(text.replace("Bare2.one", "Bare2.noe"))
    try:
        done = asked_for.sources.codemod("--check")
    finally:
        path.write_text(text)
    assert done.code == 2
    assert "pyproject.toml:4: relationship-loading.selectin[1]" in done.err
    assert "did you mean 'Bare2.one'?" in done.err


@pytest.mark.slow
def test_a_second_run_changes_nothing(
    right: Rewritten, refused: Rewritten, asked_for: Rewritten
) -> None:
    for one in (right, refused, asked_for):
        again = one.sources.codemod("--check", "--json")
        assert again.code == 0, again.err
        assert again.json["files"] == []
        assert again.json["refusals"] == one.done.json["refusals"]


@pytest.mark.parametrize(
    ("name", "idioms"),
    [("right", PUT_RIGHT), ("asked_for", ASKED_FOR)],
    ids=("right", "asked_for"),
)
def test_the_layout_stays(name: str, idioms: list[Idiom], request: pytest.FixtureRequest) -> None:
    rewritten: Rewritten = request.getfixturevalue(name)
    names = [f"{idiom.name}.py" for idiom in idioms if "'" not in idiom.before]
    assert len(names) > 7
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "format",
            "--isolated",
            "--diff",
            *names,
        ],
        cwd=rewritten.sources.folder / "app" / "models",
        capture_output=True,
        text=True,
    )
    assert done.stdout == ""


@pytest.mark.parametrize("idiom", REFUSED, ids=lambda idiom: idiom.name)
def test_what_is_not_clear_stays_and_is_listed(refused: Rewritten, idiom: Idiom) -> None:
    assert refused.sources.text(idiom.name) == Sources.dedented(idiom.before)
    assert idiom.refused in refused.reasons[idiom.name]


def test_what_is_clear_is_done_beside_it(refused: Rewritten) -> None:
    assert refused.sources.text("option") == Sources.dedented(str(PUT_RIGHT[0].after))
    assert "error" in lazy(refused.sources)
