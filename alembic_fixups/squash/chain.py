"""Which files make a history: the project's own, or another choice of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap


@dataclass(frozen=True)
class Chain:
    """The revision files of a history, where they are not simply the project's.

    Attributes:
        locations: the folders in place of the project's version locations.
        without: files in them that are passed over.
    """

    locations: tuple[Path, ...]
    without: frozenset[Path] = frozenset()


def script_directory(config: Config, chain: Chain | None = None) -> ScriptDirectory:
    """The project's revisions and env.py, with the files of *chain* where one is given.

    Raises:
        CommandError: Alembic finds something wrong with the configuration.
    """
    script = ScriptDirectory.from_config(config)
    if chain is None:
        return script
    script.version_locations = [str(location) for location in chain.locations]
    # Read here, Alembic keeps them: an env.py that sets context.script.version_locations does so
    # in vain, where it would lead a replay with the snapshot back to the old files.
    _ = script._version_locations
    without = {path.resolve() for path in chain.without}

    def load() -> Iterator[Script]:
        for revision in script._load_revisions():
            if Path(revision.path).resolve() not in without:
                yield revision

    script.revision_map = RevisionMap(load)
    return script
