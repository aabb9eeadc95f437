"""Imports come and go with what the changed statements read."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import libcst as cst
import pytest
import sqlalchemy
from sqlalchemy.dialects import postgresql

from alembic_fixups.codemods import importers
from alembic_fixups.codemods.files import File, parsed, take_back
from alembic_fixups.codemods.imports import name_for, settle

Wanted = tuple[object, str, str]

CHECK: Wanted = (sqlalchemy.CheckConstraint, "sqlalchemy", "CheckConstraint")
INDEX: Wanted = (sqlalchemy.Index, "sqlalchemy", "Index")
TEXT: Wanted = (sqlalchemy.Text, "sqlalchemy", "Text")
ARRAY: Wanted = (postgresql.ARRAY, "sqlalchemy.dialects.postgresql", "ARRAY")
STATUS: Wanted = (object(), "app.models.statuses", "Status")


class Module:
    """A file of a project; the models are one statement, ``value = ...``."""

    def __init__(self, folder: Path, source: str, value: str, *, newline: str = "\n") -> None:
        self.path = folder / "app" / "models" / "orders.py"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for package in (folder / "app", folder / "app" / "models"):
            (package / "__init__.py").touch()
        text = f"{textwrap.dedent(source).lstrip()}\nvalue = {value}\n"
        self.path.write_bytes(text.replace("\n", newline).encode())
        module = ModuleType("app.models.orders")
        # What an import would give is an object of its own here.
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                for one in node.names:
                    known = getattr(sys.modules.get(node.module or ""), one.name, object())
                    setattr(module, one.asname or one.name, known)
        self.file = File(self.path, module, 88)

    def settled(
        self,
        value: str,
        *wanted: Wanted,
        elsewhere: Callable[[set[str]], set[str]] = lambda _: set(),
    ) -> str:
        """The imports after the value has become another, with ``{}`` for each name wanted."""
        names = [name_for(self.file, *one) for one in wanted]
        statement = self.file.module_block.assigned("value")
        assert statement is not None
        statement.tree = parsed(f"value = {value.format(*names)}", self.file.newline)
        settle(self.file, elsewhere)
        text = self.file.text
        ast.parse(text)
        head, found, _ = text.partition(f"{self.file.newline}value = ")
        assert found
        return head


def ruff(folder: Path, *arguments: str) -> str:
    """What ruff finds in the files of a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", *arguments, "."],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


# Names that other files take


@pytest.mark.parametrize(
    "source",
    [
        "from app.models.orders import Status",
        "from .models.orders import Other, Status as S",
        "from app.models.orders import (\n    Other,  # not (only) this\n    Status,\n)",
        "from app.models.orders import Other, \\\n    Status",
        "from app.models.orders import *",
        "from app.models import orders\n\nx = orders.Status",
        "import app.models.orders as o\n\nx = o.Status",
        "from app.models import orders as o\n\nx = o.Status",
        "import app.models.orders\n\nx = app.models.orders.Status",
        "from app import models as m\n\nx = m.orders.Status",
        "def test(monkeypatch, orders):\n    monkeypatch.setattr(orders, 'Status', None)",
        "PATCHED = 'app.models.orders.Status'",
    ],
)
def test_a_name_that_a_file_takes_stays_though_nothing_loads_that_file(
    tmp_path: Path, source: str
) -> None:
    module = Module(tmp_path, "from app.models.statuses import Status\n", "Status")
    other = tmp_path / "app" / "services.py"
    other.write_text(source + "\n")
    assert importers.taken(module.file, [], {"Status", "String"}) >= {"Status"}
    other.rename(tmp_path / "test_services.py")
    assert importers.taken(module.file, [], {"Status", "String"}) >= {"Status"}


@pytest.mark.parametrize(
    "source",
    [
        "from app.models.statuses import Status\n\n__tablename__ = 'orders'",
        "from app.models.reorders import Status\n\n__tablename__ = 'orders'",
        "from app.models.orders import Order  # not Status",
        "import sqlalchemy as sa\n\nx = sa.Status('orders')",
        "from app.models import orders\n\nx = Status",
    ],
)
def test_a_name_that_only_sounds_the_same_is_not_taken(tmp_path: Path, source: str) -> None:
    module = Module(tmp_path, "from app.models.statuses import Status\n", "Status")
    (tmp_path / "app" / "services.py").write_text(source + "\n")
    assert importers.taken(module.file, [], {"Status"}) == set()


