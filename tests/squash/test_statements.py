"""SQL text survives being split, indented and written as Python."""

import ast
import re

from hypothesis import given
from hypothesis import strategies as st

from alembic_fixups.squash import statements

TEXT = st.text(
    st.one_of(
        st.sampled_from("'\"\\$;:%()\n\r\t ab\x0b\x0c\x1c\x85\u2028"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=12,
)
TAGS = st.sampled_from(["$$", "$_$", "$fixup$", "$ä1$"])


def _dollar_quoted(tag: str, body: str) -> str:
    # The quotation ends where the tag occurs first.
    while (body + tag).index(tag) < len(body):
        body = body.replace("$", "")
    return f"{tag}{body}{tag}"


QUOTED = st.one_of(
    TEXT.map(lambda text: "'" + text.replace("'", "''") + "'"),
    TEXT.map(lambda text: "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    TEXT.map(lambda text: '"' + text.replace('"', '""') + '"'),
    st.builds(_dollar_quoted, TAGS, TEXT),
)
PLAIN = st.sampled_from(
    [
        " ",
        "\n",
        "\n\n",
        "\n    a = ",
        " (a, ",
        "), ",
        " -- it's $$;\n",
        ' /* " ; */ ',
        "\t\n",
        " 1;2 ",
    ]
)


@st.composite
def _statement(draw: st.DrawFn, plain: st.SearchStrategy[str] = PLAIN) -> list[tuple[bool, str]]:
    """Its parts, each with whether it is a quotation."""
    parts = [(False, "SELECT ")]
    for quoted in draw(st.lists(QUOTED, max_size=4)):
        parts += [(True, quoted), (False, draw(plain))]
    return [*parts, (False, " x")]


def _sql(parts: list[tuple[bool, str]]) -> str:
    return "".join(text for _, text in parts)


@given(parts=_statement(), indent=st.sampled_from([0, 4]))
def test_python_gives_back_the_text_but_for_blanks_before_lines_outside_of_quotations(
    parts: list[tuple[bool, str]], indent: int
) -> None:
    pattern = "".join(
        re.escape(text) if quoted else re.escape(text).replace("\\\n", "\n *")
        for quoted, text in parts
    )
    source = statements.python(_sql(parts), indent)
    assert re.fullmatch(rf"\s*{pattern}\s*", ast.literal_eval(f"({source})"))
    # Nothing that an editor or a formatter takes away.
    for line in f"({source})".split("\n"):
        assert line == line.rstrip() and line.replace("\t", " ").isprintable()


@given(parts=_statement())
def test_python_in_a_do_block_leaves_quotations_as_they_are(
    parts: list[tuple[bool, str]],
) -> None:
    block = statements.guarded("true", _sql(parts))
    value = ast.literal_eval(f"({statements.python(block, 4)})").strip()
    tag = re.match(r"DO (\$\w+\$)\n", value)
    assert tag and value.endswith(tag[1]) and value.count(tag[1]) == 2
    place = 0
    for quoted, text in parts:
        if quoted:
            place = value.index(text, place) + len(text)


@given(st.lists(_statement(st.sampled_from([" ", "\n", ", ", " (1; (2;)) "])), max_size=4))
def test_split_finds_the_ends_of_statements(several: list[list[tuple[bool, str]]]) -> None:
    texts = [_sql(parts) for parts in several]
    assert statements.split("".join(f"{text};\n\n" for text in texts)) == texts


def test_text_that_a_raw_string_keeps_is_readable() -> None:
    assert statements.python("CREATE TABLE a ()", 4) == '"CREATE TABLE a ()"'
    assert (
        statements.python("CREATE TABLE a (\n    b text\n)", 4)
        == 'r"""\n        CREATE TABLE a (\n            b text\n        )\n    """'
    )
