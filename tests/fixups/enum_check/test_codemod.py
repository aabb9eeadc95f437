"""The source of the models with enums that are none to the database."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.codemods.rewriting import Done, Idiom, Sources, rewrite_all
from tests.fixups.enum_check.idioms import BASE, IDIOMS, REFUSED

SAMPLE = Path(__file__).parents[3] / "sample_project"

SETTINGS = """
[tool.ruff]
line-length = 92

[tool.alembic-fixups.enum-check]
exclude = ["excluded.stays"]
"""

AFTER_BASE = [
    'shared_type = Enum(Status, name="shared_status", native_enum=False, length=63)\n',
    '    mixed = mapped_column(Enum(Status, name="mixed", native_enum=False, length=63))\n',
    '        return mapped_column(Enum("x", "y", name="declared", native_enum=False, length=63))\n',
    'name="ck_mixed_one_single"',
    'name="ck_annotated_alias"',
    'return Enum(class_, name="made")\n',
]


def formatted(text: str) -> str:
    """The text as ruff lays it out, whatever commas it ends its brackets with."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=92"),
            *("--config", "format.skip-magic-trailing-comma=true", "-"),
        ],
        input=text,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def reasons(done: Done) -> list[str]:
    """What is left to be done by hand; the lines move."""
    return [one["reason"] for one in done.json["refusals"]]


def differing(sources: Sources) -> set[str]:
    """The tables that the models do not have as the fixup wants them."""
    models, wanted = sources.described()
    return {key for key in models if models[key] != wanted[key]}


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sources, Done]:
    """All idioms in a project, and the run that rewrote them."""
    folder = tmp_path_factory.mktemp("idioms")
    return rewrite_all(folder, SETTINGS, [*IDIOMS, *REFUSED], BASE)


@pytest.mark.parametrize("idiom", [*IDIOMS, *REFUSED], ids=lambda idiom: idiom.name)
def test_an_idiom(rewritten: tuple[Sources, Done], idiom: Idiom) -> None:
    sources, done = rewritten
    if idiom.after is None:
        assert sources.text(idiom.name) == sources.dedented(idiom.before)
    else:
        assert formatted(sources.text(idiom.name)) == formatted(sources.dedented(idiom.after))
    said = [one["reason"] for one in done.json["refusals"] if f"/{idiom.name}." in one["file"]]
    assert any(idiom.refused in reason for reason in said) == bool(idiom.refused), said


def test_what_several_tables_share(rewritten: tuple[Sources, Done]) -> None:
    text = (rewritten[0].folder / "app" / "base.py").read_text()
    for line in AFTER_BASE:
        assert line in text


def test_what_was_formatted_is_formatted(rewritten: tuple[Sources, Done]) -> None:
    sources, _ = rewritten
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ruff", "format", "--check", sources.folder / "app"),
            "--exclude=variants.py",  # black has a way of its own with what follows a call
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_a_second_run_changes_nothing(rewritten: tuple[Sources, Done]) -> None:
    sources, done = rewritten
    before = {name: sources.text(name) for name in sources.names}
    again = sources.codemod("--check", "--json")
    assert (again.code, again.json["files"], again.json["changes"]) == (0, [], [])
    assert reasons(again) == reasons(done)
    assert {name: sources.text(name) for name in sources.names} == before


def test_law_2_source_and_memory_agree(rewritten: tuple[Sources, Done]) -> None:
    by_hand = {"decorated", "helped", "people", "excluded", "optioned", "casting", "argued"}
    assert differing(rewritten[0]) == {*by_hand, "mapped_types"}


# Settings and conventions

CONVENTIONS = {
    "convention": """
    from sqlalchemy import ARRAY, CheckConstraint, Column, Enum, Integer, MetaData, Table

    from app.base import flag, metadata

    Table(
        "first",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("flag", flag),
        Column("size", Enum("s", "m", name="size")),
        Column("sizes", ARRAY(Enum("s", "m", name="size"))),
        Column("taken", Enum("a", name="taken")),
        CheckConstraint("id > 0", name="taken"),
    )
    Table("second", metadata, Column("flag", flag))
    """
}