def test_what_is_installed_below_the_project_is_not_looked_at(tmp_path: Path) -> None:
    module = Module(tmp_path, "from app.models.statuses import Status\n", "Status")
    for name in (".venv", "venv", "node_modules", "__pycache__", ".git"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("from app.models.orders import Status\n")
    assert importers.taken(module.file, [], {"Status"}) == set()
    elsewhere = tmp_path.parent / f"{tmp_path.name}_loaded.py"
    elsewhere.write_text("from app.models.orders import Status\n")
    assert importers.taken(module.file, [elsewhere], {"Status"}) == {"Status"}


def test_a_package_needs_no_init_file_to_be_found(tmp_path: Path) -> None:
    module = Module(tmp_path, "from app.models.statuses import Status\n", "Status")
    (tmp_path / "app" / "__init__.py").unlink()
    (tmp_path / "app" / "models" / "__init__.py").unlink()
    (tmp_path / "app" / "services.py").write_text("from app.models.orders import Status\n")
    assert importers.taken(module.file, [], {"Status"}) == {"Status"}


def test_only_what_would_go_is_asked_for(tmp_path: Path) -> None:
    asked: list[set[str]] = []

    def elsewhere(names: set[str]) -> set[str]:
        asked.append(names)
        return {"Kind"}

    source = "from app.base import Base, Kind, Status, Used\n\nx = Used, Base\n"
    module = Module(tmp_path, source, "(Kind, Status, Used)")
    head = module.settled("1", elsewhere=elsewhere)
    assert head == "from app.base import Base, Kind, Used\n\nx = Used, Base\n"
    assert asked == [{"Kind", "Status"}]


# Comments


NOTED = """
from sqlalchemy import (  # the list
    BigInteger,  # wide
    # a group
    Column,
    String,  # narrow
    # the end
)
"""


@pytest.mark.parametrize(
    ("value", "wanted", "after"),
    [
        (
            "(BigInteger, Column, String, {})",
            [CHECK],
            "# wide\n    CheckConstraint,\n    # a group\n    Column,\n",
        ),
        ("(BigInteger, Column, String, {})", [TEXT], "    # the end\n    Text,\n)\n"),
        ("(BigInteger, Column, String, {})", [ARRAY], "ARRAY"),
        ("(Column, String)", [], None),
        ("(BigInteger, String)", [], None),
        ("(BigInteger, Column)", [], None),
        ("Column", [], None),
        ("(Column, {}, {})", [TEXT, CHECK], "    Text,\n"),
    ],
)
def test_every_comment_in_a_list_stays_with_its_name(
    tmp_path: Path, value: str, wanted: Sequence[Wanted], after: str | None
) -> None:
    module = Module(tmp_path, NOTED, "(BigInteger, Column, String)")
    head = module.settled(value, *wanted)
    for name, comment in (("BigInteger", "wide"), ("String", "narrow")):
        assert head.count(f"    {name},  # {comment}\n") == (name in value)
        assert head.count(f"# {comment}") == (name in value)
    assert head.startswith("from sqlalchemy import (  # the list\n")
    assert head.count("# the list") == head.count("    # a group\n") == 1
    assert head.count("    # the end\n") == head.count("# the end") == 1
    assert after is None or after in head


def test_a_comment_stays_behind_the_last_name_without_a_comma(tmp_path: Path) -> None:
    source = "from sqlalchemy import (\n    Column,\n    String  # narrow\n)\n"
    assert (
        Module(tmp_path, source, "(Column, String)").settled("(Column, String, {})", TEXT)
        == "from sqlalchemy import (\n    Column,\n    String,  # narrow\n    Text\n)\n"
    )
    assert (
        Module(tmp_path, source, "(Column, String)").settled("String")
        == "from sqlalchemy import (\n    String  # narrow\n)\n"
    )


LONG = "from sqlalchemy import BigInteger, Boolean, Column, Date, ForeignKey, Integer, String{}\n"


def test_a_comment_is_on_the_first_line_of_what_becomes_a_list(tmp_path: Path) -> None:
    value = "(BigInteger, Boolean, Column, Date, ForeignKey, Integer)"
    module = Module(tmp_path, LONG.format("  # noqa: F401"), value)
    head = module.settled(value[:-1] + ", {}, {})", INDEX, TEXT)
    assert head == (
        "from sqlalchemy import (  # noqa: F401\n    BigInteger,\n    Boolean,\n    Column,\n"
        "    Date,\n    ForeignKey,\n    Index,\n    Integer,\n    String,\n    Text,\n)\n"
    )
    module.path.write_bytes(module.file.encoded)
    assert "All checks passed!" in ruff(tmp_path, "--select", "F401,I")
    take_back(module.file.journal)
    assert module.file.encoded == module.file.original


@pytest.mark.parametrize("comment", ["", "  # noqa: F401"])
def test_a_short_import_stays_on_its_line(tmp_path: Path, comment: str) -> None:
    module = Module(tmp_path, f"from sqlalchemy import Column{comment}\n", "Column")
    assert module.settled("(Column, {})", TEXT) == f"from sqlalchemy import Column, Text{comment}\n"


@pytest.mark.parametrize(
    "source",
    [
        "from app.base import Kind, Status  # noqa\n",
        "from app.base import Kind, Status  # noqa: E501, F401\n",
        "from app.base import (  # noqa: F401\n    Kind,\n    Status,\n)\n",
        "from app.base import (\n    Kind,\n    Status,\n)  # noqa: F401\n",
        "from app.base import (\n    Kind,\n    Status,  # noqa: F401\n)\n",
        "from app.base import Kind\nfrom app.base import Status as Status\n",
    ],
)
def test_an_import_that_is_marked_as_wanted_stays(tmp_path: Path, source: str) -> None:
    assert Module(tmp_path, source, "(Kind, Status)").settled("Kind") == source


def test_another_mark_does_not_keep_an_import(tmp_path: Path) -> None:
    source = "from app.base import Kind, Status  # noqa: E402\n"
    after = "from app.base import Kind  # noqa: E402\n"
    assert Module(tmp_path, source, "(Kind, Status)").settled("Kind") == after


# Lines that imports share


@pytest.mark.parametrize(
    ("source", "wanted", "after"),
    [
        (
            "from app.base import Base; from app.kinds import Kind\n",
            [CHECK],
            "from sqlalchemy import CheckConstraint\n\n{}",
        ),
        ("import os; from app.kinds import Kind\n", [CHECK], "{}\nfrom sqlalchemy import {2}\n"),
        ("import os; x = (\n    1,\n)\n", [CHECK], "{}\n\nfrom sqlalchemy import {2}\n"),
        ("import os;\n", [CHECK], "{}\nfrom sqlalchemy import {2}\n"),
        ('"""Text."""; import os\n', [CHECK], "{}\nfrom sqlalchemy import {2}\n"),
        ('"""Text."""\nx = 1\n', [CHECK], '"""Text."""\n\nfrom sqlalchemy import {2}\nx = 1\n'),
        ("class A:\n    pass\n", [CHECK], "from sqlalchemy import {2}\n{}"),
        ("@f\nclass A:\n    x: int\n", [CHECK], "from sqlalchemy import {2}\n{}"),
        ("if True:\n    from app import b\n", [CHECK], "from sqlalchemy import {2}\n{}"),
        (
            "from sqlalchemy import Column; import os\n",
            [CHECK],
            "from sqlalchemy import CheckConstraint, Column; import os\n",
        ),
    ],
)
def test_a_name_comes_in_whatever_shares_the_lines(
    tmp_path: Path, source: str, wanted: Sequence[Wanted], after: str
) -> None:
    head = Module(tmp_path, source, "1").settled("{}", *wanted)
    names = [name for *_, name in wanted]
    assert "".join(head.split()) == "".join(
        after.replace("{2}", names[0]).replace("{}", source).split()
    )
    assert "import CheckConstraint" in head


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("from app.base import Kind; from app.kinds import Status\n", None),
        ("from app.base import Status; from app.kinds import Kind\n", None),
        ("x = 1; from app.base import Status\n", None),
        ("from app.base import Status; x = 1\n", None),
        ("from app.base import Kind, Status; x = 1\n", "from app.base import Kind; x = 1\n"),
        ("class A:\n    from app.base import Status\n", None),
        ("if True:\n    from app.base import Status\n", None),
        ("import Status.b, Kind\n", "import Kind\n"),
        ("import Kind, Status  # why\n", "import Kind  # why\n"),
    ],
)
def test_what_shares_a_line_is_left_in_place(
    tmp_path: Path, source: str, after: str | None
) -> None:
    assert Module(tmp_path, source, "(Kind, Status)").settled("Kind") == (after or source)


