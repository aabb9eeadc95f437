"""What makes a codemod stumble: one project with all of it, one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codemods.rewriting import BASE, Done, Sources

SETTINGS = """
[tool.alembic-fixups.schema-prefix]
schema = "app"
[tool.alembic-fixups.enum-check]
"""

IMPORTS = """
import enum
from dataclasses import dataclass

from sqlalchemy import Column, Enum, ForeignKey, Integer, String, Table
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, validates

from app.base import Base, metadata
"""

FILES = {
    "imperative": IMPORTS
    + """

class Status(enum.Enum):
    NEW = "new"


@dataclass
class Order:
    id: int
    status: Status


orders = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("status", Enum(Status, name="st")),
)
Base.registry.map_imperatively(Order, orders)


class Invoice(Base):
    __table__ = Table(
        "invoices",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("status", Enum(Status, name="invoice_status")),
    )
    __allow_unmapped__ = True
    id: int
    status: Status
""",
    "decorated": IMPORTS
    + """

class Named(Base):
    __abstract__ = True

    @declared_attr.directive
    def __tablename__(cls):
        return cls.__name__.lower()


class Decorated(Named):
    @validates("id")
    def check(self, key, value):
        return value

    id: Mapped[int] = mapped_column(primary_key=True)


class Commented(Named):
    # What it is known by.
    id: Mapped[int] = mapped_column(primary_key=True)
""",
    "quoted": IMPORTS.replace('"', "'")
    + """

class Quoted(Base):
    '''It is.'''

    __mapper_args__ = {'eager_defaults': True}
    __tablename__ = 'quoted'
    id: Mapped[int] = mapped_column(primary_key=True, comment='its id')
""",
    "unstable": IMPORTS
    + """
import time


class Unstable(Base):
    __tablename__ = "unstable"
    id: Mapped[int] = mapped_column(primary_key=True)
    made: Mapped[str] = mapped_column(server_default=str(time.time_ns()))
""",
    "latin": IMPORTS
    + """

class Latin(Base):
    __tablename__ = "latin"
    id: Mapped[int] = mapped_column(primary_key=True)
    x = "äöü"; order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
""",
}


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sources, Done]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    sources = Sources.make(folder, SETTINGS, FILES, BASE)
    text = "# -*- coding: latin-1 -*-\n" + sources.text("latin")
    sources.path("latin").write_bytes(text.encode("latin-1"))
    (folder / "alembic").mkdir()
    (folder / "alembic" / "__init__.py").touch()
    (folder / "app" / "models" / ".#lock.py").symlink_to("nobody@nowhere")
    (folder / "app" / "models" / "folder.py").mkdir()
    done = sources.codemod("--json")
    assert done.code == 0, done.err
    return sources, done


def test_nothing_is_left_to_do_by_hand(rewritten: tuple[Sources, Done]) -> None:
    sources, done = rewritten
    assert done.json["refusals"] == []
    assert sources.codemod("--check", "--json").json["files"] == []


def test_a_column_of_a_table_is_changed_there_and_not_in_the_class(
    rewritten: tuple[Sources, Done],
) -> None:
    text = rewritten[0].text("imperative")
    assert "    id: int\n    status: Status\n\n\norders" in text
    assert text.endswith("    id: int\n    status: Status\n")
    assert text.count("native_enum=False") == 2
    assert text.count('schema="app"') == 2


def test_table_args_stand_above_decorators_and_comments(rewritten: tuple[Sources, Done]) -> None:
    text = rewritten[0].text("decorated")
    args = '    __table_args__ = {"schema": "app"}\n'
    assert f'class Decorated(Named):\n{args}    @validates("id")\n    def check' in text
    assert f"class Commented(Named):\n{args}    # What it is known by.\n    id" in text


def test_another_encoding_does_not_move_places(rewritten: tuple[Sources, Done]) -> None:
    text = rewritten[0].path("latin").read_bytes().decode("latin-1")
    assert 'x = "äöü"; order_id: Mapped[int] = mapped_column(ForeignKey("app.orders.id"))\n' in text


def test_a_default_that_is_another_each_time_spoils_nothing(
    rewritten: tuple[Sources, Done],
) -> None:
    assert '"unstable"\n    __table_args__ = {"schema": "app"}\n' in rewritten[0].text("unstable")


def test_new_texts_are_quoted_as_the_others(rewritten: tuple[Sources, Done]) -> None:
    assert "    __table_args__ = {'schema': 'app'}\n" in rewritten[0].text("quoted")


HISTORY = """
import enum

from sqlalchemy import Column, Enum, Integer, event
from sqlalchemy.orm import Mapper

from app.base import Base


class State(enum.Enum):
    A = "a"
    B = "b"


@event.listens_for(Mapper, "after_mapper_constructed")
def history(mapper, cls):
    table = mapper.local_table
    if not table.name.endswith("_history"):
        table.to_metadata(table.metadata, name=f"{table.name}_history")
"""

TABLE = """

class T{0}(Base):
    __tablename__ = "t{0}"
    id = Column(Integer, primary_key=True)
    state = Column(Enum(State))
"""

COUNTED = """
from alembic_fixups import project
from alembic_fixups.codemods import plan
steps = []
made = plan.plan(project.load(), advance=steps.append)
print(steps.count("proof"), len(made.files), len({one.reason.split()[0] for one in made.refusals}))
"""


def test_changes_that_spoil_copies_of_their_tables_are_found_soon(tmp_path: Path) -> None:
    """The CHECK of a history table would have the name of the original's."""
    tables = [TABLE.format(number) for number in range(12)]
    sources = Sources.make(
        tmp_path, "[tool.alembic-fixups.enum-check]", {"all": HISTORY + "".join(tables)}
    )
    done = sources.python("-c", COUNTED)
    assert done.code == 0, done.err
    proofs, files, refused = map(int, done.out.split())
    assert (files, refused) == (0, 24)  # the copies are written nowhere
    assert proofs < 15


INSIDE = """
import enum

from sqlalchemy import Enum
from sqlalchemy.orm import Mapped, mapped_column

from app.base import Base


class State(enum.Enum):
    A = "a"


class Inside(Base):
    __tablename__ = "inside"
    id: Mapped[int] = mapped_column(primary_key=True)
    if True:
        state: Mapped[State] = mapped_column(Enum(State))


Made = type(
    "Made",
    (Base,),
    {
        "__tablename__": "made",
        "id": mapped_column(primary_key=True),
        "state": mapped_column(Enum(State)),
        "__annotations__": {"id": Mapped[int], "state": Mapped[State]},
        "__module__": __name__,
    },
)
"""


def test_what_is_made_by_code_is_named_as_such(tmp_path: Path) -> None:
    toml = "[tool.alembic-fixups.enum-check]"
    sources = Sources.make(tmp_path, toml, {"inside": INSIDE})
    done = sources.codemod("--json")
    assert done.json["files"] == []
    reasons = {one["reason"]: one["line"] for one in done.json["refusals"]}
    [line] = [line for reason, line in reasons.items() if "inside of an if" in reason]
    assert line == 17
    assert any("the class Made is made by code here" in reason for reason in reasons)