@pytest.mark.slow
def test_a_naming_convention_makes_the_names(tmp_path: Path) -> None:
    base = """
    from sqlalchemy import Enum, MetaData

    metadata = MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"})
    flag = Enum("on", "off", name="flag")
    """
    sources = Sources.make(tmp_path, SETTINGS, CONVENTIONS, base)
    assert sources.codemod("--json").json["refusals"] == []
    assert differing(sources) == set()
    # One name for the CHECKs of both tables.
    assert 'name="flag", native_enum=False, create_constraint=True' in (
        (tmp_path / "app" / "base.py").read_text()
    )
    text = sources.text("convention")
    assert 'name="size", native_enum=False, create_constraint=True' in text
    assert 'ARRAY(Enum("s", "m", name="size", native_enum=False, length=63))' in text
    assert re.search(r'varchar\[\]",\s+name="sizes"', text)
    assert 'name="taken1"' in text
    models, _ = sources.described()
    names = {one[1] for key in models for one in models[key]["constraints"]}
    assert {"ck_first_flag", "ck_second_flag", "ck_first_taken", "ck_first_taken1"} <= names


STRINGS = {
    "strings": """
    import enum

    from sqlalchemy import ARRAY, Enum, ForeignKey, text
    from sqlalchemy.orm import Mapped, mapped_column

    from app.base import Base


    class Kind(enum.Enum):
        one = "1"
        two = "2"


    shared = Enum(Kind, name="shared", values_callable=lambda members: [m.value for m in members])


    class Strings(Base):
        __tablename__ = "strings"
        id: Mapped[int] = mapped_column(primary_key=True)
        labels: Mapped[str] = mapped_column(Enum("a", "b", name="labels"), server_default="a")
        kind = mapped_column(shared, default=Kind.two)
        kinds = mapped_column(ARRAY(shared), server_default=text("'{}'::shared[]"))
        untouched = mapped_column(Enum("x", native_enum=False))
        member: Mapped[Kind] = mapped_column(Enum(Kind, name="member"))
    """
}


@pytest.mark.slow
@pytest.mark.parametrize(("storage", "type_"), [("varchar", "String(63)"), ("text", "Text")])
def test_strings_where_the_settings_ask(tmp_path: Path, storage: str, type_: str) -> None:
    settings = SETTINGS + f'model-type = "string"\nstorage = "{storage}"\n'
    sources = Sources.make(tmp_path, settings, STRINGS)
    done = sources.codemod("--json")
    [refusal] = done.json["refusals"]
    assert "it is annotated as Kind, and would be a plain text" in refusal["reason"]
    text = sources.text("strings")
    assert f'labels: Mapped[str] = mapped_column({type_}, server_default="a")' in text
    assert f"shared = {type_}\n" in text
    assert 'kind = mapped_column(shared, default="2")' in text
    assert (
        f"kinds = mapped_column(ARRAY(shared), server_default=text(\"'{{}}'::{storage}[]\"))"
        in (text)
    )
    assert "CheckConstraint(\"kind IN ('1', '2')\", name=\"ck_strings_kind\")" in text
    assert 'Enum("x", native_enum=False, create_constraint=True, name="ck_strings_unt' in text
    models, wanted = sources.described()
    wanted["strings"]["columns"][-1] = models["strings"]["columns"][-1]  # the refused one
    assert models["strings"]["columns"] == wanted["strings"]["columns"]
    again = sources.codemod("--json")
    assert again.json["files"] == [] and reasons(again) == reasons(done)


def test_an_enum_cannot_be_text(tmp_path: Path) -> None:
    sources = Sources.make(tmp_path, SETTINGS + 'storage = "text"\n', STRINGS)
    done = sources.codemod("--json")
    assert len(reasons(done)) == 2
    assert all("an Enum cannot be TEXT" in reason for reason in reasons(done))
    assert 'mapped_column(Text, server_default="a")' in sources.text("strings")


def test_settings_that_name_the_type_go_on_doing_so(tmp_path: Path) -> None:
    files = {
        "named": """
        from sqlalchemy import Column, Enum, Table

        from app.base import metadata

        Table(
            "named",
            metadata,
            Column("a", Enum("new", name="renamed")),
            Column("b", Enum("x", name="in_schema", schema="types")),
            Column("c", Enum("x", name="plain")),
        )
        """
    }
    settings = """
    [tool.alembic-fixups.enum-check]
    include = ["types.in_schema", "renamed", "named.c"]
    renames.renamed = {old = "new"}
    """
    sources = Sources.make(tmp_path, settings, files)
    [refusal] = sources.codemod("--json").json["refusals"]
    assert "the settings name the type in_schema with its schema" in refusal["reason"]
    text = sources.text("named")
    assert 'Enum("new", name="renamed", native_enum=False, length=63)' in text
    assert 'CheckConstraint("a IN (\'new\')", name="ck_named_a")' in text
    assert 'name="ck_named_c", native_enum=False, create_constraint=True' in text


