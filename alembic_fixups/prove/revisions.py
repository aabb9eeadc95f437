"""Which revisions are proven."""

from __future__ import annotations

from alembic.script import Script, ScriptDirectory

from alembic_fixups.project import ProjectError


def choose(script: ScriptDirectory, wish: str | None) -> list[Script]:
    """The revisions that are meant, each after those that it needs.

    Args:
        script: the project's revisions.
        wish: a revision, or a range ``REV:REV`` with both its ends, as ``alembic history -r`` has
            it; either end may be left out. None means the newest revision.

    Raises:
        ProjectError: there is none.
        CommandError: there is no such revision.
    """
    if wish is None:
        heads = script.get_revisions(script.get_heads())
        if len(heads) > 1:
            names = ", ".join(sorted(head.revision for head in heads))
            raise ProjectError(f"There are several newest revisions ({names}): name one of them.")
        found = list(heads)
    elif ":" in wish:
        lower, _, upper = wish.partition(":")
        found = list(script.walk_revisions(lower or "base", upper or "heads"))[::-1]
    else:
        found = [one for one in script.get_revisions(wish) if one is not None]
    if not found:
        raise ProjectError(f"There is no revision{f' in {wish}' if wish else ''}.")
    return found
