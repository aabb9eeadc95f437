"""Where a relationship says ``lazy``, and how it says something else there."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import libcst as cst
from sqlalchemy import orm

from alembic_fixups.codemods import calls, table_args
from alembic_fixups.codemods.files import Statement
from alembic_fixups.codemods.imports import name_for
from alembic_fixups.codemods.names import MISSING
from alembic_fixups.codemods.places import RelationshipPlace
from alembic_fixups.fixups.relationship_loading.values import Loading

_KWARGS = "sa_relationship_kwargs"
"""Where SQLModel takes what it hands on to ``relationship()``."""

_MAKERS = ("relationship", "relation")


@dataclass(frozen=True)
class Site:
    """A place that says ``lazy``, or where it can be said.

    Attributes:
        place: where the relationship is written.
        is_backref: whether it is the other side's, in a ``backref()``.
    """

    place: RelationshipPlace
    is_backref: bool

    @property
    def statement(self) -> Statement:
        """Its statement."""
        return self.place.statement

    @property
    def key(self) -> tuple[int, bool]:
        """What tells it from others."""
        return id(self.statement), self.is_backref

    def given(self) -> cst.BaseExpression | None:
        """What ``lazy`` is given as it is now, None where the source does not say it.

        Raises:
            Unclear: it may come from where the source does not show it.
        """
        call = self._backref_call() if self.is_backref else self._call()
        if call is None:
            return None
        if self._is_field(call):
            return self._given_in_kwargs(call)
        found = calls.keyword(call, "lazy")
        if found is None and calls.has_stars(call):
            raise self.statement.unclear(f"lazy may be in the ** of {calls.code_of(call.func)}()")
        return None if found is None else found.value

    def say(self, value: str) -> None:
        """Has it say a value, in the place of what it says.

        Raises:
            Unclear: what is there cannot be added to.
        """
        given = self.given()
        if given is not None:
            self._replace(given, _text(given, value))
            return
        code = calls.literal(value)
        call = self._backref_call() if self.is_backref else self._call()
        if call is None:
            self._say_in_new_backref(code)
        elif self._is_field(call):
            self._say_in_kwargs(call, code)
        else:
            self._replace(call, calls.with_keyword(call, "lazy", code))

    def _replace(self, old: cst.CSTNode, new: cst.CSTNode) -> None:
        self.statement.tree = calls.replaced(self.statement.tree, old, new)

    # The calls

    def _call(self) -> cst.Call:
        found = calls.calls(self.statement.tree, self._makes_relationship)
        if len(found) == 2 and self._is_field(found[0]):
            found = found[1:]  # Relationship(sa_relationship=relationship(...))
        if len(found) != 1:
            raise self.statement.unclear("the call of relationship() is not written here")
        return found[0]

    def _makes_relationship(self, call: cst.Call) -> bool:
        is_named = calls.code_of(call.func).rpartition(".")[2] in _MAKERS
        return (
            is_named
            or self.place.names.value(call.func) is orm.relationship
            or (self._is_field(call))
        )

    def _is_field(self, call: cst.Call) -> bool:
        """Whether it is a call of SQLModel's ``Relationship()``."""
        sqlmodel = sys.modules.get("sqlmodel")
        return sqlmodel is not None and (self.place.names.value(call.func) is sqlmodel.Relationship)

    def _backref_call(self) -> cst.Call | None:
        """The call of ``backref()``, None where the other side is given by its name."""
        found = calls.calls(
            self.statement.tree,
            lambda call: (
                calls.code_of(call.func).rpartition(".")[2] == "backref"
                or self.place.names.value(call.func) is orm.backref
            ),
        )
        if len(found) > 1:
            raise self.statement.unclear("there are several calls of backref() here")
        return found[0] if found else None

    # A backref by its name

    def _say_in_new_backref(self, code: str) -> None:
        call = self._call()
        given = None if self._is_field(call) else calls.keyword(call, "backref")
        if given is None or self.place.names.text(given.value) is MISSING:
            raise self.statement.unclear(f"backref is not written here; give it lazy={code}")
        name = name_for(self.statement.file, orm.backref, "sqlalchemy.orm", "backref")
        made = f"{name}({calls.code_of(given.value)}, lazy={code})"
        self._replace(given.value, calls.expression(made))

    # SQLModel

    def _given_in_kwargs(self, call: cst.Call) -> cst.BaseExpression | None:
        kwargs = calls.keyword(call, _KWARGS)
        if kwargs is None:
            if calls.has_stars(call):
                raise self.statement.unclear("lazy may be in the ** of Relationship()")
            return None
        match kwargs.value:
            case cst.Dict(elements=elements):
                for element in elements:
                    if not isinstance(element, cst.DictElement):
                        raise self.statement.unclear(f"lazy may be in the ** in {_KWARGS}")
                    if self.place.names.text(element.key) == "lazy":
                        return element.value
                return None
            case cst.Call(func=cst.Name("dict")) as made if not calls.positional(made):
                if calls.has_stars(made):
                    raise self.statement.unclear(f"lazy may be in the ** in {_KWARGS}")
                found = calls.keyword(made, "lazy")
                return None if found is None else found.value
        code = calls.code_of(kwargs.value)
        raise self.statement.unclear(f"{_KWARGS} is {code}; say lazy there by hand")

    def _say_in_kwargs(self, call: cst.Call, code: str) -> None:
        kwargs = calls.keyword(call, _KWARGS)
        if kwargs is None:
            self._replace(call, calls.with_keyword(call, _KWARGS, f'{{"lazy": {code}}}'))
        elif isinstance(kwargs.value, cst.Dict):
            self._replace(kwargs.value, table_args.with_entry(kwargs.value, "lazy", code))
        elif isinstance(kwargs.value, cst.Call):
            self._replace(kwargs.value, calls.with_keyword(kwargs.value, "lazy", code))


def says(site: Site, given: cst.BaseExpression, loading: Loading) -> bool:
    """Whether an expression gives the value that the running models have."""
    value = _value(site, given)
    return value is loading.value or (
        type(value) is type(loading.value) and bool(value == loading.value)
    )


def _value(site: Site, given: cst.BaseExpression) -> object:
    if isinstance(given, cst.Name) and given.value in _SINGLE:
        return _SINGLE[given.value]
    text = site.place.names.text(given)
    return text if text is not MISSING else site.place.names.value(given)


_SINGLE: dict[str, object] = {"True": True, "False": False, "None": None}


def _text(given: cst.BaseExpression, value: str) -> cst.BaseExpression:
    if isinstance(given, cst.SimpleString):
        return calls.with_text(given, value)
    return calls.expression(calls.literal(value))
