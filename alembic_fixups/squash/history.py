"""Which revisions are folded: everything that one revision, the target, dominates.

Whatever stays may stand on the target, but on nothing else that is folded. So the snapshot, which
takes the target's id, can take the place of the whole range and no file that stays is edited.
"""

from __future__ import annotations

import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from graphlib import CycleError, TopologicalSorter
from operator import or_
from pathlib import Path
from typing import cast

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision, RevisionError, RevisionMap
from alembic.util import CommandError, to_tuple

from alembic_fixups.project import ProjectError
from alembic_fixups.settings import shown
from alembic_fixups.squash import dates

MONTHS_KEPT = 6
_EDGES_NAMED = 10


@dataclass(frozen=True)
class Wish:
    """What the command line asks for.

    Attributes:
        to: the last revision that is folded; with *keep* or *since* the last that may be.
        start: the first revision that is folded, where older ones stay.
        keep: at least so many revisions stay above the range.
        since: revisions made on or after that day stay.
    """

    to: str | None = None
    start: str | None = None
    keep: int | None = None
    since: date | None = None


@dataclass(frozen=True)
class Range:
    """What is folded, and what the snapshot says of itself.

    Attributes:
        target: the id of the last revision, which the snapshot takes.
        revisions: the ids of all that are folded, each after those that it needs; the target last.
        down_revision: what the snapshot stands on; nothing where the range starts at the bases.
        labels: the branch labels that it carries, sorted.
        dependencies: the revisions outside the range that it depends on besides.
    """

    target: str
    revisions: tuple[str, ...]
    down_revision: tuple[str, ...]
    labels: tuple[str, ...]
    dependencies: tuple[str, ...]


@dataclass(frozen=True)
class _Graph:
    """A history. A revision is its place in *scripts*; a set of revisions is an int, a bit each.

    Attributes:
        scripts: all revisions, each after those that it needs.
        down: the down_revision of each.
        needs: the same and what it depends on.
        children: the revisions that need it.
        ancestors: itself, and all that it needs however indirectly.
    """

    scripts: tuple[Script, ...]
    down: tuple[int, ...]
    needs: tuple[int, ...]
    children: tuple[int, ...]
    ancestors: tuple[int, ...]


@dataclass(frozen=True)
class _Span:
    """A range as the graph has it; *start* is None where it starts at the bases."""

    start: int | None
    target: int
    inside: int


def choose(script: ScriptDirectory, wish: Wish, today: date) -> Range:
    """Finds the range to fold.

    A target that is named alone is taken or refused. Else, of all targets that leave what has to
    stay, that which folds the most: of two that contain each other the newer, of two in unrelated
    trees the longer one. Without any wish, what is older than six months may be folded.

    The revision files are loaded, and *script* keeps what was loaded.

    Args:
        script: the revisions.
        wish: what the command line asks for.
        today: the day that six months are counted from.

    Raises:
        ProjectError: the history is broken, nothing can be folded, or the range is not closed.
        CommandError: Alembic finds something wrong with the files.
    """
    graph = _load(script)
    first = None if wish.start is None else _resolve(script, graph, "--from", wish.start)
    # A base that needs nothing: the other bases below the target are folded with it.
    start = first if first is not None and graph.needs[first] else None
    to = None if wish.to is None else _resolve(script, graph, "--to", wish.to)
    if to is not None and first is not None and not graph.ancestors[to] >> first & 1:
        raise ProjectError(
            f"--from {wish.start}: revision {_named(graph, first)} is no ancestor of "
            f"{_named(graph, to)}, so there is no range between them. Name one that is."
        )
    if to is not None and wish.keep is None and wish.since is None:
        span = _span(graph, start, to)
        if span.inside.bit_count() > 1 and not any(_crossing(graph, span)):
            return _range(script, graph, span)
        raise ProjectError(_refusal(graph, span))
    targets = [
        target
        for target, ancestors in enumerate(graph.ancestors)
        if (to is None or graph.ancestors[to] >> target & 1)
        and (first is None or ancestors >> first & 1)
    ]
    return _range(script, graph, _longest(graph, start, targets, wish, today))


