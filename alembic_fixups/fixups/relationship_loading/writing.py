"""Relationships that are to say another ``lazy``, written into their source."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import libcst as cst

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.files import Statement, Unclear
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.names import dotted
from alembic_fixups.fixups.relationship_loading.constants import Constant, constant_of, uses
from alembic_fixups.fixups.relationship_loading.source import Site, says
from alembic_fixups.fixups.relationship_loading.values import (
    Loading,
    Relationship,
    is_valid,
    relationships,
)
from alembic_fixups.settings import shown


@dataclass(frozen=True)
class Wish:
    """A relationship that is to be loaded otherwise.

    Attributes:
        loading: what it says now.
        value: what it is to say, None where that is not clear.
    """

    loading: Loading
    value: str | None


@dataclass(frozen=True)
class Writer:
    """Writes wishes, each as far as all that it changes wants the same.

    Attributes:
        models: the models.
        wishes: all that there are.
    """

    models: Models
    wishes: tuple[Wish, ...]

    def write(self, wish: Wish) -> None:
        """Has a relationship say what it is to say.

        Raises:
            Unclear: it is not written where it can be changed, or the change would be one of
                something else too.
        """
        site = self._site(wish)
        if wish.value is None:
            raise site.statement.unclear(
                f"lazy={wish.loading.value!r} is no value that SQLAlchemy knows, and what it is "
                "meant to be is not clear"
            )
        self._require_same(wish, wish.value, site)
        given = site.given()
        if given is None:
            if not is_valid(wish.loading.value):
                raise site.statement.unclear(
                    f"lazy={wish.loading.value!r} is not written here; put it right where it "
                    "comes from"
                )
            site.say(wish.value)
            return
        if site.place.names.text(given) == wish.value:
            return  # by way of another class that has it from the same mixin
        constant = self._constant(site, given)
        if constant is not None:
            self._write_constant(constant, wish, wish.value, site)
        elif isinstance(given, cst.SimpleString | cst.Name | cst.Attribute) and (
            says(site, given, wish.loading)
        ):
            site.say(wish.value)
        else:
            raise site.statement.unclear(
                f"lazy={calls.code_of(given)} gives {wish.loading.value!r} in the running models; "
                f"write lazy={calls.literal(wish.value)}"
            )

    def _site(self, wish: Wish) -> Site:
        place = self.models.relationship(wish.loading.relationship)
        return Site(place, wish.loading.is_backref)

    def _require_same(self, wish: Wish, value: str, site: Site) -> None:
        """Stops where a mixin gives it to a class that does not want the same."""
        loading = wish.loading
        owner = site.place.class_
        for other in self._by_key[loading.relationship.key]:
            class_ = other.parent.class_
            if other is loading.relationship or not issubclass(class_, owner):
                continue
            if self.models.relationship(other).statement is not site.statement:
                continue
            if self._values.get((other, loading.is_backref), _now(other, loading)) != value:
                raise site.statement.unclear(
                    f"{class_.__name__}.{other.key} is made here too and is not to have "
                    f"lazy={calls.literal(value)}"
                )

    @cached_property
    def _by_key(self) -> dict[str, list[Relationship]]:
        found: dict[str, list[Relationship]] = defaultdict(list)
        for mappers in self.models.mappers.values():
            for one in relationships(mappers):
                found[one.key].append(one)
        return found

    @cached_property
    def _values(self) -> dict[tuple[Relationship, bool], str | None]:
        return {
            (one.loading.relationship, one.loading.is_backref): one.value for one in self.wishes
        }

    # Constants

    def _constant(self, site: Site, given: cst.BaseExpression) -> Constant | None:
        """The constant that gives a text, None where it is given in another way."""
        code = dotted(given)
        if code is None or not isinstance(site.place.names.value(given), str):
            return None
        found = constant_of(self.models, site.statement.file, code)
        if found is None:
            raise site.statement.unclear(f"where {code} gets its text is not clear")
        return found

    def _write_constant(self, constant: Constant, wish: Wish, value: str, site: Site) -> None:
        literal = constant.literal()
        if literal.evaluated_value == value:
            return  # by way of another relationship
        if literal.evaluated_value != wish.loading.value:
            raise constant.statement.unclear(
                f"{constant.name} is {literal.value} here and {wish.loading.value!r} in the "
                "running models"
            )
        wanted = self._sites_with(constant, value)
        for file, offset, line in uses(self.models, constant):
            span = next(
                (
                    one
                    for one in wanted
                    if one.file is file and one.start <= offset < one.end and wanted[one] > 0
                ),
                None,
            )
            if span is None:
                raise site.statement.unclear(
                    f"lazy is {constant.name}, which {shown(file.path)}:{line} uses too; write "
                    f"lazy={calls.literal(value)} here, or change {constant.name} by hand"
                )
            wanted[span] -= 1
        tree = calls.replaced(constant.statement.tree, literal, calls.with_text(literal, value))
        constant.statement.tree = tree

    def _sites_with(self, constant: Constant, value: str) -> Counter[Statement]:
        """The statements that want that value of the constant, and how often they use it."""
        found: Counter[Statement] = Counter()
        for site in self._sites_of(value):
            try:
                given = site.given()
                known = None if given is None else self._constant(site, given)
            except Unclear:
                continue
            if known is not None and known.statement is constant.statement:
                found[site.statement] += 1
        return found

    def _sites_of(self, value: str) -> Iterable[Site]:
        found: dict[tuple[int, bool], Site] = {}
        for wish in self.wishes:
            if wish.value == value:
                try:
                    site = self._site(wish)
                except Unclear:
                    continue
                found.setdefault(site.key, site)
        return found.values()


def _now(other: Relationship, loading: Loading) -> object:
    """What a relationship says that nobody wants to be another."""
    if not loading.is_backref:
        return other.lazy
    given = other.backref[1] if isinstance(other.backref, tuple) else {}
    return given.get("lazy", "select")
