"""What random schemas have found, each as small as it could be made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alembic_fixups import scratch
from tests.hardening import trial
from tests.hardening.schemas import (
    Case,
    Check,
    Chosen,
    Column,
    EnumType,
    ForeignKey,
    Models,
    Table,
    Tenants,
)

pytestmark = [pytest.mark.postgres(16), pytest.mark.filterwarnings("ignore")]

KEY = Column(0, "id", "integer", nullable=False)
TEXT = Column(1, "text", "text")
CHECKS = Chosen(checks=True)


def table(*columns: Column, id: int = 0, name: str = "") -> Table:
    """A table with the key and these columns."""
    return Table(id, name or f"table{id}", (KEY, *columns), (KEY.id,))


def models(*tables: Table) -> Models:
    """Models of these tables, without an enum."""
    return Models(tables)


def test_the_comment_of_a_table_with_a_backslash_and_an_apostrophe(
    server: scratch.Server, template: str
) -> None:
    """Alembic writes the name between apostrophes as it is."""
    without = table(name='it\'s \\7 "x"')
    commented = replace(without, comment="said")
    for before, after in ((without, commented), (commented, without)):
        case = Case(models(before), models(after), CHECKS)
        assert trial.run(case, server, template).kind == "done"


def test_a_percent_sign_in_the_check_of_a_new_table(server: scratch.Server, template: str) -> None:
    """Alembic writes it twice, and PostgreSQL gets two."""
    check = Check("{0} <> '100%' AND {0} <> ':x'", (TEXT.id,), "check")
    new = replace(table(TEXT, id=1), checks=(check,))
    case = Case(models(table()), models(table(), new), CHECKS)
    assert trial.run(case, server, template).kind == "done"


def test_a_colon_in_the_default_of_a_dropped_table(server: scratch.Server, template: str) -> None:
    """SQLAlchemy reads it as a text with a parameter, and Alembic writes NULL."""
    column = replace(TEXT, default="a :x 5%")
    check = Check("{0} <> 'b :y 5%'", (TEXT.id,), "check")
    gone = replace(table(column, id=1), checks=(check,))
    case = Case(models(table(), gone), models(table()), CHECKS)
    assert trial.run(case, server, template).kind == "done"
    case = Case(models(table(column)), models(table()), CHECKS)
    assert trial.run(case, server, template).kind == "done"


@pytest.mark.parametrize("name", ["-- mood2 /*", "m\\1(", "a{2}|b"])
def test_an_array_of_an_enum_whose_name_is_a_regular_expression(
    server: scratch.Server, template: str, name: str
) -> None:
    """Alembic looks for the name in what it has written, to put the module before ``ENUM``."""
    gone = table(Column(1, "moods", "array", enum=1), id=1)
    enums = (EnumType(1, name, ("a", "b")),)
    case = Case(Models((table(), gone), enums), Models((table(),), enums), CHECKS)
    assert trial.run(case, server, template).kind == "done"
    case = Case(Models((table(),), enums), Models((table(), gone), enums), CHECKS)
    assert trial.run(case, server, template).kind == "done"


CLIENT = Column(10, "client_id", "integer", nullable=False)
ENGAGEMENT = Column(11, "engagement_id", "integer", nullable=False)


def tenants(*columns: Column, checks: tuple[Check, ...] = ()) -> tuple[Table, ...]:
    """Two levels, and a table below them with these columns."""
    to_client = ForeignKey((CLIENT.id,), 1, (KEY.id,), None)
    keys = (to_client, ForeignKey((ENGAGEMENT.id,), 2, (KEY.id,), None))
    items = table(CLIENT, ENGAGEMENT, *columns, id=3)
    return (
        table(id=1),
        replace(table(CLIENT, id=2), foreign_keys=(to_client,)),
        replace(items, foreign_keys=keys, checks=checks),
    )


def below(violations: str, *, wrong: bool) -> Tenants:
    """The setting for these."""
    names = (CLIENT.name, ENGAGEMENT.name)
    return Tenants((1, 2), names, "hierarchy", violations, wrong)


def test_rows_stay_where_they_are_when_another_fixup_refuses_others(
    server: scratch.Server, template: str
) -> None:
    """Rows are moved once every look has let the migration pass."""
    listed = Column(12, "state", "listed", enum=1, nullable=False, check="known_state")
    three, two = (EnumType(1, "mood", labels) for labels in (("a", "b", "c"), ("a", "b")))
    wrong = below("quarantine", wrong=True)
    before = Models(tenants(listed), (three,))
    case = Case(before, replace(before, enums=(two,)), Chosen(wrong, checks=True), fitting=False)
    assert trial.run(case, server, template).kind == "refused"  # it compares what is there
    native = replace(listed, kind="enum", check=None)
    before = Models(tenants(native), (three,))
    chosen = Chosen(wrong, enum_check=("auto", "varchar"))
    case = Case(before, replace(before, enums=(two,)), chosen, fitting=False)
    assert trial.run(case, server, template).kind == "refused"
    vector = Column(12, "embedding", "vector", size=3, nullable=False)
    before, after = (Models(tenants(replace(vector, size=size))) for size in (3, 2))
    case = Case(before, after, Chosen(wrong, vectors=("archive", "auto")), fitting=False)
    assert trial.run(case, server, template).kind == "refused"


@pytest.mark.filterwarnings("ignore:Did not recognize type")
def test_the_comment_of_a_column_whose_type_sqlalchemy_does_not_know(
    server: scratch.Server, template: str
) -> None:
    """SQLAlchemy takes what is in parentheses for a length; Alembic writes ``sa.NullType``."""
    moods = Column(1, "moods", "array", enum=1)
    enums = (EnumType(1, "mood (new)", ("a", "b")),)
    said = table(replace(moods, comment="said"))
    for before, after in ((table(moods), said), (said, table(moods))):
        case = Case(Models((before,), enums), Models((after,), enums), CHECKS)
        assert trial.run(case, server, template).kind == "done"


def test_the_checks_of_a_dropped_column_come_back(server: scratch.Server, template: str) -> None:
    """PostgreSQL drops them with the column, and Alembic knows nothing of CHECKs."""
    other = Column(2, "other", "text")
    both = Check("{0} <> {1} OR {0} <> '5% :x'", (TEXT.id, other.id), "both %")
    one = Check("{0} <> ''", (TEXT.id,), None)
    listed = Column(3, "state", "listed", enum=1, check="state")
    before = replace(table(TEXT, other, listed), checks=(both, one))
    enums = (EnumType(1, "mood", ("a", "b")),)
    unchecked = Chosen(redundant=True)
    for after, chosen in (
        (table(), unchecked),
        (table(other, listed), unchecked),
        (table(other), CHECKS),
    ):
        case = Case(Models((before,), enums), Models((after,), enums), chosen, stops=(0.5, 0.5))
        assert trial.run(case, server, template).kind == "done"


def test_a_check_goes_with_its_column_beside_a_tenant_key(
    server: scratch.Server, template: str
) -> None:
    """Fixups are asked whether it is theirs, and look at what would bring it back."""
    before = Models(tenants(TEXT, checks=(Check("{0} <> ':x'", (TEXT.id,), "some"),)))
    case = Case(before, Models(tenants()), Chosen(below("abort", wrong=False)))
    assert trial.run(case, server, template).kind == "done"