def load(script: ScriptDirectory) -> None:
    """Loads the revisions, and says what is wrong with a broken history.

    Raises:
        ProjectError: a file is missing, fails, or is there twice.
        CommandError: Alembic finds something wrong.
    """
    _load(script)


def _load(script: ScriptDirectory) -> _Graph:
    try:
        loaded = cast(list[Script], list(script.revision_map._generator()))
    except (CommandError, ProjectError):
        raise
    except RevisionError as error:
        raise ProjectError(f"{error}. Correct the revision file first.") from error
    except (Exception, SystemExit) as error:
        raise ProjectError(
            f"{_place(script, error)}: {type(error).__name__}: {error}".removesuffix(": ")
        ) from error
    order = _order(loaded)
    # The same objects for whoever asks next: the files are not run a second time.
    script.revision_map = RevisionMap(lambda: loaded)
    try:
        script.get_heads()  # Alembic connects them
    except RevisionError as error:
        raise ProjectError(f"{error}. Correct the revision file first.") from error
    return _graph(loaded, order)


def _graph(loaded: Iterable[Script], order: Sequence[str]) -> _Graph:
    position = {revision: place for place, revision in enumerate(order)}
    scripts = tuple(sorted(loaded, key=lambda one: position[one.revision]))
    down = [_mask(position[name] for name in one._versioned_down_revisions) for one in scripts]
    needs = [_mask(position[name] for name in one._all_down_revisions) for one in scripts]
    children = [0] * len(scripts)
    ancestors: list[int] = []
    for place, needed in enumerate(needs):
        reached = 1 << place
        for parent in _members(needed):
            children[parent] |= 1 << place
            reached |= ancestors[parent]
        ancestors.append(reached)
    return _Graph(scripts, tuple(down), tuple(needs), tuple(children), tuple(ancestors))


def _order(loaded: Sequence[Script]) -> list[str]:
    """All ids, each after those it needs; says what Alembic only warns of or trips over."""
    files: dict[str, list[str]] = defaultdict(list)
    for one in loaded:
        files[one.revision].append(shown(one.path))
    ids = {revision: revision for revision in files}
    named = {label: one.revision for one in loaded for label in one._orig_branch_labels} | ids
    problems = [
        f"{' and '.join(paths)} have the same revision id {revision}"
        for revision, paths in files.items()
        if len(paths) > 1
    ]
    needs: dict[str, list[str]] = {}
    for one in loaded:
        written = [("down_revision", name, ids.get(name)) for name in one._versioned_down_revisions]
        for name in to_tuple(one.dependencies, default=()):
            written.append(("depends_on", name, named.get(name)))
        needs[one.revision] = [found for *_, found in written if found is not None]
        problems += [
            f"{shown(one.path)}: revision {one.revision} has {attribute} {name}, which is in no "
            "revision file (Alembic takes whole ids here)"
            for attribute, name, found in written
            if found is None
        ]
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        paths = ", ".join(dict.fromkeys(path for name in error.args[1] for path in files[name]))
        problems.append(f"{paths}: these revisions need one another in a circle")
    if problems:
        raise ProjectError(
            "\n".join(problems) + "\nBring the missing file back or correct these first: "
            "Alembic cannot upgrade along such a history either."
        )
    return order


