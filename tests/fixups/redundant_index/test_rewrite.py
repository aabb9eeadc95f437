"""Which indexes of the models are needless."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    desc,
    func,
    text,
)
from sqlalchemy.schema import SchemaItem

from alembic_fixups.fixups.redundant_index import FIXUP
from alembic_fixups.fixups.redundant_index.settings import RedundantIndexSettings
from alembic_fixups.settings import SettingsError
from alembic_fixups.target import Target


def table(*items: SchemaItem, **options: Any) -> MetaData:
    """A table with an indexed column and whatever is given."""
    metadata = MetaData(**options)
    Table(
        "assets",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String, index=True),
        Column("state", Integer),
        *items,
    )
    return metadata


def rewrite(metadata: MetaData, *keep: str) -> tuple[list[str], Target]:
    """The columns whose index goes, with what says so; and the target."""
    target = Target(metadata)
    settings = RedundantIndexSettings.model_validate({"keep": keep})
    found = FIXUP.rewrite(target, settings, 16)
    return [f"{one.column}: {one.serving}" for one in found], target


SERVING = {
    "unique constraint": (
        UniqueConstraint("name", "state", name="uq"),
        "the unique key uq on (name, state)",
    ),
    "unnamed": (UniqueConstraint("name", "state"), "the unique key on (name, state)"),
    "deferrable": (
        UniqueConstraint("name", deferrable=True),
        "the unique key on (name)",
    ),
    "index": (Index("by_name", "name", "state"), "the index by_name on (name, state)"),
    "expression behind": (
        Index("by_name", "name", func.abs(text("state"))),
        "the index by_name on (name, abs(state))",
    ),
    "nulls not distinct": (
        Index("by_name", "name", "id", unique=True, postgresql_nulls_not_distinct=True),
        "the unique index by_name on (name, id)",
    ),
    "include": (
        Index("by_name", "name", postgresql_include=["state"], postgresql_using="btree"),
        "the index by_name on (name)",
    ),
}

USELESS = {
    "second column": Index("by_state", "state", "name"),
    "partial": Index("by_name", "name", "state", postgresql_where=text("state > 1")),
    "expression": Index("by_name", func.lower(text("name")), "name"),
    "another method": Index("by_name", "name", postgresql_using="hash"),
    "operator class": Index("by_name", "name", "id", postgresql_ops={"name": "text_pattern_ops"}),
    "descending": Index("by_name", desc(text("name")), "id"),
    "for others": UniqueConstraint("name", "state").ddl_if(dialect="sqlite"),
}


@pytest.mark.parametrize("name", SERVING)
def test_what_serves(name: str) -> None:
    item, title = SERVING[name]
    metadata = table(item)
    found, target = rewrite(metadata)
    assert found == [f"name: {title}"]
    left = {index.name for index in target.table("assets").indexes}
    assert "ix_assets_name" not in left
    assert "ix_assets_name" in {index.name for index in metadata.tables["assets"].indexes}
    [finding] = target.findings
    assert (finding.code, finding.severity) == ("redundant", "info")
    assert title in finding.message
    # A further copy of the table has no index either.
    again = target.place("assets", "app", lambda _: None)
    assert {index.name for index in again.indexes} == left


@pytest.mark.parametrize("name", USELESS)
def test_what_does_not_serve(name: str) -> None:
    found, target = rewrite(table(USELESS[name]))
    assert found == []
    assert target.findings == []


def test_only_index_true_goes() -> None:
    metadata = MetaData()
    Table(
        "assets",
        metadata,
        Column("id", Integer, primary_key=True, index=True),
        Column("slug", String, unique=True, index=True),
        Column("name", String),
        Index("written", "name"),
        Index("wide", "name", "slug"),
        Index("by_slug", "slug", "name"),
    )
    found, target = rewrite(metadata)
    assert found == ["id: the primary key on (id)"]
    left = {index.name for index in target.table("assets").indexes}
    assert left == {"ix_assets_slug", "written", "wide", "by_slug"}


def test_an_index_of_the_same_name_and_column_stays() -> None:
    found, _ = rewrite(
        table(Index("ix_name", "name"), naming_convention={"ix": "ix_%(column_0_N_name)s"})
    )
    assert found == ["name: the index ix_name on (name)"]


@pytest.mark.parametrize("name", ["assets.name", "app.assets.name"])
def test_what_the_settings_keep_stays(name: str) -> None:
    schema = None if name == "assets.name" else "app"
    metadata = table(Index("by_name", "name", "state"), schema=schema)
    found, _ = rewrite(metadata, name)
    assert found == []
    assert "the index by_name" in rewrite(metadata)[0][0]


@pytest.mark.parametrize(
    ("name", "advice"),
    [("assets.nam", "did you mean 'assets.name'?"), ("x", "write 'schema.table.column'")],
)
def test_a_column_that_is_not_there_stops_the_run(name: str, advice: str) -> None:
    with pytest.raises(SettingsError) as caught:
        rewrite(table(), "assets.name", name)
    assert f"redundant-index.keep[1]: the models have no column {name!r}; {advice}" == str(
        caught.value
    )
    assert caught.value.keys == ("redundant-index", "keep", 1)


def test_init_says_what_it_would_be_of_use_for() -> None:
    target = Target(table(Index("by_name", "name", "state")))
    assert FIXUP.infer(target) is None
    assert "index=True is needless on assets.name: another" in FIXUP.hint(target)
    assert FIXUP.hint(Target(table())) == ""
