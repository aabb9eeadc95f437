"""Every case of every fixup, on every version of PostgreSQL that it works on.

Adding a fixup adds ``tests/fixups/<name>/cases.py`` with a list ``CASES``, and nothing here.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from alembic_fixups import scratch
from tests.laws import snapshot
from tests.laws.case import Case
from tests.projects import Project

FIXUPS = Path(__file__).parents[1] / "fixups"
OPTIONS = {"configure": {"include_schemas": True}}


def all_cases() -> list[Case]:
    """The cases of all fixups."""
    cases: list[Case] = []
    for path in sorted(FIXUPS.glob("*/cases.py")):
        spec = importlib.util.spec_from_file_location(f"cases_of_{path.parent.name}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        cases.extend(replace(case, name=f"{path.parent.name}-{case.name}") for case in module.CASES)
    return cases


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("cases")
        cases = [case for case in all_cases() if marker is None or case.name in marker.args]
        metafunc.parametrize("case", cases, ids=lambda case: case.name)


@dataclass
class Prepared:
    """A project with its database as it was, and a revision generated from it."""

    project: Project
    server: scratch.Server
    source: str
    before: tuple[str, list[str]]
    reorders: bool

    def snapshot(self) -> tuple[str, list[str]]:
        """The database as it is."""
        return _taken(self.server, self.project, self.reorders)


@pytest.fixture
def project(
    case: Case, pg_version: int, server: scratch.Server, tmp_path: Path
) -> Iterator[Project]:
    """The case's project on a database made from its earlier models, with its rows."""
    if pg_version not in case.versions:
        pytest.skip(f"the case needs PostgreSQL {case.versions}")
    with scratch.database(server) as url:
        project = Project.make(tmp_path / "project", url, case.before or case.models, case.settings)
        project.create_all(*case.schemas)
        with psycopg.connect(
            url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
        ) as connection:
            connection.execute(case.setup)  # type: ignore[arg-type]
        project.models(case.models)
        yield project


@pytest.fixture
def prepared(case: Case, project: Project, server: scratch.Server) -> Prepared:
    """The project with the revision that autogenerate writes for it."""
    before = _taken(server, project, case.reorders)
    source = project.autogenerate(**OPTIONS)
    return Prepared(project, server, source, before, case.reorders)


def _taken(server: scratch.Server, project: Project, reorders: bool) -> tuple[str, list[str]]:
    take = snapshot.in_any_order if reorders else snapshot.both
    return take(server, project.url)


@pytest.fixture
def copies(server: scratch.Server) -> Callable[[Project], Iterator[Project]]:
    """Gives the project on a copy of its database, as often as asked."""

    def copy(project: Project) -> Iterator[Project]:
        assert project.url.database is not None
        with scratch.database(server, template=project.url.database) as url:
            yield replace(project, url=url)

    return copy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long is for CI: most runs that are stopped at each of their statements.

    A case that need not be tried everywhere has its turn on 16 and on the newest version alone, and
    there without what hardly depends on it. ``make test`` has every law for the basic cases, on 16
    (but law 5 for one alone); for the others, and for the basic ones on 15 and 18, those alone that
    find most. Of these others the rest on 18, 15, and downgrades that are stopped are for the
    nights.
    """
    cases = {case.name: case for case in all_cases()}
    first_with = {case.models: name for name, case in reversed(cases.items())}
    for item in items:
        found = re.search(r"\[(.+)-pg(\d+)", item.name)
        if found is None or found[1] not in cases:
            continue
        case, version = cases[found[1]], int(found[2])
        law = item.function.__name__  # type: ignore[attr-defined]
        is_basic = case.name.rpartition("-")[2] in ("basic", "null")
        if version != 16 and not (is_basic and case.everywhere and law in _EVERYWHERE):
            item.add_marker(pytest.mark.slow)
        if version != 16 and not case.everywhere:
            if version != max(case.versions):
                item.add_marker(pytest.mark.skip(reason="on 16 and the newest version alone"))
            elif law in _ALIKE:
                item.add_marker(pytest.mark.skip(reason="hardly depends on the version"))
        if not is_basic and law not in _ALWAYS:
            item.add_marker(pytest.mark.slow)
        if law in _RESTART and case.name != "tenant_keys-basic":
            item.add_marker(pytest.mark.slow)
        if version != 16 and not is_basic and (version == 15 or law not in _EVERYWHERE):
            item.add_marker(pytest.mark.nightly)
        if law in _RESTART and not is_basic and item.name.endswith("-downgrade]"):
            item.add_marker(pytest.mark.nightly)
        if law == _LAW_2:
            if first_with[case.models] != case.name:
                item.add_marker(pytest.mark.skip(reason="another case has the same models"))
            if case.name != "tenant_keys-basic":
                item.add_marker(pytest.mark.slow)


_RESTART = {
    "test_law_5_a_run_that_was_stopped_can_be_run_again",
    "test_law_5_what_was_half_done_is_done_over",
}
_LAW_2 = "test_law_2_source_and_memory_agree"
_ALWAYS = {
    "test_law_1_the_rewrite_is_idempotent",
    "test_law_3_the_next_autogenerate_is_empty",
    "test_the_findings_are_those_expected",
}
_EVERYWHERE = {
    "test_law_3_the_next_autogenerate_is_empty",
    "test_law_6_the_downgrade_gives_everything_back",
}
_ALIKE = {
    "test_law_1_the_rewrite_is_idempotent",
    "test_the_revision_is_the_same_from_run_to_run",
    "test_the_findings_are_those_expected",
}