@pytest.mark.slow
def test_values_that_change_afterwards(tmp_path: Path) -> None:
    """The CHECK beside an array is made anew of the values of its enum."""
    files = {
        "arrays": """
        from sqlalchemy import ARRAY, Column, Enum, Table

        from app.base import metadata

        Table("arrays", metadata, Column("tags", ARRAY(Enum("hot", "cold", name="tag"))))
        """
    }
    sources = Sources.make(tmp_path, SETTINGS, files)
    assert sources.codemod().code == 0
    changed = sources.text("arrays").replace('"cold", name', '"warm", name')
    sources.path("arrays").write_text(changed)
    _, wanted = sources.described()
    [check] = [one for one in wanted["arrays"]["constraints"] if one[0] == "CheckConstraint"]
    assert check[1:] == [
        "ck_arrays_tags",
        "array_replace(tags, NULL, 'hot') <@ ARRAY['hot', 'warm']::varchar[]",
    ]
    assert sources.codemod().code == 0
    assert differing(sources) == set()
    assert sources.text("arrays").count("warm") == 2 and "cold" not in sources.text("arrays")


def test_python_gets_what_it_got(rewritten: tuple[Sources, Done]) -> None:
    """Members in, members out; over what create_all() makes with hostile labels in its CHECKs."""
    sources, _ = rewritten
    done = sources.python(
        "-c",
        """if True:
            from sqlalchemy import create_engine, insert, select
            from app.base import Status
            from app.models.inline import Inline
            from app.models.sharing import AlsoSharing
            engine = create_engine("sqlite://")
            for model in (Inline, AlsoSharing):
                model.__table__.create(engine)
            with engine.begin() as connection:
                row = dict(id=1, plain=Status.done, named=Status.new, by_value=Status.new)
                connection.execute(insert(Inline).values(**row))
                connection.execute(insert(AlsoSharing).values(id=1, status=Status.new))
                print(*connection.execute(select(Inline.plain, Inline.by_value)).one())
                print(*connection.execute(select(AlsoSharing.status)).one())
                print(*connection.exec_driver_sql("SELECT plain, by_value FROM inline").one())
            """,
    )
    assert done.out.splitlines() == ["Status.done Status.new", "Status.new", "done is new"]


@pytest.mark.slow
def test_the_sample(tmp_path: Path) -> None:
    for name in ("app", "alembic", "alembic.ini", "pyproject.toml"):
        source = SAMPLE / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write('\n[tool.alembic-fixups.enum-check]\nexclude = ["public.*"]\n')
    env = tmp_path / "alembic" / "env.py"
    plugins = 'compare_type=True,\n        autogenerate_plugins=["alembic.autogenerate.*", '
    env.write_text(env.read_text().replace("compare_type=True,", plugins + '"alembic_fixups"],'))
    sources = Sources(tmp_path)
    done = sources.codemod("--json")
    assert done.code == 0, done.err
    assert done.json["refusals"] == []
    enums = (tmp_path / "app" / "models" / "enums.py").read_text()
    assert enums.count("native_enum=False") == 2 and "create_constraint" not in enums
    load = (
        "import json\nfrom app.models import Base\nfrom sqlalchemy.orm import configure_mappers\n"
        "from alembic_fixups import settings\nfrom alembic_fixups.target import Target\n"
        "from tests.laws.describe import describe\n"
        "configure_mappers()\ntarget = Target(Base.metadata)\n"
        "for fixup, own in settings.load(settings.find(__import__('pathlib').Path.cwd())).active:\n"
        "    fixup.rewrite(target, own, 16)\n"
        "same = describe(Base.metadata, types=str) == describe(target.metadata, types=str)\n"
        "print(same, [t for t in target.metadata.tables.values() "
        "if t is not Base.metadata.tables[t.key]])"
    )
    assert sources.python("-c", load).out == "True []\n"
    again = sources.codemod("--json")
    assert (again.json["files"], again.json["refusals"]) == ([], [])
    files = sorted((tmp_path / "app").rglob("*.py"))
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--check", "--line-length=100", *files],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout
