"""Whole cases: models, a change of them, settings, and what is tried."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from tests.hardening.changing import Changing
from tests.hardening.drawing import with_column
from tests.hardening.schemas import (
    Case,
    Chosen,
    Column,
    ForeignKey,
    Models,
    Prefix,
    Table,
    Tenants,
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Models, a change of them, settings, and what is tried."""
    drawing = Changing(draw, Chosen(), ())
    drawing.settle()
    drawing.fitting = drawing.often(6)
    schemas = [drawing.name("schema")] if drawing.rarely(3) else []
    drawing.schemas = schemas
    chosen = Chosen(
        prefix=Prefix(drawing.name("home"), drawing.rarely(2)) if drawing.rarely(4) else None,
        enum_check=(drawing.one(["auto", "rewrite", "online"]), drawing.one(["varchar", "text"]))
        if drawing.often(2)
        else None,
        vectors=(
            drawing.one(["archive", "truncate", "pad", "clear"]),
            drawing.one(["auto", "rewrite", "online"]),
        )
        if drawing.rarely(2)
        else None,
        checks=drawing.rarely(2),
        redundant=drawing.rarely(3),
    )
    drawing.chosen = chosen
    before = drawing.models()
    if drawing.rarely(3):
        before, tenants = _with_tenants(drawing, before)
        chosen = replace(chosen, tenants=tenants)
    if chosen == Chosen():
        chosen = Chosen(checks=True)
    drawing.chosen, drawing.before = chosen, before
    drawing.refusing = not drawing.fitting
    after = before
    for change in drawing.owned:
        if drawing.often(3):
            after = change(after)
    for _ in range(drawing.count(1, 5)):
        after = drawing.one(drawing.changes)(after)
    after = replace(after, tables=tuple(_as_written(drawing, one) for one in after.tables))
    stops = None
    if drawing.rarely(4):
        part = st.floats(0, 1, allow_nan=False)
        stops = draw(part), draw(part)
    return Case(before, after, chosen, drawing.fitting, stops, drawing.rarely(5), tuple(schemas))


def _as_written(drawing: Changing, table: Table) -> Table:
    """The table in the style of its model: with the schema of all or without it."""
    prefix = drawing.chosen.prefix
    if prefix is None:
        return table
    keys = tuple(replace(one, qualified=drawing.rarely(2)) for one in table.foreign_keys)
    schema = table.schema or (prefix.schema if drawing.rarely(3) else None)
    return replace(table, foreign_keys=keys, schema=schema)


def _with_tenants(drawing: Changing, models: Models) -> tuple[Models, Tenants]:
    """The models in a hierarchy of clients and engagements."""
    names = drawing.name("client_id"), drawing.name("engagement_id")
    schema = drawing.one([None, *drawing.schemas])
    levels = []
    for kind in ("clients", "engagements"):
        key = Column(drawing.number(), "id", "integer", nullable=False)
        levels.append(Table(drawing.number(), drawing.name(kind), (key,), (key.id,), schema))
    client = _reference(drawing, names[0], nullable=False)
    top, second = levels[0], _with_reference(drawing, levels[1], client, levels[0])
    tables = [top, second]
    held = {client.id}
    for table in models.tables:
        if drawing.often(3):
            for level, name in zip((top, second), names, strict=True):
                column = _reference(drawing, name, nullable=drawing.rarely(4))
                held.add(column.id)
                if level is top or drawing.often(3):
                    table = _with_reference(drawing, table, column, level)
                else:
                    table = with_column(table, column)
        tables.append(table)
    drawing.kept = frozenset(held | {top.id, second.id})
    wrong = not drawing.fitting
    tenants = Tenants(
        (top.id, second.id),
        names,
        drawing.one(["hierarchy", "all"]),
        drawing.one(["abort", "quarantine", "null"]),
        wrong,
    )
    return replace(models, tables=tuple(tables)), tenants


def _reference(drawing: Changing, name: str, *, nullable: bool) -> Column:
    return Column(drawing.number(), name, "integer", nullable=nullable)


def _with_reference(drawing: Changing, table: Table, column: Column, level: Table) -> Table:
    key = ForeignKey(
        (column.id,),
        level.id,
        level.key,
        drawing.name("key"),
        ondelete=drawing.one([None, "CASCADE", "SET NULL"]),
    )
    return replace(with_column(table, column), foreign_keys=(*table.foreign_keys, key))
