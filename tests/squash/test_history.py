"""Which revisions are folded, on real revision files."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from alembic.script.revision import Revision, RevisionMap
from hypothesis import event, given, settings
from hypothesis import strategies as st

from alembic_fixups.project import ProjectError
from alembic_fixups.squash.dates import made_on
from alembic_fixups.squash.history import Range, Wish, choose

TODAY = date(2026, 8, 31)
OLD = "Create Date: 2024-01-01 10:00:00"


@dataclass(frozen=True)
class Rev:
    """A revision file to write."""

    id: str
    down: Any = None
    labels: Any = None
    depends: Any = None
    doc: str = OLD
    name: str = ""


def write(folder: Path, *revisions: Rev) -> ScriptDirectory:
    versions = folder / "versions"
    versions.mkdir(exist_ok=True)
    for rev in revisions:
        (versions / (rev.name or f"{rev.id}_x.py")).write_text(
            f'"""x\n\n{rev.doc}\n"""\nrevision = {rev.id!r}\ndown_revision = {rev.down!r}\n'
            f"branch_labels = {rev.labels!r}\ndepends_on = {rev.depends!r}\n"
        )
    return ScriptDirectory(str(folder))


def chain(*ids: str, **more: Any) -> list[Rev]:
    downs = [None, *ids]
    return [Rev(one, down, **more) for one, down in zip(ids, downs, strict=False)]


def dated(*days: str) -> list[Rev]:
    """r1, r2, ... one on the other, made on these days."""
    return [
        Rev(f"r{n}", f"r{n - 1}" if n > 1 else None, doc=f"Create Date: {day} 09:14:31.4+02:00")
        for n, day in enumerate(days, 1)
    ]


def to(script: ScriptDirectory, target: str, start: str | None = None) -> Range:
    return choose(script, Wish(to=target, start=start), TODAY)


def refusal(script: ScriptDirectory, today: date = TODAY, **wish: Any) -> str:
    with pytest.raises(ProjectError) as raised:
        choose(script, Wish(**wish), today)
    return str(raised.value)


def test_a_line_is_folded_up_to_the_target(tmp_path: Path) -> None:
    script = write(tmp_path, *chain("a", "b", "c", "d"))
    assert to(script, "c") == Range("c", ("a", "b", "c"), (), (), ())


@pytest.mark.parametrize("name", ["cccc1111", "cccc", "head", "heads", "x@head", "x"])
def test_a_target_is_named_as_alembic_names_revisions(tmp_path: Path, name: str) -> None:
    script = write(tmp_path, *chain("aaaa1111", "bbbb1111"), Rev("cccc1111", "bbbb1111", "x"))
    assert to(script, name).target == "cccc1111"


@pytest.mark.parametrize(
    "name", ["base", "heads", "head", "nope", "zz@head", "", "a@", "-1", "x@a", "-99"]
)
def test_a_name_that_is_not_one_revision_is_refused(tmp_path: Path, name: str) -> None:
    script = write(tmp_path, *chain("a", "b"), Rev("c", "a"))
    assert refusal(script, to=name).startswith(f"--to {name}: ")


def test_branches_and_merges_may_lie_inside(tmp_path: Path) -> None:
    revisions = chain("a", "b"), [Rev("c", "a"), Rev("d", ("b", "c")), Rev("e", ["d"])]
    found = to(write(tmp_path, *revisions[0], *revisions[1]), "d")
    assert found.revisions[0] == "a" and found.revisions[-1] == "d"
    assert set(found.revisions) == {"a", "b", "c", "d"}


def test_a_branch_below_the_target_is_named_with_the_targets_around_it(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        *chain("a", "b", "c", "d"),
        Rev("side", "b", depends="a"),
        *[Rev("m", ("d", "side")), Rev("n", "m")],
    )
    said = refusal(script, to="d")
    folder = tmp_path / "versions"
    assert f"revision side ({folder}/side_x.py) has down_revision b, which lies inside" in said
    assert f"revision side ({folder}/side_x.py) has depends_on a" in said
    assert f"--to m ({folder}/m_x.py) is the nearest later target" in said
    assert f"--to b ({folder}/b_x.py)" not in said  # side depends on a
    assert to(script, "m").revisions[-1] == "m"


def test_of_many_edges_ten_are_named(tmp_path: Path) -> None:
    sides = [Rev(f"side{n:02}", "a") for n in range(13)]
    said = refusal(write(tmp_path, *chain("a", "b", "c"), *sides), to="c")
    assert said.count("which lies inside the range") == 10
    assert "and 3 more" in said and "alembic merge" in said


@pytest.mark.parametrize("depends", ["b", ("b",), "billing"])
def test_a_dependency_from_outside_is_an_edge(tmp_path: Path, depends: Any) -> None:
    revisions = [Rev("a"), Rev("b", "a", "billing"), Rev("c", "b"), Rev("x", depends=depends)]
    script = write(tmp_path, *revisions)
    said = refusal(script, to="c")
    assert "has depends_on b" in said and "--to b (" in said
    assert to(script, "b").labels == ("billing",)


def test_what_a_target_depends_on_is_folded_with_it(tmp_path: Path) -> None:
    script = write(tmp_path, *chain("a1", "a2"), Rev("b1"), Rev("b2", "b1", depends=("a2",)))
    assert set(to(script, "b2").revisions) == {"a1", "a2", "b1", "b2"}


def test_of_unrelated_trees_the_longer_range_is_folded(tmp_path: Path) -> None:
    short = [Rev(one.id, one.down, doc="Create Date: 2025-01-01") for one in chain("s1", "s2")]
    script = write(tmp_path, *chain("a1", "a2", "a3"), *short)
    assert choose(script, Wish(), TODAY).target == "a3"
    assert choose(script, Wish(keep=3), TODAY).target == "s2"


def test_by_default_six_months_stay(tmp_path: Path) -> None:
    days = "2026-01-31", "2026-02-27", "2026-02-28", "2026-01-01"
    script = write(tmp_path, *dated(*days))
    assert choose(script, Wish(), TODAY).target == "r2"
    assert choose(script, Wish(), date(2026, 9, 1)).target == "r4"
    assert "r2_x.py) was made on 2026-02-27" in refusal(script, date(2026, 8, 27))
    assert "r1_x.py) was made on 2026-01-31" in refusal(script, date(2026, 7, 31))


def test_all_that_is_asked_for_counts(tmp_path: Path) -> None:
    days = [f"2026-0{month}-01" for month in range(1, 9)]
    script = write(tmp_path, *dated(*days))
    for wish, target in {
        Wish(keep=0): "r8",
        Wish(keep=3): "r5",
        Wish(since=date(2026, 5, 1)): "r4",
        Wish(since=date(2026, 5, 1), keep=5): "r3",
        Wish(since=date(2026, 5, 2), keep=1): "r5",
        Wish(to="r6", keep=1): "r6",
        Wish(to="r6", keep=4): "r4",
        Wish(to="r6", since=date(2026, 4, 1)): "r3",
        Wish(start="r3", keep=2): "r6",
        Wish(start="r1", keep=2): "r6",
    }.items():
        assert choose(script, wish, TODAY).target == target, wish


def test_nothing_to_squash_says_why(tmp_path: Path) -> None:
    script = write(tmp_path, *dated("2026-07-01", "2026-08-01", "2026-08-02"))
    assert "r1_x.py) was made on 2026-07-01" in refusal(script)
    assert "it would leave 1 revisions above it, not 2" in refusal(script, keep=2)
    assert "r1 (" in refusal(script, to="r1") and "only one in the range" in refusal(
        script, to="r1"
    )
    assert "--to r2" in refusal(script, to="r1")
    (tmp_path / "forked").mkdir()
    forked = write(tmp_path / "forked", Rev("a"), Rev("b", "a"), Rev("c", "a"))
    assert "has down_revision a" in refusal(forked) and "alembic merge" in refusal(forked)
    (tmp_path / "empty").mkdir()
    assert "there is no revision" in refusal(write(tmp_path / "empty"))


def test_mid_chain_stands_on_what_its_first_revision_stood_on(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        *[Rev("a"), Rev("b", "a"), Rev("c", "a"), Rev("m", ("b", "c"), depends="o1")],
        *[Rev("n", "m", depends=("o2", "b")), Rev("p", "n"), *chain("o1", "o2")],
    )
    found = to(script, "n", start="m")
    # Both are written; Alembic itself passes over o1, which o2 needs.
    assert found == Range("n", ("m", "n"), ("b", "c"), (), ("o1", "o2"))
    assert to(script, "n", start="a") == to(script, "n")


def test_mid_chain_needs_one_way_in_and_one_way_out(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        *chain("a", "s", "t", "u"),
        *[Rev("q", "a"), Rev("m", ("t", "q")), Rev("w", "m"), Rev("late", "t")],
    )
    said = refusal(script, to="w", start="s")
    assert "m_x.py) has down_revision q, which lies outside the range" in said
    assert "late_x.py) has down_revision t, which lies inside the range" in said
    assert to(script, "t", start="s").down_revision == ("a",)
    assert "no ancestor" in refusal(script, to="t", start="q")


def test_labels_inside_go_to_the_snapshot(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        *[Rev("a", None, "None"), Rev("b", "a", ("two", "one")), Rev("c", "b", "three")],
        *[Rev("d", "c", "above"), Rev("e", "c")],
    )
    assert to(script, "c").labels == ("None", "one", "three", "two")


def test_a_label_that_would_spread_is_refused(tmp_path: Path) -> None:
    by_dependency = [Rev("a1", None, "left"), Rev("a2", "a1"), Rev("b1", depends="a2")]
    script = write(tmp_path, *by_dependency, Rev("b2", "b1"), Rev("b3", "b2"))
    said = refusal(script, to="b2")
    assert "branch label left of revision a1" in said and "a1_x.py" in said and "b2" in said


def test_a_label_that_comes_down_to_a_merging_target_is_no_hindrance(tmp_path: Path) -> None:
    base = [Rev("a"), Rev("b", "a"), Rev("c", "a"), Rev("m", ("b", "c"))]
    script = write(tmp_path, *base, Rev("n", "m", "next"))
    assert to(script, "m").labels == ()


@pytest.mark.parametrize(
    ("doc", "name", "expected"),
    [
        ("Create Date: 2025-07-08 09:14:31.402817+00:00", "x.py", date(2025, 7, 8)),
        ("Create Date: 2015-08-05", "2020_01_01_x.py", date(2015, 8, 5)),
        ("", "2025_07_08_f4fbdcb1f5c6_x.py", date(2025, 7, 8)),
        ("", "20250708_x.py", date(2025, 7, 8)),
        ("", "2025-07-08-x.py", date(2025, 7, 8)),
        ("", "202507081030_x.py", date(2025, 7, 8)),
        ("", "20250708T103000-x.py", date(2025, 7, 8)),
        ("Create Date: 2025-13-45", "2025_07_08_1030_x.py", date(2025, 7, 8)),
        ("", "20250708abcd_x.py", None),  # a revision id
        ("", "20259999_x.py", None),
        ("", "1612101112_x.py", None),
        ("", "x_2025_07_08.py", None),
    ],
)
def test_when_a_revision_was_made(
    tmp_path: Path, doc: str, name: str, expected: date | None
) -> None:
    script = write(tmp_path, Rev("a", doc=doc, name=name))
    assert made_on(script.get_revision("a")) == expected


def git(folder: Path, *arguments: str, day: str = "2025-03-04") -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    moment = f"{day}T12:00:00"
    env = {**os.environ, "GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
    subprocess.run(["git", *who, *arguments], cwd=folder, env=env, check=True, capture_output=True)


def test_git_knows_when_undated_revisions_were_added(tmp_path: Path) -> None:
    project = tmp_path / "größe [1]"
    project.mkdir()
    script = write(project, *chain("a", "b", doc=""))
    said = refusal(script)
    assert "a_x.py: nothing says when it was made" in said and "--keep" in said
    assert choose(script, Wish(keep=0), TODAY).target == "b"
    git(tmp_path, "init", "-q")
    for day, more in [("2025-03-04", []), ("2026-08-01", [Rev("c", "b", doc="")])]:
        script = write(project, *more)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-qm", "more", day=day)
    assert choose(script, Wish(), TODAY).target == "b"
    assert choose(script, Wish(since=date(2025, 3, 5)), TODAY).target == "b"
    assert "made on 2025-03-04" in refusal(script, since=date(2025, 3, 4))
    assert "d_x.py: nothing says" in refusal(write(project, Rev("d", "c", doc="")))


@pytest.mark.parametrize(
    ("revisions", "said"),
    [
        ([Rev("a", "gone")], "a_x.py: revision a has down_revision gone"),
        ([Rev("a"), Rev("b", "a", depends="gone")], "b_x.py: revision b has depends_on gone"),
        ([Rev("a"), Rev("b", "x")], "down_revision x"),
        ([Rev("a"), Rev("a", name="again.py")], "a_x.py and {}/again.py have the same"),
        ([Rev("a", ("b", "c")), Rev("b", "a"), Rev("c")], "in a circle"),
        ([Rev("a", depends="b"), Rev("b", depends="a")], "a_x.py, {}/b_x.py"),
        ([Rev("a", "a")], "Self-loop"),
        ([Rev("a", None, "x"), Rev("b", "a", "x")], "Branch name 'x'"),
        ([Rev("a-b")], "not allowed in revision identifier 'a-b'"),
        ([Rev("a", doc='"""\n1 / 0\n"""')], "a_x.py:4: ZeroDivisionError"),
        ([Rev("a", doc='"""\n(\n"""')], "a_x.py:4: SyntaxError"),
    ],
)
def test_a_broken_history_is_explained(tmp_path: Path, revisions: list[Rev], said: str) -> None:
    script = write(tmp_path, *revisions)
    assert said.format(tmp_path / "versions") in refusal(script, keep=0)


def test_the_files_are_run_once(tmp_path: Path) -> None:
    script = write(tmp_path, *chain("a", "b"))
    choose(script, Wish(keep=0), TODAY)
    for path in (tmp_path / "versions").glob("*.py"):
        path.unlink()
    assert script.get_heads() == ["b"]


def test_a_long_history_is_chosen_from_at_once(tmp_path: Path) -> None:
    line = chain(*(f"r{n:03}" for n in range(580)))
    heads = [Rev(f"h{n}", f"r{500 + n:03}", f"label{n}", f"r{n + 500:03}") for n in range(20)]
    line[40:80] = [Rev(one.id, one.down, depends=f"r{n:03}") for n, one in enumerate(line[40:80])]
    script = write(tmp_path, *line, *heads)
    loaded = list(script.revision_map._generator())
    script.revision_map = RevisionMap(lambda: loaded)
    began = time.perf_counter()
    assert choose(script, Wish(), TODAY).target == "r500"
    assert time.perf_counter() - began < 1


@st.composite
def histories(draw: st.DrawFn) -> list[Rev]:
    """Up to nine revisions; each stands on some before it and depends on some."""
    revisions: list[Rev] = []
    for n in range(draw(st.integers(2, 9))):
        last = [one.id for one in revisions[-3:]]
        some = st.lists(st.sampled_from(last), unique=True, max_size=2) if last else st.just([])
        # Mostly one on the other: of revisions at random few have anything that can be folded.
        down = draw(st.one_of(st.just(last[-1:]), st.just(last[-1:]), some))
        depends = draw(some) if draw(st.integers(0, 3)) == 0 else []
        label = f"l{n}" if draw(st.integers(0, 3)) == 0 else None
        revisions.append(Rev(f"r{n}", tuple(down) or None, label, tuple(depends) or None))
    return revisions


@settings(max_examples=150, deadline=None)
@given(histories(), st.integers(0, 3), st.none() | st.integers(1, 5))
def test_in_any_history_the_snapshot_can_take_the_place_of_the_range(
    revisions: list[Rev], keep: int, first: int | None
) -> None:
    needs = {one.id: {*(one.down or ()), *(one.depends or ())} for one in revisions}
    start = f"r{first}" if needs.get(f"r{first}") else None
    with tempfile.TemporaryDirectory() as folder:
        script = write(Path(folder), *revisions)
        try:
            found = choose(script, Wish(start=start, keep=keep), TODAY)
        except ProjectError as error:
            event("refused for a label" if "branch label" in str(error) else "nothing to fold")
            if "branch label" not in str(error):
                assert not longest(revisions, start, keep)
            return
    event("folded from the bases" if start is None else "folded in mid-chain")
    folded, target = set(found.revisions), found.target
    assert len(folded) == longest(revisions, start, keep)
    for place, one in enumerate(found.revisions):
        assert needs[one] & folded <= set(found.revisions[:place])
    staying = {one.id for one in revisions} - folded
    for one in staying:
        assert needs[one] & folded <= {target}

    before = script.revision_map
    snapshot = Revision(target, found.down_revision, found.dependencies, found.labels)
    rest = [Revision(one.id, one.down, one.depends, one.labels) for one in revisions]
    after = RevisionMap(lambda: [snapshot, *(one for one in rest if one.revision in staying)])
    assert set(after.heads) == set(before.heads) - (folded - {target})
    assert set(after._real_heads) == set(before._real_heads)
    for name in staying:
        old, new = before.get_revision(name), after.get_revision(name)
        assert old is not None and new is not None
        assert old.branch_labels == new.branch_labels
        assert (old.is_head, old.is_branch_point) == (new.is_head, new.is_branch_point)
        reached, again = ancestors(before, name), ancestors(after, name)
        assert reached - folded == again - {target}
        assert (target in reached) == (target in again)
    assert ancestors(before, target) - folded == ancestors(after, target) - {target}
    for label in (one.labels for one in revisions if one.labels):
        old_heads = {one.revision for one in before.get_revisions(f"{label}@heads")}
        new_heads = {one.revision for one in after.get_revisions(f"{label}@heads")}
        assert old_heads - folded == new_heads - {target}
        # A head inside that only a depends_on leads on from is a part of the snapshot now.
        assert bool(old_heads) == bool(new_heads)


def ancestors(revisions: RevisionMap, name: str) -> set[str]:
    nodes = revisions._get_ancestor_nodes([revisions.get_revision(name)], include_dependencies=True)
    return {one.revision for one in nodes} - {name}


def longest(revisions: list[Rev], start: str | None, keep: int) -> int:
    """How many revisions the longest range has, found from the definition; 0 for none."""
    down = {one.id: set(one.down or ()) for one in revisions}
    needs = {one.id: down[one.id] | set(one.depends or ()) for one in revisions}
    reached: dict[str, set[str]] = {}
    for one in needs:
        reached[one] = {one}.union(*(reached[parent] for parent in needs[one]))
    sizes = [0]
    for target in needs:
        inside = {one for one in reached[target] if start is None or start in reached[one]}
        entered = any(needs[one] & inside - {target} for one in needs.keys() - inside)
        left = any(down[one] - inside for one in inside - {start}) if start else False
        if len(inside) > 1 and not entered and not left:
            sizes += [len(inside)] * (len(needs) - len(reached[target]) >= keep)
    return max(sizes)
