"""The fixups, one folder each.

A fixup says how a schema ought to look. Its folder holds ``rewrite.py`` (the change of the desired
schema in memory), ``operation.py`` (the steps that bring a database there and back) and, for the
model files, ``codemod.py``; its ``__init__`` names them in a ``FIXUP``. Nothing else knows it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alembic.operations.ops import UpgradeOps
    from pydantic import BaseModel

    from alembic_fixups.catalog import Move
    from alembic_fixups.run import Replacement, Run
    from alembic_fixups.target import Target


@dataclass(frozen=True)
class Fixup:
    """What the rest of the project knows of a fixup.

    Attributes:
        name: its table in ``[tool.alembic-fixups]``.
        settings: the model that validates this table.
        rewrite: changes the desired schema in place and gives back what it wants of it, as
            data of its own. Takes the target, its settings and the major version of the server.
        replace: takes what ``rewrite`` gave, its settings, the run (the database as it is, the
            findings) and Alembic's operations, and gives those that take their place.
        infer: takes the models and gives settings that suit them as a plain table, None where
            the fixup has nothing to do there; ``alembic-fixups init`` proposes them.
        hint: takes the models and gives a line or more for somebody whose models ``infer`` made
            nothing of, "" where there is nothing to say.
        locate: takes what ``rewrite`` gave, its settings and the run, before Alembic compares, and
            says what the migration will move, so that everything is compared where it will be.
        order: place among the fixups; a lower one rewrites first.
        on_with: the fixups that switch it on, with the settings that it has by itself.
    """

    name: str
    settings: type[BaseModel]
    rewrite: Callable[[Target, Any, int], Any]
    replace: Callable[[Any, Any, Run, UpgradeOps], Replacement]
    infer: Callable[[Target], dict[str, Any] | None]
    hint: Callable[[Target], str]
    locate: Callable[[Any, Any, Run], Iterable[Move]] | None = None
    order: int = 50
    on_with: frozenset[str] = frozenset()


@cache
def all_fixups() -> tuple[Fixup, ...]:
    """Every fixup there is, in the order in which they rewrite."""
    found = [
        importlib.import_module(f"{__name__}.{module.name}").FIXUP
        for module in pkgutil.iter_modules(__path__)
        if module.ispkg
    ]
    return tuple(sorted(found, key=lambda fixup: (fixup.order, fixup.name)))
