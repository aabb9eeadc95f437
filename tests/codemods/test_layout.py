"""Statements come out as ruff and black would lay them out."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from alembic_fixups.codemods.layout import laid_out, with_quotes

NAMES = st.sampled_from(["id", "engagement_id", "a_rather_long_name_of_a_column", "x", "Status"])
ATOMS = st.one_of(
    NAMES,
    st.integers(0, 99999).map(str),
    st.sampled_from(['"a"', '"migration.engagements.client_account_id"', "None", "True", '"x, y"']),
    NAMES.map(lambda name: f"lambda: {name}"),
)


def _calls(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    functions = st.sampled_from(["mapped_column", "sa.ForeignKey", "Index", "text"])
    keywords = st.lists(st.tuples(NAMES, inner).map("=".join), max_size=3, unique_by=_before_equal)
    arguments = st.tuples(st.lists(inner, max_size=3), keywords).map(lambda two: two[0] + two[1])
    return st.one_of(
        st.tuples(functions, arguments).map(lambda two: f"{two[0]}({', '.join(two[1])})"),
        st.lists(inner, min_size=2, max_size=4).map(lambda items: f"({', '.join(items)})"),
        inner.map(lambda item: f"({item},)"),
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        inner.map(lambda item: '{"schema": ' + item + "}"),
    )


def _before_equal(text: str) -> str:
    return text.partition("=")[0]


EXPRESSIONS = st.recursive(ATOMS, _calls, max_leaves=12)
STATEMENTS = st.tuples(
    st.sampled_from(["x", "__table_args__", "engagement_id: Mapped[uuid.UUID | None]"]),
    EXPRESSIONS.filter(lambda text: "(" in text and not text.startswith("lambda")),
).map(" = ".join)


def formatted(statements: list[str]) -> list[str]:
    """The statements of a class's body as ruff formats them."""
    body = "\n".join(f"    {statement}" for statement in statements)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=100", "-"],
        input=f"class A:\n{body}\n",
        capture_output=True,
        text=True,
        check=True,
    )
    source = done.stdout
    [class_] = ast.parse(source).body
    assert isinstance(class_, ast.ClassDef)
    return [str(ast.get_source_segment(source, one)) for one in class_.body]


@hypothesis_settings(max_examples=6, deadline=None, phases=[Phase.generate])
@given(st.lists(STATEMENTS, min_size=40, max_size=40))
def test_a_new_statement_is_laid_out_as_ruff_does_it(statements: list[str]) -> None:
    mine = [laid_out(one, None, "    ", 100) for one in statements]
    assert mine == formatted(statements)


@pytest.mark.parametrize(
    "code",
    [
        "x = f(a, b, )",
        "x = f(\n    a, b)",
        "x = f(  # why\n    a\n)",
        "x = f(a, \\\n    b)",
        'x = """a\n    b"""',
    ],
)
def test_what_was_laid_out_in_another_way_keeps_its_lines(code: str) -> None:
    changed = code.replace("a", "a" * 100)
    assert laid_out(changed, code, "    ", 100) == changed


def test_a_line_that_becomes_too_long_is_split_where_it_was_laid_out_so_before() -> None:
    before = 'name: Mapped[str] = mapped_column(ForeignKey("a.id"), nullable=False)'
    after = before.replace('"a.id"', '"a.id", name="a_long_name_of_a_constraint"')
    assert laid_out(after, before, "    ", 88) == (
        "name: Mapped[str] = mapped_column(\n"
        '        ForeignKey("a.id", name="a_long_name_of_a_constraint"), nullable=False\n'
        "    )"
    )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            """x = Column(Enum('a', 'b',
                name='old'))""",
            """x = Column(Enum('a', 'b',
                name='a_new_name', native_enum=False, create_constraint=True, length=63))""",
            """x = Column(Enum('a', 'b',
                name='a_new_name', native_enum=False,
                create_constraint=True, length=63))""",
        ),
        (
            """x = relationship(Flavor, lazy='joined',
                 backref=backref('rs', cascade='all'))""",
            """x = relationship(Flavor, lazy='selectin', foreign_keys='Router.flavor_id',
                 backref=backref('rs', cascade='all', lazy='selectin'))""",
            """x = relationship(Flavor, lazy='selectin',
                 foreign_keys='Router.flavor_id',
                 backref=backref('rs', cascade='all',
                                 lazy='selectin'))""",
        ),
        (
            """x = f('a', [1,
           2, 3])""",
            """x = f('a_longer_text_of_forty_columns_or_more_x_', b, [1,
           2, 3])""",
            """x = f('a_longer_text_of_forty_columns_or_more_x_', b,
      [1,
           2, 3])""",
        ),
    ],
)
def test_a_line_that_becomes_too_long_is_wrapped_as_the_others_are(
    before: str, after: str, expected: str
) -> None:
    assert laid_out(after, before, "", 56) == expected
    assert ast.dump(ast.parse(after)) == ast.dump(ast.parse(expected))


def test_new_texts_have_the_quotes_of_the_file() -> None:
    before = """x = f('a', "b", 'c')"""
    after = """x = f('a', "b", 'c', "d", "it's", r"e", ["f"])"""
    expected = """x = f('a', "b", 'c', 'd', "it's", r"e", ['f'])"""
    assert with_quotes(after, before, "'") == expected


@pytest.mark.parametrize("mark", ["'", '"'])
def test_a_text_in_the_place_of_another_keeps_its_quotes(mark: str) -> None:
    before = """x = f(g("a.id"), name='b', lazy="joined")"""
    after = """x = f(g("app.a.id"), name="ck_b", lazy='selectin', more="d")"""
    expected = f"""x = f(g("app.a.id"), name='ck_b', lazy="selectin", more={mark}d{mark})"""
    assert with_quotes(after, before, mark) == expected
