"""The scratch servers that chains are replayed on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.project import ProjectError
from alembic_fixups.scratch import ScratchError, Server
from alembic_fixups.squash import surroundings

REPLAYER = "alembic_fixups"
"""The role that chains are replayed as on the embedded servers: a name that no migration has."""


SECOND_REPLAYER = f"{REPLAYER}_again"
"""The same for a second replay: so a row that holds current_user shows that it does."""

_OIDS_APART = 5


@dataclass(frozen=True)
class Site:
    """Where one chain is replayed.

    Attributes:
        server: the server; its URL is that of the role that replays.
        roles: the roles that it had before.
        said: what was said of them.
    """

    server: Server
    roles: frozenset[str]
    said: frozenset[surroundings.Said]

    @property
    def replayer(self) -> str:
        """The role that replays, which owns what is made."""
        return self.server.url.username or ""


@contextmanager
def sites(
    count: int, *, url: str | None, version: int, roles: Sequence[str]
) -> Iterator[list[Site]]:
    """So many sites to replay on, for a ``with`` block.

    Roles belong to a server, not to a database; so each site is an embedded server of its own,
    where the chain may make roles. With *url* all are the server that it names, where it may not.

    Args:
        count: how many.
        url: a server to make databases on.
        version: the major version of the embedded servers.
        roles: roles that the migrations expect to be there.

    Raises:
        ProjectError: no server is to be had, a role cannot be made, or the server at *url* lacks
            one, or has got one in the end.
    """
    with ExitStack() as stack:
        try:
            if url is not None:
                found = [_named(url, roles)] * count
            else:
                found = [_embedded(stack, version, roles, number == 1) for number in range(count)]
        except ScratchError as error:
            raise ProjectError(f"{error} (--scratch-url)") from error
        try:
            yield found
        except ProjectError as error:
            if url is not None:
                _require_no_roles(found[0], error)
            raise
        if url is not None:
            _require_no_roles(found[0], None)


def _named(url: str, roles: Sequence[str]) -> Site:
    server = scratch.at(url)
    with scratch.connect(server.url) as connection:
        there = surroundings.roles(connection)
        [(user,)] = connection.execute("SELECT current_user")
        said = frozenset(surroundings.said_of_roles(connection))
    if missing := sorted(set(roles) - there):
        raise ProjectError(
            f"{server.url!r} has no role {', '.join(missing)}, which roles in "
            "[tool.alembic-fixups.squash] names. Make it there, or use the embedded server."
        )
    return Site(replace(server, url=server.url.set(username=user)), frozenset(there), said)


def _require_no_roles(site: Site, error: ProjectError | None) -> None:
    with scratch.connect(site.server.url) as connection:
        made = sorted(surroundings.roles(connection) - site.roles)
    if made:
        raise ProjectError(
            f"While the revisions were replayed the server got the roles {', '.join(made)}. Roles "
            "are shared by all its databases, so no two replays on it are the same. Drop them "
            "there if they are not yours, and use the embedded server (no --scratch-url). Or leave "
            "them there and name them under roles in [tool.alembic-fixups.squash]: the snapshot "
            "then takes them for granted." + (f"\n{error}" if error else "")
        ) from error


def require_known(site: Site, url: URL, roles: Sequence[str]) -> None:
    """Makes sure that the roles that a replay has used are made by the chain, or are the user's.

    One that the server had before looks as if the chain took it for granted, though it may be one
    that an earlier replay has left there; the snapshot would not make it.

    Args:
        site: where the chain was replayed.
        url: the scratch database.
        roles: the roles that the migrations expect to be there.

    Raises:
        ProjectError: it uses another role that was there before.
    """
    with scratch.connect(url) as connection:
        used = surroundings.named(connection)
    if unknown := sorted(used & site.roles - {site.replayer, *roles}):
        raise ProjectError(
            f"The revisions use the roles {', '.join(unknown)}, which the server had before. Where "
            "the revisions make them, drop them there and use the embedded server (no "
            "--scratch-url). Where they are to be there first, name them under roles in "
            "[tool.alembic-fixups.squash]: the snapshot then takes them for granted."
        )


def _embedded(stack: ExitStack, version: int, roles: Sequence[str], again: bool) -> Site:
    server = stack.enter_context(scratch.embedded(version))
    replayer = SECOND_REPLAYER if again else REPLAYER
    with scratch.connect(server.url) as connection:
        for number in range(_OIDS_APART if again else 0):
            # So no OID is the same, and one that a row holds shows as well.
            passing = f"{SECOND_REPLAYER}_{number}"
            _make_role(connection, passing, "")
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(passing)))
        _make_role(connection, replayer, "SUPERUSER LOGIN")
        for role in sorted(set(roles) - surroundings.roles(connection)):
            try:
                _make_role(connection, role, "")
            except psycopg.Error as error:
                raise ProjectError(
                    f"roles in [tool.alembic-fixups.squash] names {role!r}: {str(error).strip()}"
                ) from error
        there = frozenset(surroundings.roles(connection))
        said = frozenset(surroundings.said_of_roles(connection))
    return Site(replace(server, url=server.url.set(username=replayer)), there, said)


def _make_role(connection: psycopg.Connection[Any], name: str, attributes: str) -> None:
    create = sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(name), sql.SQL(attributes))
    connection.execute(create)
