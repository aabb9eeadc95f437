"""The laws, tried on one case."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from alembic.util import CommandError
from hypothesis import reject
from hypothesis.errors import UnsatisfiedAssumption
from sqlalchemy import MetaData, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from alembic_fixups import scratch, settings
from alembic_fixups.comparator import collect_runs
from alembic_fixups.target import Target
from tests.hardening import rows, snapshot, writing
from tests.hardening.drawing import VECTORS
from tests.hardening.schemas import Case, Column, Models, Table
from tests.hardening.snapshot import Snapshot
from tests.laws.describe import describe
from tests.laws.test_law_5_restart import stopping
from tests.projects import Project

OPTIONS = {"configure": {"include_schemas": True}}
IMPORT = "import pgvector.sqlalchemy\nimport sqlalchemy"
RAISE = "exec_stmt_raise"
"""The function of PL/pgSQL's that an error comes from which a RAISE of ours makes: a refusal."""


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        kind: "done", "refused" by autogenerate or the upgrade, or "empty" where the two models are
            one to those who compare.
        message: why it was refused.
    """

    kind: str
    message: str = ""


class Trial:
    """A project with its database and revision, and the laws one after the other."""

    def __init__(
        self, case: Case, project: Project, server: scratch.Server, say: Callable[[str], None]
    ) -> None:
        self.case, self.project, self.server, self.say = case, project, server, say
        prefix = case.chosen.prefix
        self.home_before = prefix.schema if prefix and not prefix.moves else "public"
        self.home_after = prefix.schema if prefix else "public"

    def run(self) -> Outcome:
        """Tries everything.

        Raises:
            AssertionError: a law does not hold.
        """
        project = self.project
        before = self.before = snapshot.take(project.url)
        self.rewrite_is_idempotent()
        try:
            with collect_runs() as runs:
                source = project.autogenerate(**OPTIONS)
        except CommandError as error:
            assert_same(before, snapshot.take(project.url), "after a refused autogenerate")
            return Outcome("refused", str(error))
        self.say(source)
        assert_same(before, snapshot.take(project.url), "after autogenerate")
        codes = {finding.code for run in runs for finding in run.findings}
        if "op." not in source:
            return Outcome("empty")
        refusal = self.refused(before)
        if refusal is not None:
            return Outcome("refused", refusal)
        self.after = snapshot.take(project.url)
        self.no_row_is_lost()
        self.converges(codes)
        self.runs_again()
        self.goes_back()
        project.upgrade()
        assert_same(self.after, snapshot.take(project.url), "after upgrade, downgrade, upgrade")
        if self.case.stops is not None:
            self.restarts(*self.case.stops)
        if self.case.offline:
            self.offline_is_the_same()
        return Outcome("done")

    # --- the laws ---------------------------------------------------------------------------------

    def rewrite_is_idempotent(self) -> None:
        """Law 1."""
        original = self.project.metadata
        untouched = describe(original, complete=False)
        try:
            once = self._rewritten(original)
            described = describe(once)
        except Exception as error:  # what is wrong here autogenerate says again, as it should
            self.say(f"not rewritten: {error}")
            return
        assert describe(self._rewritten(once)) == described, "the rewrite is not idempotent"
        assert describe(original, complete=False) == untouched, "the models were changed"

    def _rewritten(self, metadata: MetaData) -> MetaData:
        target = Target(metadata)
        for fixup, chosen in settings.load(self.project.folder / "pyproject.toml").active:
            fixup.rewrite(target, chosen, self.server.version)
        assert isinstance(target.metadata, MetaData)
        return target.metadata

    def refused(self, before: Snapshot) -> str | None:
        """Upgrades; law 7 where rows stand in the way: nothing is changed, twice.

        Returns:
            Why it was refused, None where it was not.
        """
        messages = []
        for _ in range(2):
            try:
                with stopping(self.project, None) as counter:
                    self.project.upgrade()
            except DBAPIError as error:
                cause = error.orig
                if not isinstance(cause, psycopg.Error) or cause.diag.source_function != RAISE:
                    raise
                assert_same(before, snapshot.take(self.project.url), "after a refusal")
                messages.append(cause.diag.message_primary or "")
            else:
                assert not messages, f"refused once only: {messages}"
                self.statements = counter.seen
                return None
        assert messages[0] == messages[1]
        return messages[0]

    def moves_rows(self) -> bool:
        """Whether the settings say that rows are moved, which stays when a later step refuses."""
        tenants = self.case.chosen.tenants
        return tenants is not None and tenants.wrong and tenants.violations != "abort"

    def clears_vectors(self) -> bool:
        """Whether the settings say that vectors are lost."""
        vectors = self.case.chosen.vectors
        return vectors is not None and vectors[0] == "clear"

    def no_row_is_lost(self) -> None:
        """Law 7, for what is in a column still."""
        for table, later in self.surviving():
            if self.moves_rows():
                continue
            columns = [
                one.name
                for one, then in surviving_columns(table, later)
                if one.kind not in VECTORS or (one.kind, one.size) == (then.kind, then.size)
            ]
            there = self.before.rows[table.schema or self.home_before, table.name]
            now = self.after.rows[later.schema or self.home_after, later.name]
            difference = snapshot.differences(there, now, columns)
            assert not difference, f"rows of {table.name} after the upgrade:\n{difference}"

    def converges(self, codes: set[str]) -> None:
        """Law 3; a conversion that waits for a move comes with the second revision."""
        if "moves" in codes:
            self.converges_later()
            return
        again = self._revision("again")
        if again is not None:
            raise AssertionError(f"not converged:\n{again.read_text().split('def upgrade')[1]}")

    def converges_later(self) -> None:
        """What waits for a move: done by a further revision, which may be refused, and undone."""
        path = self._revision("later")
        if path is None:
            return
        statements = self.statements
        if self.refused(self.after) is None:
            assert self.project.is_converged(**OPTIONS), "not converged after two revisions"
            self.project.downgrade()
        self.statements = statements
        path.unlink()
        now = snapshot.take(self.project.url)
        difference = snapshot.catalog_differences(self.after, now)
        assert not difference, f"the catalog after the second revision was undone:\n{difference}"
        if self.clears_vectors():
            self.after = now  # what the second has cleared stays so

    def _revision(self, message: str) -> Path | None:
        """A further revision, None where there is nothing to do."""
        folder = self.project.folder / "migrations" / "versions"
        known = set(folder.glob("*.py"))
        source = self.project.autogenerate(message, **OPTIONS)
        [path] = set(folder.glob("*.py")) - known
        if "op." in source.split("def upgrade")[1]:
            return path
        path.unlink()
        return None

    def runs_again(self) -> None:
        """Law 4, upgrade."""
        self.project.stamp("base")
        self.project.upgrade()
        assert_same(self.after, snapshot.take(self.project.url), "after a second upgrade")

    def goes_back(self) -> None:
        """Law 6, and law 4 for the downgrade."""
        head = self.project.head()
        with stopping(self.project, None) as counter:
            self.project.downgrade("base")
        self.statements_back = counter.seen
        back = self.back = snapshot.take(self.project.url)
        difference = snapshot.catalog_differences(
            self._without_dropped_checks(self.before), self._without_dropped_checks(back)
        )
        assert not difference, f"the catalog after the downgrade:\n{difference}"
        for table, later in self.surviving():
            columns = [
                one.name
                for one, then in surviving_columns(table, later)
                if not self.clears_vectors() or (one.kind, one.size) == (then.kind, then.size)
            ]
            name = table.schema or self.home_before, table.name
            difference = snapshot.differences(self.before.rows[name], back.rows[name], columns)
            assert not difference, f"rows of {name} after the downgrade:\n{difference}"
        self.project.stamp(head)
        self.project.downgrade("base")
        assert_same(back, snapshot.take(self.project.url), "after a second downgrade")

    def _without_dropped_checks(self, taken: Snapshot) -> Snapshot:
        """Without the lists of varchar in checks of tables that were dropped, or lost columns.

        They are made again from PostgreSQL's own words, which are others then, as they are after a
        dump and a restore; but where CHECKs are compared.
        """
        later = {table.id: {one.id for one in table.columns} for table in self.case.after.tables}
        compared = self.case.chosen.checks or self.case.chosen.enum_check
        dropped = tuple(
            f" on {table.schema or self.home_before}.{table.name}".replace('"', "")
            for table in self.case.before.tables
            if table.id not in later
            or (not compared and {one.id for one in table.columns} - later[table.id])
        )
        return replace(
            taken,
            catalog={
                (kind, name): text
                for (kind, name), text in taken.catalog.items()
                if not (
                    kind == "constraint"
                    and "::character varying" in text
                    and name.replace('"', "").endswith(dropped)
                )
            },
        )

    def restarts(self, back: float, forth: float) -> None:
        """Law 5: the backend is ended before a statement, in both directions."""
        for part, count, run, expected in (
            (back, self.statements_back, lambda: self.project.downgrade("base"), self.back),
            (forth, self.statements, self.project.upgrade, self.after),
        ):
            number = 1 + round(part * (count - 1))
            try:
                with stopping(self.project, number) as counter:
                    run()
            except SQLAlchemyError:  # that the connection is gone, in many words
                assert counter.seen >= number
            run()
            now = snapshot.take(self.project.url)
            assert_same(expected, now, f"stopped before statement {number} of {count}")

    def offline_is_the_same(self) -> None:
        """``--sql`` through psql, both ways."""
        project = self.project
        head = project.head()
        project.psql(project.offline(f"{head}:base", downgrade=True), self.server)
        assert_same(self.back, snapshot.take(project.url), "after the downgrade of offline mode")
        project.psql("DROP TABLE alembic_version", self.server)
        project.psql(project.offline("head"), self.server)
        assert_same(self.after, snapshot.take(project.url), "after the upgrade of offline mode")

    def surviving(self) -> Iterator[tuple[Table, Table]]:
        """The tables that both models have."""
        later = {table.id: table for table in self.case.after.tables}
        for table in self.case.before.tables:
            if table.id in later:
                yield table, later[table.id]


def surviving_columns(table: Table, later: Table) -> Iterator[tuple[Column, Column]]:
    """The columns that both forms of a table have."""
    for column in table.columns:
        for one in later.columns:
            if one.id == column.id:
                yield column, one


def assert_same(expected: Snapshot, found: Snapshot, when: str) -> None:
    """Fails where two snapshots differ."""
    difference = snapshot.catalog_differences(expected, found)
    assert not difference, f"the catalog {when}:\n{difference}"
    difference = snapshot.row_differences(expected, found)
    assert not difference, f"the rows {when}:\n{difference}"


def run(
    case: Case, server: scratch.Server, template: str, say: Callable[[str], None] = print
) -> Outcome:
    """Tries the laws on a case.

    Args:
        case: the case.
        server: where its database is made.
        template: a database with the extension vector.
        say: is told the model source and the revision.

    Raises:
        AssertionError: a law does not hold.
    """
    with TemporaryDirectory() as folder, scratch.database(server, template=template) as url:
        project = Project.make(Path(folder) / "project", url, "", writing.settings(case))
        trial = Trial(case, project, server, say)
        _prepare(trial)
        try:
            return trial.run()
        except (AssertionError, UnsatisfiedAssumption):
            raise
        except Exception:
            unexpected = traceback.format_exc()
        # Outside of the handler, without the frames of generated files: Hypothesis takes a failure
        # of a file of another name for another failure.
        raise AssertionError(unexpected)


def _prepare(trial: Trial) -> None:
    case, project = trial.case, trial.project
    before = writing.source(_at_home(case.before, trial.home_before))
    after = writing.source(case.after, trial.home_after)
    trial.say(f"# before\n{before}\n# after\n{after}\n{writing.settings(case)}")
    project.models(before)
    if case.chosen.vectors is None:
        mako = project.folder / "migrations" / "script.py.mako"
        # Without the fixup that is for the user to say, as Alembic's documentation has it.
        mako.write_text(mako.read_text().replace("import sqlalchemy", IMPORT, 1))
    named = {one.schema for models in (case.before, case.after) for one in models.tables}
    named |= {one.schema for one in case.before.enums}
    schemas = {*case.schemas, *filter(None, named), trial.home_before}
    if case.chosen.prefix is not None and case.chosen.prefix.moves:
        schemas.discard(trial.home_after)
    with scratch.connect(project.url) as connection:
        for schema in sorted(schemas - {"public"}):
            connection.execute(f"CREATE SCHEMA {writing.quoted(schema)}".encode())
        engine = create_engine(project.url, poolclass=NullPool)
        with engine.begin() as transaction:
            project.metadata.create_all(transaction)
        try:
            rows.insert(connection, case, trial.home_before)
        except psycopg.IntegrityError:
            if case.chosen.tenants is None or not case.chosen.tenants.wrong:
                raise
            reject()
    project.models(after)


def _at_home(models: Models, home: str) -> Models:
    """The models with the schema written out that they are in by a fixup."""
    if home == "public":
        return models
    return replace(
        models,
        tables=tuple(replace(one, schema=one.schema or home) for one in models.tables),
        enums=tuple(replace(one, schema=one.schema or home) for one in models.enums),
    )
