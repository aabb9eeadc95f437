"""Casts in SQL expressions, and what only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alembic_fixups.retyping.casts import retyped

MOOD = {("public", "mood"): True}
QUOTED = {("public", "Mood"): True}
AWAY = {("audit", "mood"): False}

TURNED = {
    "'a'::mood": "'a'::text",
    "'a' :: mood": "'a' :: text",
    r"'a'\:\:mood": r"'a'\:\:text",
    "(x)::public.mood": "(x)::text",
    "(x)::public . mood": "(x)::text",
    '(x)::"public"."mood"': "(x)::text",
    "x::MOOD": "x::text",
    "x::mood::text": "x::text::text",
    r'x::U&"m\006fod"': "x::text",
    r'x::U&"m\+00006fod"': "x::text",
    "x::/* a /* nested */ one */mood": "x::/* a /* nested */ one */text",
    "x::-- the mood\nmood": "x::-- the mood\ntext",
    "'{a}'::mood[]": "'{a}'::text[]",
    "ARRAY['a'::mood, 'b'::mood]": "ARRAY['a'::text, 'b'::text]",
    "ARRAY[]::mood[]": "ARRAY[]::text[]",
    "x::mood[3][]": "x::text[3][]",
    "x::mood ARRAY": "x::text ARRAY",
    "CAST(x AS mood)": "CAST(x AS text)",
    "cast (f(x) as public.mood)": "cast (f(x) as text)",
    "CAST(ARRAY['a'] AS mood[])": "CAST(ARRAY['a'] AS text[])",
    "CAST((SELECT a AS mood FROM t) AS mood)": "CAST((SELECT a AS mood FROM t) AS text)",
    "E'it\\'s'::mood": "E'it\\'s'::text",
    "'it''s'::mood": "'it''s'::text",
    "$$a$$::mood": "$$a$$::text",
    "1::mood": "1::text",
    "mood = 'a'::mood": "mood = 'a'::text",
}

UNTOUCHED = [
    "mood",
    "mood = 'a'",
    "'::mood'",
    "'it''s::mood'",
    "E'it\\'s ::mood'",
    "E'\\\\'||'::mood'",
    "$$ ::mood $$",
    "$q$ $$ ::mood $q$",
    "U&'::mood'",
    '"a::mood"',
    '"a""::mood"',
    "-- ::mood",
    "/* ::mood /* ::mood */ ::mood */",
    "'never closed ::mood",
    "x::mood2",
    "x::moody.mood",
    "x::other.mood",
    "x::my_mood",
    "x::mood$",
    "x::db.public.mood",
    'x::"Mood"',
    "x::character varying",
    "x::character varying(63)[]",
    "'mood'::regtype",
    "SELECT a AS mood, b AS mood FROM t",
    "f((SELECT a AS mood))",
    "mood.x::text",
]


@pytest.mark.parametrize("expression", TURNED)
def test_a_cast_is_turned(expression: str) -> None:
    assert retyped(expression, MOOD) == TURNED[expression]
    assert retyped(TURNED[expression], MOOD) == TURNED[expression]


@pytest.mark.parametrize("expression", UNTOUCHED)
def test_what_is_no_cast_to_the_type_is_left(expression: str) -> None:
    assert retyped(expression, MOOD) == expression


def test_a_dollar_sign_within_an_identifier_opens_no_constant() -> None:
    assert retyped("a$b$::mood", MOOD) == "a$b$::text"


def test_another_type_than_text() -> None:
    assert retyped("'{}'::mood[]", MOOD, "varchar") == "'{}'::varchar[]"


def test_a_name_that_needs_quotes() -> None:
    assert retyped("'a'::\"Mood\" = 'a'::mood", QUOTED) == "'a'::text = 'a'::mood"
    assert retyped("'a'::Mood", QUOTED) == "'a'::Mood"
    assert retyped('\'a\'::a."b""c"', {("a", 'b"c'): False}) == "'a'::text"


def test_a_bare_name_counts_only_where_it_is_said_to() -> None:
    assert retyped("x::mood = x::audit.mood", AWAY) == "x::mood = x::text"


def test_a_keyword_without_quotes_is_a_type_of_postgresql() -> None:
    names = {("public", "character"): True}
    assert retyped('x::character varying = x::"character"', names) == (
        "x::character varying = x::text"
    )


def test_nothing_to_turn() -> None:
    assert retyped("x::mood", {}) == "x::mood"


PIECES = st.sampled_from(
    "mood :: ' \" E' \\ $$ $q$ /* */ -- ( ) AS CAST [] . public x 1 : ü '' U&".split(" ")
)


@given(st.lists(PIECES).map("".join) | st.lists(PIECES).map(" ".join) | st.text())
def test_nothing_but_names_of_the_type_ever_goes(expression: str) -> None:
    assert retyped(expression, {("nowhere", "zzz"): True}) == expression
    if "mood" not in expression.lower() and "&" not in expression:
        assert retyped(expression, MOOD) == expression


@given(st.text())
def test_a_constant_keeps_its_text(value: str) -> None:
    doubled = "'" + value.replace("'", "''") + "'"
    escaped = "E'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    name = '"' + (value or "x").replace('"', '""') + '"'
    for constant in (doubled, escaped, name, f"U&{doubled}"):
        assert retyped(f"({constant}::mood)", MOOD) == f"({constant}::text)"
        assert retyped(constant, MOOD) == constant


@given(st.text().filter(lambda value: "$q$" not in value + "$q"))
def test_a_dollar_quoted_constant_keeps_its_text(value: str) -> None:
    assert retyped(f"$q${value}$q$::mood", MOOD) == f"$q${value}$q$::text"


@given(st.lists(PIECES).map("".join) | st.lists(PIECES).map(" ".join) | st.text())
def test_a_second_time_changes_nothing(expression: str) -> None:
    once = retyped(expression, MOOD)
    assert retyped(once, MOOD) == once
