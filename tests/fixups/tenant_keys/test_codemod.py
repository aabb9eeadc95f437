"""The source of the models with their tenant keys, and how the models behave with it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.codemods.rewriting import ROOT, Done, Idiom, Sources, rewrite_all
from tests.fixups.tenant_keys.codemod_idioms import BASE, IDIOMS, SETTINGS

BY_HAND = {
    "aliased",
    "comment_listed",
    "commented",
    "even",
    "joined",
    "locker_keys",
    "lockers",
    "made",
    "nodes",
}
"""Tables of which something is refused, or that would get a key that one of these refers to."""

TENANCY = """
from sqlalchemy import ForeignKey, Integer
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.base import Base


class ClientAccount(Base):
    __tablename__ = "client_accounts"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)


class Engagement(Base):
    __tablename__ = "engagements"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
    client_account: Mapped[ClientAccount] = relationship()
    assets: Mapped[list["Asset"]] = relationship(back_populates="engagement")


class Asset(Base):
    __tablename__ = "assets"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
    engagement_id: Mapped[int | None] = mapped_column(ForeignKey("engagements.id"))
    client_account: Mapped[ClientAccount] = relationship()
    engagement: Mapped[Engagement | None] = relationship(back_populates="assets")
"""

NAMING_BASE = """
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "ix": "%(constraint_name)s_idx",
            "uq": "%(constraint_name)s_key",
        }
    )


metadata = Base.metadata
"""

LEVELS = """
[tool.alembic-fixups.tenant-keys]
levels = [
  { table = "client_accounts", column = "client_account_id" },
  { table = "engagements",     column = "engagement_id" },
]
"""

BEHAVIOUR = """
import json, sys, warnings
warnings.simplefilter("error")
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
import app.models
from app.base import metadata
from app.models.tenancy import Asset, ClientAccount, Engagement

