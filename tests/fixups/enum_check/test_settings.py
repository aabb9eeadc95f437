"""Which columns the settings cover, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from alembic_fixups.fixups.enum_check.settings import EnumCheckSettings, covers, renames_for
from alembic_fixups.settings import SettingsError

Names = tuple[str | None, str, str, tuple[str, ...]]

STATUS: Names = ("public", "orders", "status", ("status", "public.status"))
AWAY: Names = ("audit", "orders", "status", ("status", "audit.status"))


def settings(**table: Any) -> EnumCheckSettings:
    return EnumCheckSettings.model_validate(table)


def test_everything_is_covered_where_nothing_is_said() -> None:
    plain = settings()
    assert (plain.include, plain.exclude, plain.storage, plain.strategy, plain.renames) == (
        ("*",),
        (),
        "varchar",
        "auto",
        {},
    )
    assert covers(plain, *STATUS) and covers(plain, *AWAY) and covers(plain, None, "t", "c", ())


@pytest.mark.parametrize(
    ("pattern", "home", "away"),
    [
        ("public.orders.status", True, False),
        ("*.orders.status", True, True),
        ("orders.status", True, False),
        ("orders.*", True, False),
        ("status", True, True),
        ("public.status", True, False),
        ("audit.*", False, True),
        ("stat[u]s", True, True),
        ("Status", False, False),
        ("orders", False, False),
    ],
)
def test_a_pattern(pattern: str, home: bool, away: bool) -> None:
    assert covers(settings(include=[pattern]), *STATUS) is home
    assert covers(settings(include=[pattern]), *AWAY) is away
    assert covers(settings(exclude=[pattern]), *STATUS) is not home
    assert covers(settings(include=["*", pattern], exclude=[pattern]), *AWAY) is not away


def test_another_default_schema() -> None:
    assert covers(settings(include=["orders.status"]), *AWAY, default_schema="audit")
    assert covers(settings(include=["app.t.c"]), None, "t", "c", (), default_schema="app")


def test_the_renames_of_every_pattern_that_matches() -> None:
    chosen = settings(
        renames={
            "status": {"new": "created"},
            "orders.*": {"done": "closed", "new": "created"},
            "other": {"x": "y"},
        }
    )
    assert renames_for(chosen, *STATUS) == {"new": "created", "done": "closed"}
    assert renames_for(chosen, *AWAY) == {"new": "created"}
    assert renames_for(settings(), *STATUS) == {}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"new": "fresh"}, "'new' becomes 'created' and 'fresh'"),
        ({"created": "made"}, "'new' becomes 'created', which becomes 'made'"),
        ({"old": "created"}, "'new' and 'old' both become 'created'"),
    ],
)
def test_patterns_that_contradict_each_other(more: dict[str, str], message: str) -> None:
    chosen = settings(renames={"status": {"new": "created"}, "orders.*": more})
    assert renames_for(chosen, *AWAY) == {"new": "created"}
    with pytest.raises(SettingsError, match=r"public\.orders\.status") as caught:
        renames_for(chosen, *STATUS)
    assert message in str(caught.value)
    assert caught.value.keys == ("enum-check", "renames", "orders.*")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"include": [""]}, "empty pattern"),
        ({"exclude": [" "]}, "empty pattern"),
        ({"include": [" a"]}, "without spaces"),
        ({"renames": {"": {"a": "b"}}}, "empty pattern"),
        ({"renames": {"s": {"a": "a"}}}, "itself"),
        ({"renames": {"s": {"a": "b", "b": "c"}}}, "twice"),
        ({"renames": {"s": {"a": "b", "b": "a"}}}, "twice"),
        ({"renames": {"s": {"a": "c", "b": "c"}}}, "apart"),
        ({"storage": "char"}, "'varchar' or 'text'"),
        ({"strategy": "fast"}, "'auto', 'rewrite' or 'online'"),
        ({"includes": ["*"]}, "Extra inputs"),
    ],
)
def test_what_is_refused(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**table)
