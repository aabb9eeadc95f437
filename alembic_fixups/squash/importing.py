"""Revision files that are imported by the name of their package, as helpers of others.

Alembic loads a revision by its path; ``from migrations.versions import abc`` looks into the
project's own folder. Where a replay has its files elsewhere, such an import finds those: a file
that a squash takes away is not there, and one that comes from an archive is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from alembic_fixups.squash.chain import Chain


def install(own: Sequence[Path], chain: Chain) -> None:
    """Leads such imports of this process to the files of a chain, for good.

    Args:
        own: the project's version locations, links resolved.
        chain: the history that is replayed: its first locations are in the place of *own*, in the
            same order, and more may follow.
    """
    more = chain.locations[len(own) :]
    places = {one: (location, *more) for one, location in zip(own, chain.locations, strict=False)}
    finder = _finder(places, frozenset(path.resolve() for path in chain.without))
    sys.meta_path[sys.meta_path.index(PathFinder)] = finder


def _finder(places: Mapping[Path, tuple[Path, ...]], without: frozenset[Path]) -> type[PathFinder]:
    class Moved(PathFinder):
        @classmethod
        def find_spec(
            cls,
            fullname: str,
            path: Sequence[str] | None = None,
            target: ModuleType | None = None,
        ) -> ModuleSpec | None:
            entries = [
                found for one in (sys.path if path is None else path) for found in _moved(one)
            ]
            spec = super().find_spec(fullname, entries, target)
            if spec is not None and spec.origin and Path(spec.origin).resolve() in without:
                folder = os.path.dirname(spec.origin)
                rest = [one for one in entries if not os.path.samefile(one or ".", folder)]
                spec = super().find_spec(fullname, rest, target)
            return spec

    @cache
    def _moved(entry: str) -> list[str]:
        real = Path(os.path.realpath(entry))
        for own, locations in places.items():
            if real.is_relative_to(own):
                return [str(location / real.relative_to(own)) for location in locations]
        return [entry]

    return Moved
