"""What the catalog is like where a snapshot ends, as the manifest keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.project import ProjectError
from alembic_fixups.scratch import Server
from alembic_fixups.squash import description, dump
from alembic_fixups.squash.description import Object


@dataclass(frozen=True)
class Fingerprint:
    """A catalog that others are compared with.

    Attributes:
        postgresql: the major version of its server.
        version_table: schema and name of Alembic's own table, which is no part of it.
        objects: what is in it, as the revisions leave it.
        also: the same after a dump and a restore, where PostgreSQL words it otherwise then.
    """

    postgresql: int
    version_table: tuple[str, str]
    objects: tuple[Object, ...]
    also: tuple[Object, ...]

    @classmethod
    def take(
        cls, server: Server, url: URL, bindir: Path, version_table: tuple[str, str]
    ) -> Fingerprint:
        """The fingerprint of a scratch database.

        Raises:
            ProjectError: it cannot be dumped, or its dump not restored.
        """
        runner = server.url.username or ""
        with scratch.connect(url) as connection:
            objects = description.describe(connection, version_table)
        with dump.copy(server, url, bindir) as copy, scratch.connect(copy) as connection:
            restored = description.describe(connection, version_table)
        objects = description.without_runner(objects, runner)
        restored = description.without_runner(restored, runner)
        same = set(objects)
        return cls(
            server.version,
            version_table,
            tuple(objects),
            tuple(one for one in restored if one not in same),
        )

    def drift(self, url: URL, *, besides: bool = True) -> list[str]:
        """What a database has otherwise, as the lines of a diff; none where it has not.

        Args:
            url: the database.
            besides: whether what it has besides counts.

        Raises:
            ScratchError: nothing answers there.
        """
        with scratch.connect(url) as connection:
            found = description.describe(connection, self.version_table)
            major = connection.info.server_version // 10_000
            [(runner,)] = connection.execute("SELECT current_user")
        restored = {(one.kind, one.name): one for one in (*self.objects, *self.also)}
        # The role that runs the revisions may also be one that they name.
        drifts, others = (
            description.drift(
                self.objects,
                spelling,
                also=tuple(restored.values()),
                same_major=major == self.postgresql,
            )
            for spelling in (found, description.without_runner(found, str(runner)))
        )
        both = {(one.kind, one.name) for one in others}
        return description.as_diff(
            one
            for one in drifts
            if (one.kind, one.name) in both and (besides or one.expected is not None)
        )

    def to_json(self) -> dict[str, Any]:
        """As a value that JSON can hold."""
        return {
            "postgresql": self.postgresql,
            "version_table": list(self.version_table),
            "objects": [[one.kind, one.name, one.definition] for one in self.objects],
            "also": [[one.kind, one.name, one.definition] for one in self.also],
        }

    @classmethod
    def from_json(cls, value: Any) -> Fingerprint:
        """What :meth:`to_json` gave.

        Raises:
            ProjectError: it is something else.
        """
        try:
            schema, name = value["version_table"]
            return cls(
                int(value["postgresql"]),
                (schema, name),
                tuple(Object(*one) for one in value["objects"]),
                tuple(Object(*one) for one in value["also"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ProjectError(
                "catalog.json of the archive is no fingerprint of a catalog. Get the archive "
                "back from version control."
            ) from error
