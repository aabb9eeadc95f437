"""What is said of ``lazy`` without any source, and which relationships the settings name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from sqlalchemy import ForeignKey
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Mapper,
    backref,
    mapped_column,
    relationship,
    selectinload,
)

from alembic_fixups.fixups.relationship_loading import FIXUP
from alembic_fixups.fixups.relationship_loading.naming import chosen
from alembic_fixups.fixups.relationship_loading.settings import RelationshipLoadingSettings
from alembic_fixups.fixups.relationship_loading.values import (
    is_valid,
    meaning,
    put_right,
    relationships,
    wrong,
)
from alembic_fixups.settings import SettingsError
from alembic_fixups.target import Target


def models(lazy: object, other: object = "select") -> type[DeclarativeBase]:
    """Two models with a relationship of each to the other."""

    class Base(DeclarativeBase):
        pass

    class Client(Base):
        __tablename__ = "clients"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Engagement(Base):
        __tablename__ = "engagements"
        id: Mapped[int] = mapped_column(primary_key=True)
        client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"))
        client = relationship(
            "Client",
            lazy=lazy,  # type: ignore[arg-type]
            backref=backref("engagements", lazy=other),
        )

    return Base


def mappers(base: type[DeclarativeBase]) -> list[Mapper[object]]:
    return sorted(base.registry.mappers, key=lambda one: one.class_.__name__)


def settings(**keys: list[str]) -> RelationshipLoadingSettings:
    return RelationshipLoadingSettings.model_validate(keys)


@pytest.mark.parametrize(
    ("value", "right"),
    [
        ("selectinload", "selectin"),
        ("selectin_load", "selectin"),
        ("Select-In", "selectin"),
        (selectinload, "selectin"),
        ("joinedload", "joined"),
        ("JOINED", "joined"),
        ("subqueryload", "subquery"),
        ("lazyload", "select"),
        ("lazy", "select"),
        ("raiseload", "raise"),
        ("raise-on-sql", "raise_on_sql"),
        ("immediate_load", "immediate"),
        ("no_load", "noload"),
        ("writeonly", "write_only"),
        ("False", "joined"),
        ("eager", None),
        ("selectn", None),
        ("None", None),
        ("", None),
        (("selectin",), None),
        (["selectin"], None),
        (2, None),
    ],
)
def test_what_a_value_is_meant_to_be(value: object, right: str | None) -> None:
    assert not is_valid(value)
    assert meaning(value) == right
    assert right is None or is_valid(right)


@pytest.mark.parametrize("value", ["select", "noload", "raise_on_sql", "dynamic", True, None])
def test_values_that_sqlalchemy_takes_are_right(value: object) -> None:
    assert is_valid(value)


def test_wrong_values_are_told_and_left_alone() -> None:
    base = models("selectinload", "eager")
    target = Target(base.metadata)
    found = FIXUP.rewrite(target, settings(), 16)
    assert [(one.is_backref, one.value) for one in found] == [
        (False, "selectinload"),
        (True, "eager"),
    ]
    assert [one.code for one in target.findings] == ["unknown-value", "unknown-value"]
    first, second = (one.message for one in target.findings)
    assert "Engagement.client says lazy='selectinload'" in first
    assert "meant to be 'selectin'" in first
    assert "the backref of Engagement.client says lazy='eager'" in second
    assert "meant to be" not in second
    [client] = relationships(mappers(base))
    assert client.lazy == "selectinload", "the user's own models were changed"
    assert FIXUP.infer(target) == {}


def test_right_values_are_not_spoken_of() -> None:
    target = Target(models("selectin").metadata)
    assert FIXUP.rewrite(target, settings(), 16) == ()
    assert target.findings == []
    assert FIXUP.infer(target) is None
    assert FIXUP.hint(target) == ""


def test_mappers_that_are_put_right_can_be_configured() -> None:
    base = models("selectinload", "joinedload")
    for loading in list(wrong(mappers(base))):
        put_right(loading, str(meaning(loading.value)))
    base.registry.configure()
    client, engagement = mappers(base)
    assert engagement.relationships["client"].lazy == "selectin"
    assert client.relationships["engagements"].lazy == "joined"
    # What the source says is still known.
    assert [one.value for one in wrong(mappers(base))] == ["selectinload", "joinedload"]


def test_names_go_before_patterns() -> None:
    base = models("select")
    base.registry.configure()
    known = list(relationships(mappers(base)))
    here = "test_rewrite.models.<locals>"
    found = chosen(
        settings(selectin=["*.*"], **{"raise-on-sql": [f"*{here}.Client.*", "Client.engagements"]}),
        known,
    )
    assert {one.key: choice.value for one, choice in found.items()} == {
        "client": "selectin",
        "engagements": "raise_on_sql",
    }


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"selectin": ["Client.engagement"]}, "did you mean 'Client.engagements'?"),
        ({"selectin": ["client.*", "Client.*"]}, r"selectin\[0\]: .* no relationship 'client.*'"),
        ({"raise-on-sql": ["Nothing.x"]}, "write 'Class.attribute'"),
        ({"selectin": ["*.client"], "raise-on-sql": ["Eng*.*"]}, "among those of selectin too"),
    ],
)
def test_what_the_settings_cannot_say(keys: dict[str, list[str]], message: str) -> None:
    base = models("select")
    base.registry.configure()
    with pytest.raises(SettingsError, match=message):
        chosen(settings(**keys), list(relationships(mappers(base))))


def test_a_pattern_needs_a_class_and_an_attribute() -> None:
    with pytest.raises(ValidationError, match="write a class and an attribute"):
        settings(selectin=["engagements"])