def _place(script: ScriptDirectory, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{shown(error.filename or '')}:{error.lineno}"
    folders = [folder.resolve() for folder in script._version_locations]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if any(Path(frame.filename).is_relative_to(folder) for folder in folders):
            return f"{shown(frame.filename)}:{frame.lineno}"
    return "A revision file cannot be loaded"


def _resolve(script: ScriptDirectory, graph: _Graph, option: str, name: str) -> int:
    try:
        found = script.revision_map.get_revisions(name)
    except (RevisionError, AssertionError) as error:  # the latter for an empty name
        raise ProjectError(
            f"{option} {name}: {str(error) or 'names no revision'}. `alembic history` lists them."
        ) from error
    if len(found) != 1 or not isinstance(found[0], Script):
        names = ", ".join(one.revision for one in found if isinstance(one, Script))
        raise ProjectError(
            f"{option} {name}: names {names or 'no revision'}; name one, by its id or as label@head"
        )
    return graph.scripts.index(found[0])


def _span(graph: _Graph, start: int | None, target: int) -> _Span:
    inside = graph.ancestors[target]
    if start is not None:
        inside = _mask(one for one in _members(inside) if graph.ancestors[one] >> start & 1)
    return _Span(start, target, inside)


def _crossing(graph: _Graph, span: _Span) -> Iterator[str]:
    """The edges that keep a range from being folded, in words."""
    for one in _members(span.inside):
        if one != span.target:
            for child in _members(graph.children[one] & ~span.inside):
                yield f"{_edge(graph, child, one)}, which lies inside the range"
        # What a revision in the range depends on outside of it, the snapshot can depend on too.
        if span.start is not None and one != span.start:
            for parent in _members(graph.down[one] & ~span.inside):
                yield f"{_edge(graph, one, parent)}, which lies outside the range"


def _edge(graph: _Graph, child: int, parent: int) -> str:
    attribute = "down_revision" if graph.down[child] >> parent & 1 else "depends_on"
    return f"revision {_named(graph, child)} has {attribute} {graph.scripts[parent].revision}"


def _closed(graph: _Graph, spans: Iterable[_Span]) -> list[_Span]:
    return [span for span in spans if _size(span) > 1 and not any(_crossing(graph, span))]


def _refusal(graph: _Graph, span: _Span) -> str:
    """Why a range is not folded, and which are instead."""
    edges = [f"  {edge}" for edge in _crossing(graph, span)]
    if len(edges) > _EDGES_NAMED:
        edges[_EDGES_NAMED:] = [f"  and {len(edges) - _EDGES_NAMED} more"]
    name = _named(graph, span.target)
    why = f"The range up to revision {name} cannot be folded:\n" + "\n".join(edges)
    if not edges:
        why = f"Nothing to squash: revision {name} is the only one in the range."
        if len(graph.scripts) == 1:
            return why
    targets = [one for one in range(len(graph.scripts)) if one != span.target]
    above = [one for one in targets if graph.ancestors[one] >> span.target & 1]
    below = [one for one in targets if span.inside >> one & 1]
    ways = []
    if later := _closed(graph, (_span(graph, span.start, one) for one in above)):
        found = _named(graph, min(later, key=_size).target)
        ways.append(f"--to {found} is the nearest later target")
    if earlier := _closed(graph, (_span(graph, span.start, one) for one in below)):
        found = _named(graph, max(earlier, key=_size).target)
        ways.append(f"--to {found} is the nearest earlier one")
    if span.start is not None and _closed(graph, [_span(graph, None, span.target)]):
        ways.append("without --from the range can be folded")
    return f"{why}\n{'; '.join(ways) or 'Merge the branches with `alembic merge` first'}."


def _longest(
    graph: _Graph, start: int | None, targets: Sequence[int], wish: Wish, today: date
) -> _Span:
    """The closed range with the most revisions that leaves what has to stay."""
    spans = [_span(graph, start, target) for target in targets]
    closed = _closed(graph, spans)
    if not closed:
        nearest = min(spans, key=lambda span: (_size(span) < 2, _size(span)), default=None)
        raise ProjectError(
            _refusal(graph, nearest) if nearest else "Nothing to squash: there is no revision."
        )
    since = wish.since
    if since is None and wish.keep is None:
        since = dates.months_before(today, MONTHS_KEPT)
    days: dict[int, date] = {}
    if since is not None:
        inside = list(_members(reduce(or_, (span.inside for span in closed))))
        made = dates.days([graph.scripts[one] for one in inside])
        days = dict(zip(inside, made, strict=True))
    too_new = _mask(one for one, day in days.items() if since is not None and day >= since)
    keep = wish.keep or 0
    left = {span: len(graph.scripts) - graph.ancestors[span.target].bit_count() for span in closed}
    fitting = [span for span in closed if not span.inside & too_new and left[span] >= keep]
    if fitting:
        return max(fitting, key=lambda span: (_size(span), span.target))
    nearest = min(closed, key=_size)
    reasons = [
        f"revision {_named(graph, one)} was made on {days[one]}, and what was made since {since} "
        "stays"
        for one in _members(nearest.inside & too_new)
    ][:1]
    if left[nearest] < keep:
        reasons.append(f"it would leave {left[nearest]} revisions above it, not {keep}")
    raise ProjectError(
        "Nothing to squash: the smallest range that can be folded ends at revision "
        f"{_named(graph, nearest.target)}, but {'; '.join(reasons)}. Name the target with --to, "
        "or ask for less with --keep or --since."
    )


def _range(script: ScriptDirectory, graph: _Graph, span: _Span) -> Range:
    inside = [graph.scripts[one] for one in _members(span.inside)]
    below: tuple[str, ...] = ()
    implied = span.inside
    if span.start is not None:
        below = graph.scripts[span.start]._versioned_down_revisions
        implied |= reduce(
            or_, (graph.ancestors[one] for one in _members(graph.down[span.start])), 0
        )
    found = Range(
        target=graph.scripts[span.target].revision,
        revisions=tuple(one.revision for one in inside),
        down_revision=below,
        labels=tuple(sorted({label for one in inside for label in one._orig_branch_labels})),
        dependencies=tuple(
            graph.scripts[one].revision
            for one in _members(
                reduce(or_, (graph.needs[one] for one in _members(span.inside))) & ~implied
            )
        ),
    )
    _require_same_labels(script, graph, span, found)
    return found


def _require_same_labels(script: ScriptDirectory, graph: _Graph, span: _Span, found: Range) -> None:
    """Refuses where the labels would mean something else with the snapshot in the range's place.

    Alembic hands a label up to all descendants, and down as far as there is no branch or merge. The
    target may get those that are handed down to it: it is no merge of inner branches any more.
    """
    snapshot = Revision(found.target, found.down_revision, found.dependencies, found.labels)
    after = RevisionMap(
        lambda: [
            *(
                Revision(
                    one.revision,
                    one._versioned_down_revisions,
                    one._resolved_dependencies,
                    one._orig_branch_labels,
                )
                for place, one in enumerate(graph.scripts)
                if not span.inside >> place & 1
            ),
            snapshot,
        ]
    )._revision_map
    handed_down = {
        label
        for place, one in enumerate(graph.scripts)
        if place != span.target and graph.ancestors[place] >> span.target & 1
        for label in one._orig_branch_labels
    }
    for place, one in enumerate(graph.scripts):
        if span.inside >> place & 1 and place != span.target:
            continue
        replaced = cast(Revision, after[one.revision])
        changed = one.branch_labels ^ replaced.branch_labels
        if place == span.target:
            changed -= handed_down - one.branch_labels
        for label in sorted(changed):
            written = cast(Script, script.revision_map._revision_map[label])
            gains = "lose" if label in one.branch_labels else "get"
            raise ProjectError(
                f"The branch label {label} of revision {written.revision} "
                f"({shown(written.path)}) cannot be kept as it is: with a snapshot at "
                f"{found.target}, revision {one.revision} ({shown(one.path)}) would {gains} it. "
                "Name another range with --to or --from, or take the label out of the file."
            )


def _named(graph: _Graph, one: int) -> str:
    return f"{graph.scripts[one].revision} ({shown(graph.scripts[one].path)})"


def _size(span: _Span) -> int:
    return span.inside.bit_count()


def _mask(members: Iterable[int]) -> int:
    return reduce(or_, (1 << one for one in members), 0)


def _members(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
