"""Types of columns as source: the same type again, or a refusal."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic_fixups.codemods.files import File, Unclear
from alembic_fixups.codemods.names import Names
from alembic_fixups.codemods.places import ColumnPlace
from alembic_fixups.codemods.types import type_code

KINDS = '''
import enum

from sqlalchemy import Enum, String, TypeDecorator
from sqlalchemy.types import UserDefinedType


class Region(enum.Enum):
    EU = "eu"
    US = "us"


class Outer:
    class Kind(enum.Enum):
        ONE = 1


class Short(TypeDecorator):
    impl = String(8)
    cache_ok = True


class OfRegion(TypeDecorator):
    impl = Enum(Region, name="region")
    cache_ok = True


class Scrambled(TypeDecorator):
    impl = String(80)
    cache_ok = True

    def __init__(self, secret="none"):
        super().__init__()
        self.secret = secret


class Keyed(UserDefinedType):
    """Shows less than it was given."""

    cache_ok = True

    def __init__(self, width=0, **options):
        self.width = width
        self.options = options

    def get_col_spec(self, **_):
        return "text"


class Stamped(UserDefinedType):
    """No two of these are known to be the same."""

    def __init__(self):
        self.stamp = object()

    def get_col_spec(self, **_):
        return "text"


class Odd(UserDefinedType):
    def __init__(self, marker=0):
        self.marker = marker

    def get_col_spec(self, **_):
        return "text"

    def __repr__(self):
        return "<Odd>"


def inside():
    class Hidden(String):
        pass

    return Hidden
'''

FILE = """
from sqlalchemy import String
import sqlalchemy.dialects.postgresql as pg

first = 1
given = 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("types")
    (folder / "typed_kinds.py").write_text(KINDS)
    (folder / "typed_file.py").write_text(FILE)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in ("typed_kinds", "typed_file"):  # a worker may have run no test that loads them
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def kinds(folder: Path) -> ModuleType:
    return importlib.import_module("typed_kinds")


@pytest.fixture
def place(folder: Path) -> ColumnPlace:
    module = importlib.import_module("typed_file")
    file = File(folder / "typed_file.py", module)
    return ColumnPlace(file.module_block.statements[-1], Names(module), "region", None, ())


def attached(type_: Any, schema: str | None = None) -> Any:
    """The type as it is when a table has it, and has been used."""
    table = sa.Table("t", sa.MetaData(schema=schema), sa.Column("c", type_))
    sa.select(table.c.c == "x").compile(dialect=postgresql.dialect())
    assert table.c.c.type._static_cache_key
    return table.c.c.type


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (lambda: sa.String(), "String"),
        (lambda: sa.String(36), "String(36)"),
        (lambda: sa.String(36, collation="C"), 'String(36, collation="C")'),
        (lambda: sa.String(collation="it's"), 'String(collation="it\'s")'),
        (lambda: sa.Uuid(as_uuid=False), "Uuid(as_uuid=False)"),
        (lambda: sa.DateTime(timezone=True), "DateTime(timezone=True)"),
        (lambda: sa.Numeric(10, 2), "Numeric(10, 2)"),
        (lambda: sa.Numeric(scale=2), "Numeric(scale=2)"),
        (lambda: sa.Numeric(10, asdecimal=False), "Numeric(10, asdecimal=False)"),
        (lambda: sa.Float(53), "Float(53)"),
        (lambda: sa.Enum("a", "b", name="kind"), 'Enum("a", "b", name="kind")'),
        (lambda: postgresql.JSONB(), "pg.JSONB"),
        (lambda: postgresql.BIT(3, varying=True), "pg.BIT(3, varying=True)"),
        (
            lambda: sa.BigInteger().with_variant(sa.String(3, collation="C"), "sqlite"),
            'BigInteger().with_variant(String(3, collation="C"), "sqlite")',
        ),
    ],
)
def test_what_is_written_is_the_type(place: ColumnPlace, given: Any, code: str) -> None:
    type_ = attached(given())
    assert type_code(type_, place) == code
    again = eval(code, vars(sa) | {"pg": postgresql})
    again = again() if isinstance(again, type) else again
    assert repr(again) == repr(given())
    assert again._static_cache_key == given()._static_cache_key
    assert ("sqlalchemy", "String") not in place.statement.file.imports


@pytest.mark.parametrize("schema", [None, "migration"])
def test_an_enum_keeps_its_class(place: ColumnPlace, kinds: ModuleType, schema: str | None) -> None:
    type_ = attached(sa.Enum(kinds.Region, name="region", native_enum=False), schema)
    assert type_code(type_, place) == 'Enum(Region, name="region", native_enum=False)'
    imports = place.statement.file.imports
    assert imports == {("typed_kinds", "Region"): "Region", ("sqlalchemy", "Enum"): "Enum"}
    own = attached(postgresql.ENUM(kinds.Region, name="region", schema="other"), schema)
    assert type_code(own, place) == 'pg.ENUM(Region, name="region", schema="other")'
    inner = attached(sa.Enum(kinds.Outer.Kind, length=9), schema)
    assert type_code(inner, place) == 'Enum(Outer.Kind, name="kind", length=9)'
    assert type_code(attached(kinds.OfRegion(), schema), place) == "OfRegion"


def test_a_class_that_the_file_has_is_not_imported(place: ColumnPlace, kinds: ModuleType) -> None:
    assert type_code(sa.String(3), place) == "String(3)"
    assert type_code(attached(kinds.Short()), place) == "Short"
    assert type_code(attached(kinds.Scrambled()), place) == "Scrambled"
    assert type_code(attached(kinds.Keyed(3)), place) == "Keyed(3)"
    assert {module for module, _ in place.statement.file.imports} == {"typed_kinds"}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (lambda kinds: kinds.Scrambled("secret"), "Scrambled"),
        (lambda kinds: kinds.Keyed(3, secret=1), "Keyed(width=3)"),
        (lambda kinds: kinds.Stamped(), "Stamped()"),
        (lambda kinds: kinds.Odd(1), "<Odd>"),
        (lambda kinds: kinds.inside()(3), "Hidden(length=3)"),
        (lambda kinds: sa.Enum(kinds.Region, values_callable=lambda _: ["eu", "us"]), "Enum('eu'"),
        (lambda kinds: sa.Enum(kinds.Region, validate_strings=True), "Enum('EU'"),
        (lambda kinds: sa.Integer().with_variant(kinds.Scrambled("x"), "sqlite"), "Integer()"),
        (lambda kinds: sa.types.NullType(), "NullType()"),
    ],
)
def test_what_cannot_be_told_is_refused_where_it_would_be_written(
    place: ColumnPlace, kinds: ModuleType, given: Any, named: str
) -> None:
    with pytest.raises(Unclear) as refused:
        type_code(given(kinds), place)
    assert (refused.value.file, refused.value.line) == (place.statement.file, 6)
    assert named in str(refused.value)
    assert "write the type into the column region" in str(refused.value)