def test_source_that_is_no_python_leaves_the_imports_as_they_are(tmp_path: Path) -> None:
    module = Module(tmp_path, "from app.base import Status\n\nx = 1\n", "Status")
    statement = module.file.module_block.assigned("value")
    assert statement is not None
    statement.tree = cst.Module([cst.SimpleStatementLine([cst.Expr(cst.Name("class"))])])
    settle(module.file, lambda _: set())
    assert "from app.base import Status" in module.file.text


def test_a_name_is_imported_above_what_reads_it(tmp_path: Path) -> None:
    source = "import os\n"
    module = Module(tmp_path, source, "1")
    text = module.path.read_text() + "\nfrom sqlalchemy import Column\n"
    module.path.write_text(text)
    file = File(module.path, module.file.module, 88)
    module.file = file
    assert module.settled("{}", TEXT) == "import os\n\nfrom sqlalchemy import Text\n"


# Order


BLOCKS: dict[str, tuple[str, str, str, list[Wanted]]] = {
    "sections": (
        """
        from __future__ import annotations

        import uuid
        from datetime import datetime

        from sqlalchemy import BigInteger, ForeignKey, String
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base
        """,
        "(uuid, datetime, BigInteger, ForeignKey, String, Mapped, mapped_column, Base)",
        "(uuid, datetime, BigInteger, String, Mapped, mapped_column, Base, {}, {}, {}, {})",
        [CHECK, INDEX, ARRAY, STATUS],
    ),
    "module": (
        """
        import uuid

        import sqlalchemy as sa
        from sqlalchemy.orm import Mapped

        from app.base import Base
        from app.models.types import Item2, Item10
        """,
        "(uuid, sa, Mapped, Base, Item2, Item10)",
        "(uuid, sa, Mapped, Base, Item2, Item10, {}, {})",
        [ARRAY, STATUS],
    ),
    "own_only": (
        '''
        """Orders."""

        # why
        from app.base import Base, Column
        from app.zones import Zone
        ''',
        "(Base, Column, Zone)",
        "(Base, Column, Zone, {}, {}, {})",
        [CHECK, ARRAY, STATUS],
    ),
    "standard_only": (
        """
        import enum
        import uuid
        """,
        "(enum, uuid)",
        "(enum, uuid, {}, {}, {})",
        [CHECK, ARRAY, STATUS],
    ),
    "relative": (
        """
        from sqlalchemy import (
            JSON,
            Column,
            func,
        )
        from sqlalchemy import Enum as SAEnum

        from ..base import Base
        from .zones import Zone
        """,
        "(JSON, Column, func, SAEnum, Base, Zone)",
        "(JSON, Column, func, SAEnum, Base, Zone, {}, {}, {}, {})",
        [CHECK, TEXT, ARRAY, STATUS],
    ),
    "a_group_goes": (
        """
        import uuid

        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import Mapped

        from app.base import Base
        """,
        "(uuid, ForeignKey, Mapped, Base)",
        "(uuid, Base)",
        [],
    ),
    "one_of_a_list_stays": (
        """
        from sqlalchemy import (
            Column,
            String,
        )

        from app.base import Base
        """,
        "(Column, String, Base)",
        "(String, Base)",
        [],
    ),
    "a_group_is_replaced": (
        """
        import uuid

        from sqlalchemy.orm import Mapped

        from app.base import Base
        from app.zones import Zone
        """,
        "(uuid, Mapped, Base, Zone)",
        "(uuid, Zone, {}, {}, {})",
        [CHECK, ARRAY, STATUS],
    ),
    "all_are_replaced": (
        """
        # Orders.
        from app.base import Base
        """,
        "(Base,)",
        "({}, {}, {})",
        [CHECK, ARRAY, STATUS],
    ),
    "there_are_none": ("# Orders.\n", "1", "({}, {}, {})", [CHECK, ARRAY, STATUS]),
    "the_first_goes": (
        """
        import uuid

        from app.base import Base
        """,
        "(uuid, Base)",
        "(Base, 1)",
        [],
    ),
    "long": (
        """
        from sqlalchemy import BigInteger, Boolean, Column, Date, ForeignKey, Integer

        from app.base import Base
        """,
        "(BigInteger, Boolean, Column, Date, ForeignKey, Integer, Base)",
        "(BigInteger, Boolean, Column, Date, ForeignKey, Integer, Base, {}, {})",
        [CHECK, TEXT],
    ),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_sorted_imports_stay_sorted(tmp_path: Path, newline: str) -> None:
    modules: dict[str, tuple[Module, Any]] = {}
    for name, (source, value, after, wanted) in BLOCKS.items():
        module = Module(tmp_path / name, source, value, newline=newline)
        modules[name] = module, (after, wanted)
    assert "All checks passed!" in ruff(tmp_path, "--select", "I,F401,F821", "--config", SOURCES)
    for module, (after, wanted) in modules.values():
        module.settled(after, *wanted)
        module.path.write_bytes(module.file.encoded)
    assert "All checks passed!" in ruff(tmp_path, "--select", "I,F401,F821", "--config", SOURCES)
    for name, (module, _) in modules.items():
        take_back(module.file.journal)
        assert module.file.encoded == module.file.original, name
        assert all(one.node is not None for one in module.file.touched.values())


SOURCES = f"src = {list(BLOCKS)}"
"""Each block is a project of its own."""