engine = create_engine(sys.argv[1])
metadata.create_all(engine)
found = {}
with Session(engine) as session:
    one, other = ClientAccount(id=1), ClientAccount(id=2)
    mine = Engagement(id=10, client_account=one)
    theirs = Engagement(id=20, client_account=other)
    asset = Asset(id=100, client_account=one, engagement=mine)
    session.add_all([one, other, mine, theirs, asset])
    session.commit()

    asset.engagement = theirs
    try:
        session.flush()
    except IntegrityError as error:
        found["refused"] = error.orig.diag.constraint_name
    session.rollback()

    asset.engagement = None
    session.commit()
    found["after None"] = [asset.client_account_id, asset.engagement_id]

    asset.engagement = mine
    session.commit()
    mine.id, asset.engagement_id  # both are loaded
    said = []
    event.listen(engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    found["same"] = asset.engagement is mine
    found["queries"] = len(said)

    session.delete(mine)
    session.commit()
    found["after delete"] = [asset.client_account_id, asset.engagement_id]
print(json.dumps(found))
"""

SAMPLE = """
import json, pathlib, warnings
warnings.simplefilter("error")
from sqlalchemy.orm import configure_mappers
import app.models
from app.database import Base
from alembic_fixups import settings
from alembic_fixups.target import Target
from tests.laws.describe import describe

configure_mappers()
target = Target(Base.metadata)
for fixup, chosen in settings.load(settings.find(pathlib.Path.cwd())).active:
    fixup.rewrite(target, chosen, 16)
print(json.dumps([
    {key: [table["keys on columns"], table["constraints"], table["indexes"]]
     for key, table in describe(metadata, types=str).items()}
    for metadata in (Base.metadata, target.metadata)
]))
"""


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sources, Done]:
    """All idioms in a project, and the run that rewrote them."""
    return rewrite_all(tmp_path_factory.mktemp("idioms"), SETTINGS, IDIOMS, BASE)


@pytest.mark.parametrize("idiom", IDIOMS, ids=lambda idiom: idiom.name)
def test_an_idiom(rewritten: tuple[Sources, Done], idiom: Idiom) -> None:
    sources, done = rewritten
    expected = idiom.before if idiom.after is None else idiom.after
    assert sources.text(idiom.name) == sources.dedented(expected)
    file = f"app/models/{idiom.name}.py"
    reasons = [one["reason"] for one in done.json["refusals"] if one["file"] == file]
    assert any(idiom.refused in reason for reason in reasons) == bool(idiom.refused), reasons


def test_a_mixin_is_changed_for_all_its_tables_or_not_at_all(
    rewritten: tuple[Sources, Done],
) -> None:
    sources, done = rewritten
    text = (sources.folder / "app" / "base.py").read_text()
    assert "        return mapped_column(String(36), nullable=False)\n" in text
    assert 'relationship("Engagement", foreign_keys=lambda: cls.engagement_id)' in text
    assert 'engagement_id = Column(ForeignKey("engagements.id"))' in text
    [reason] = [one["reason"] for one in done.json["refusals"] if one["file"] == "app/base.py"]
    assert "engagement_id is also the column of migration.odd" in reason


def test_law_2_source_and_memory_agree(rewritten: tuple[Sources, Done]) -> None:
    models, wanted = rewritten[0].described()
    differing = {key for key in wanted if models[key] != wanted[key]}
    assert differing == {f"migration.{name}" for name in BY_HAND}


def test_a_second_run_changes_nothing(rewritten: tuple[Sources, Done]) -> None:
    sources, done = rewritten
    before = {name: sources.text(name) for name in sources.names}
    again = sources.codemod("--check", "--json")
    assert (again.code, again.json["files"], again.json["changes"]) == (0, [], [])
    # Lines are counted in the files as they are found.
    reasons = [[one["reason"] for one in run.json["refusals"]] for run in (again, done)]
    assert sorted(reasons[0]) == sorted(reasons[1])
    assert {name: sources.text(name) for name in sources.names} == before


def test_what_was_formatted_is_formatted(rewritten: tuple[Sources, Done]) -> None:
    folder = rewritten[0].folder / "app"
    files = [folder / "base.py", *(rewritten[0].path(name) for name in rewritten[0].names)]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--check", *map(str, files)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.postgres(16)
def test_a_relationship_never_moves_or_clears_the_tenant(tmp_path: Path, database_url: URL) -> None:
    sources = Sources.make(tmp_path, LEVELS, {"tenancy": TENANCY})
    assert sources.codemod().code == 0
    url = database_url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    done = sources.python("-c", BEHAVIOUR, url)
    assert done.code == 0, done.err
    assert done.json == {
        "refused": "fk_assets_client_account_id_engagement_id",
        "after None": [1, None],
        "same": True,
        "queries": 0,
        "after delete": [1, None],
    }


@pytest.mark.slow
def test_a_naming_convention_does_not_change_the_names(tmp_path: Path) -> None:
    sources = Sources.make(tmp_path, LEVELS, {"tenancy": TENANCY}, NAMING_BASE)
    assert sources.codemod("--json").json["refusals"] == []
    text = sources.text("tenancy")
    assert "from sqlalchemy.schema import conv\n" in text
    assert 'name="fk_assets_client_account_id_engagement_id"' in text
    assert 'name=conv("uq_engagements_client_account_id_id")' in text
    assert 'conv("ix_assets_client_account_id_engagement_id")' in text
    models, wanted = sources.described()
    assert models == wanted


@pytest.mark.slow
def test_the_schema_is_named_only_where_the_models_have_it(tmp_path: Path) -> None:
    both = '[tool.alembic-fixups.schema-prefix]\nschema = "migration"\n' + LEVELS
    sources = Sources.make(tmp_path, both, {"tenancy": TENANCY})
    _, wanted = sources.described()
    first = sources.codemod("--fixup", "tenant-keys", "--json")
    assert (first.code, first.json["refusals"]) == (0, [])
    assert '"engagements.client_account_id", "engagements.id"]' in sources.text("tenancy")
    second = sources.codemod("--json")
    assert (second.code, second.json["refusals"]) == (0, [])
    assert '"migration.engagements.id"]' in " ".join(sources.text("tenancy").split())
    assert sources.described() == (wanted, wanted)

    together = Sources.make(tmp_path / "together", both, {"tenancy": TENANCY})
    assert together.codemod("--json").json["refusals"] == []
    assert together.described() == (wanted, wanted)


def test_without_configured_mappers_nothing_is_changed(tmp_path: Path) -> None:
    broken = TENANCY + '    nobody = relationship("Nobody")\n'
    sources = Sources.make(tmp_path, LEVELS, {"tenancy": broken})
    done = sources.codemod("--json")
    assert done.json["files"] == []
    [refusal] = done.json["refusals"]
    assert (refusal["file"], refusal["line"]) == ("app/models/tenancy.py", 20)
    assert "the mappers cannot be configured" in refusal["reason"]
    assert "expression 'Nobody' failed to locate a name" in refusal["reason"]


@pytest.mark.slow
def test_the_sample_project(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    shutil.copytree(ROOT / "sample_project", folder, ignore=shutil.ignore_patterns("__pycache__"))
    sources = Sources(folder)
    assert sources.python("-m", "alembic_fixups.cli", "init", "--yes").code == 0
    done = sources.codemod("--json")
    assert done.code == 0, done.err
    assert [one for one in done.json["refusals"] if one["fixup"] == "tenant-keys"] == []
    keys = [one["title"] for one in done.json["changes"] if one["fixup"] == "tenant-keys"]
    assert len(keys) > 5
    again = sources.codemod("--json")
    assert again.json["files"] == []
    loaded = sources.python("-c", SAMPLE)
    assert loaded.code == 0, loaded.err
    models, wanted = loaded.json
    assert models == wanted
    assert "fk_assets_client_account_id_engagement_id" in str(models["migration.assets"])
    done_format = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--check", str(folder / "app")],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert done_format.returncode == 0, done_format.stdout
