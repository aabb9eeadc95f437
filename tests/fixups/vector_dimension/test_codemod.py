"""The source of the models with other dimensions, one way of writing them after another."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.codemods.rewriting import Done, Idiom, Sources

BASE = """
from dataclasses import dataclass

from pgvector.sqlalchemy import Vector
from pydantic import BaseModel, Field
from sqlalchemy import JSON
from sqlalchemy.orm import DeclarativeBase, declared_attr, mapped_column
from sqlalchemy.types import TypeDecorator

SHARED_DIM = 1_536
ALIAS_DIM = SHARED_DIM
BUSY_DIM = 1536
HALF_BUSY_DIM = BUSY_DIM // 2
MIXED_DIM = 1536
COUNTED_DIM = len("x" * 1536)


class Settings(BaseModel):
    embedding_dim: int = 1536
    field_dim: int = Field(default=1536, gt=0)
    given_dim: int = 1536


class Config:
    DIM = 1536


@dataclass
class Options:
    dim: int = 1536
    other: int = 1536


settings = Settings(given_dim=1536)
options = Options(other=1536)


class Base(DeclarativeBase):
    pass


class Embedded:
    embedding = mapped_column(Vector(1536))


class HalfWished:
    embedding = mapped_column(Vector(1536))


class Declared:
    @declared_attr
    def embedding(cls):
        return mapped_column(Vector(1536))


class Decorated(TypeDecorator):
    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect):
        return dialect.type_descriptor(Vector(1536))


class Own(TypeDecorator):
    impl = Vector
    cache_ok = True


def embed(texts, dimensions=SHARED_DIM):
    return [[0.0] * dimensions for _ in texts]


def made():
    return Vector(1536)


embedder = dict(model="small", dimensions=SHARED_DIM)
metadata = Base.metadata
"""


def model(name: str, columns: str, imports: str = "from pgvector.sqlalchemy import Vector") -> str:
    """A module with one class; what stands before a line ``---`` comes before the class."""
    head, _, body = columns.rpartition("---\n")
    lines = "".join(f"    {line}\n" if line else "\n" for line in body.strip("\n").splitlines())
    middle = f"{head.strip()}\n\n\n" if head.strip() else "\n"
    return (
        f"{imports}\n"
        "from sqlalchemy.orm import Mapped, mapped_column\n\n"
        f"from app.base import Base\n\n{middle}"
        f'class {name.title().replace("_", "")}Model(Base):\n    __tablename__ = "{name}"\n\n'
        f"    id: Mapped[int] = mapped_column(primary_key=True)\n{lines}"
    )


def idiom(
    name: str,
    before: str,
    after: str = "",
    imports: str = "from pgvector.sqlalchemy import Vector",
    refused: str = "",
) -> Idiom:
    """An idiom that is one class."""
    changed = model(name, after, imports) if after else None
    return Idiom(name, model(name, before, imports), changed, refused)


def plainly(name: str, code: str, new: str, imports: str = "") -> Idiom:
    """An idiom that is the code of a type."""
    imports = imports or "from pgvector.sqlalchemy import Vector"
    line = "embedding: Mapped[list[float]] = mapped_column({})  # of the text\n"
    return idiom(name, line.format(code), line.format(new), imports)


HANDLED = [
    plainly("literal", "Vector(1536)", "Vector(1024)"),
    plainly("underscored", "Vector(1_536)", "Vector(1_024)"),
    plainly("keyword", "Vector(dim=1536), nullable=False", "Vector(dim=1024), nullable=False"),
    plainly("calculated", "Vector(512 * 3)", "Vector(1024)"),
    plainly("no_argument", "Vector()", "Vector(1024)"),
    plainly("bare", "Vector", "Vector(1024)"),
    plainly("none", "Vector(None)", "Vector(1024)"),
    plainly("own", "Own(1536)", "Own(1024)", "from app.base import Own"),
    plainly(
        "aliased",
        "Embedding(1536)",
        "Embedding(1024)",
        "from pgvector.sqlalchemy import Vector as Embedding",
    ),
    plainly("module", "pg.HALFVEC(1536)", "pg.HALFVEC(1024)", "import pgvector.sqlalchemy as pg"),
    plainly(
        "named",
        '"vector", SPARSEVEC(1536)',
        '"vector", SPARSEVEC(1024)',
        "from pgvector.sqlalchemy import SPARSEVEC",
    ),
    plainly(
        "bits",
        "BIT(length=1536)",
        "BIT(length=1024)",
        "from pgvector.sqlalchemy import BIT",
    ),
    plainly(
        "variant",
        'JSON().with_variant(Vector(1536), "postgresql")',
        'JSON().with_variant(Vector(1024), "postgresql")',
        "from pgvector.sqlalchemy import Vector\nfrom sqlalchemy import JSON",
    ),
    idiom(
        "same_file",
        "DIMENSIONS = 1536  # of the model\n---\nembedding = mapped_column(Vector(DIMENSIONS))\n",
        "DIMENSIONS = 1024  # of the model\n---\nembedding = mapped_column(Vector(DIMENSIONS))\n",
    ),
    idiom(
        "imported",
        "---\nembedding = mapped_column(Vector(DIM))\n",
        imports=("from pgvector.sqlalchemy import Vector\nfrom app.base import SHARED_DIM as DIM"),
    ),
    idiom(
        "by_alias",
        "---\nembedding = mapped_column(Vector(base.ALIAS_DIM))\n",
        imports=("from pgvector.sqlalchemy import Vector\nimport app.base as base"),
    ),
    idiom(
        "setting",
        "---\nembedding = mapped_column(Vector(settings.embedding_dim))\n",
        imports=("from pgvector.sqlalchemy import Vector\nfrom app.base import settings"),
    ),
    idiom(
        "field",
        "---\nembedding = mapped_column(Vector(settings.field_dim))\n",
        imports=("from pgvector.sqlalchemy import Vector\nfrom app.base import settings"),
    ),
    idiom(
        "option",
        "---\nembedding = mapped_column(Vector(options.dim))\n",
        imports=("from pgvector.sqlalchemy import Vector\nfrom app.base import options"),
    ),
    idiom(
        "config",
        "---\nembedding = mapped_column(Vector(Config.DIM))\n",
        imports=("from pgvector.sqlalchemy import Vector\nfrom app.base import Config"),
    ),
    idiom(
        "in_class",
        "DIM = 1536\nembedding = mapped_column(Vector(DIM))\n",
        "DIM = 1024\nembedding = mapped_column(Vector(DIM))\n",
    ),
    idiom(
        "disagreeing",
        "MY_DIM = 1536\n---\nembedding = mapped_column(Vector(MY_DIM))\n"
        "title = mapped_column(Vector(MY_DIM))\n",
        "MY_DIM = 1536\n---\nembedding = mapped_column(Vector(1024))\n"
        "title = mapped_column(Vector(MY_DIM))\n",
    ),
    idiom(
        "two_wishes",
        "MY_DIM = 1536\n---\nembedding = mapped_column(Vector(MY_DIM))\n"
        "small = mapped_column(Vector(MY_DIM))\n",
        "MY_DIM = 1536\n---\nembedding = mapped_column(Vector(1024))\n"
        "small = mapped_column(Vector(256))\n",
    ),
    idiom(
        "shared",
        "SHARED = Vector(1536)\n---\nembedding = mapped_column(SHARED)\n"
        "other = mapped_column(SHARED)\n",
        "SHARED = Vector(1024)\n---\nembedding = mapped_column(SHARED)\n"
        "other = mapped_column(SHARED)\n",
    ),
    idiom(
        "partly_shared",
        "SHARED = Vector(1536)\n---\nembedding = mapped_column(SHARED)\n"
        "title = mapped_column(SHARED)\n",
        "SHARED = Vector(1536)\n---\nembedding = mapped_column(Vector(1024))\n"
        "title = mapped_column(SHARED)\n",
    ),
    idiom(
        "annotated",
        "Embedding = Annotated[list[float], mapped_column(Vector(1536))]\n---\n"
        "embedding: Mapped[Embedding]\nother: Mapped[Embedding | None]\n",
        "Embedding = Annotated[list[float], mapped_column(Vector(1024))]\n---\n"
        "embedding: Mapped[Embedding]\nother: Mapped[Embedding | None]\n",
        "from typing import Annotated\n\nfrom pgvector.sqlalchemy import Vector",
    ),
    Idiom(
        "tables",
        """
        import sqlalchemy as sa
        from pgvector.sqlalchemy import Vector

        from app.base import metadata

        tables = sa.Table(
            "tables",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("embedding", Vector(1536), nullable=False),  # of the body
            sa.Column("title", Vector(1536)),
        )
        """,
        """
        import sqlalchemy as sa
        from pgvector.sqlalchemy import Vector

        from app.base import metadata

        tables = sa.Table(
            "tables",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("embedding", Vector(1024), nullable=False),  # of the body
            sa.Column("title", Vector(1536)),
        )
        """,
    ),
    Idiom(
        "mixins",
        """
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Declared, Embedded


        class First(Embedded, Base):
            __tablename__ = "first"
            id: Mapped[int] = mapped_column(primary_key=True)


        class Second(Embedded, Base):
            __tablename__ = "second"
            id: Mapped[int] = mapped_column(primary_key=True)


        class Third(Declared, Base):
            __tablename__ = "third"
            id: Mapped[int] = mapped_column(primary_key=True)
        """,
    ),
    Idiom(
        "sql_models",
        """
        from pgvector.sqlalchemy import Vector
        from sqlalchemy import Column
        from sqlmodel import Field, SQLModel

        from app.base import metadata


        class Item(SQLModel, table=True):
            __tablename__ = "items"
            metadata = metadata
            id: int = Field(primary_key=True)
            embedding: list[float] = Field(sa_type=Vector(1536))
            other: list[float] = Field(sa_column=Column("other", Vector(1536), nullable=False))
        """,
        """
        from pgvector.sqlalchemy import Vector
        from sqlalchemy import Column
        from sqlmodel import Field, SQLModel

        from app.base import metadata


        class Item(SQLModel, table=True):
            __tablename__ = "items"
            metadata = metadata
            id: int = Field(primary_key=True)
            embedding: list[float] = Field(sa_type=Vector(1024))
            other: list[float] = Field(sa_column=Column("other", Vector(1024), nullable=False))
        """,
    ),
    Idiom(
        "casting",
        """
        from pgvector.sqlalchemy import BIT, HALFVEC, Vector
        from sqlalchemy import Index, cast, func
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base

        DIM = 1536


        class Casting(Base):
            __tablename__ = "casting"

            id: Mapped[int] = mapped_column(primary_key=True)
            embedding = mapped_column(Vector(DIM))


        Index(
            "casting_half",
            cast(Casting.embedding, HALFVEC(DIM)).label("embedding"),
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "halfvec_cosine_ops"},
        )
        Index(
            "casting_bits",
            func.cast(func.binary_quantize(Casting.embedding), BIT(1536)).label("embedding"),
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "bit_hamming_ops"},
        )
        """,
        """
        from pgvector.sqlalchemy import BIT, HALFVEC, Vector
        from sqlalchemy import Index, cast, func
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base

        DIM = 1024


        class Casting(Base):
            __tablename__ = "casting"

            id: Mapped[int] = mapped_column(primary_key=True)
            embedding = mapped_column(Vector(DIM))


        Index(
            "casting_half",
            cast(Casting.embedding, HALFVEC(DIM)).label("embedding"),
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "halfvec_cosine_ops"},
        )
        Index(
            "casting_bits",
            func.cast(func.binary_quantize(Casting.embedding), BIT(1024)).label("embedding"),
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "bit_hamming_ops"},
        )
        """,
    ),
]

REFUSED = [
    idiom("called", "embedding = mapped_column(Vector(int(1536.0)))\n", refused="write 1024 there"),
    idiom(
        "half_sum",
        "embedding = mapped_column(Vector(HALF * 2))\n",
        imports=("from pgvector.sqlalchemy import Vector\n\nHALF = 768"),
        refused="those of Vector(HALF * 2)",
    ),
    idiom(
        "made_type",
        "embedding = mapped_column(made())\n",
        imports=("from app.base import made"),
        refused="something else than an argument gives made_type.embedding its type",
    ),
    idiom(
        "decorated",
        "embedding = mapped_column(Decorated())\n",
        imports=("from app.base import Decorated"),
        refused="Decorated, the type of decorated.embedding, says its dimensions itself",
    ),
    idiom(
        "given",
        "embedding = mapped_column(Vector(settings.given_dim))\n",
        imports=("from pgvector.sqlalchemy import Vector\nfrom app.base import settings"),
        refused="settings.given_dim is given by an environment variable or an argument",
    ),
    idiom(
        "given_option",
        "embedding = mapped_column(Vector(options.other))\n",
        imports=("from pgvector.sqlalchemy import Vector\nfrom app.base import options"),
        refused="whether options.other is the number that is written here is not clear",
    ),
    idiom(
        "counted",
        "embedding = mapped_column(Vector(COUNTED_DIM))\n",
        imports=("from pgvector.sqlalchemy import Vector\nfrom app.base import COUNTED_DIM"),
        refused='COUNTED_DIM is len("x" * 1536), and no number',
    ),
    idiom(
        "busy",
        "embedding = mapped_column(Vector(BUSY_DIM))\n",
        imports=("from pgvector.sqlalchemy import Vector\nfrom app.base import BUSY_DIM"),
        refused="BUSY_DIM is used in app/base.py:",
    ),
    idiom(
        "listed",
        "embedding = mapped_column(Vector(DIMS[0]))\n",
        imports=("from pgvector.sqlalchemy import Vector\n\nDIMS = [1536]"),
        refused="those of Vector(DIMS[0])",
    ),
    Idiom(
        "half_wished",
        """
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, HalfWished


        class One(HalfWished, Base):
            __tablename__ = "one"
            id: Mapped[int] = mapped_column(primary_key=True)


        class Other(HalfWished, Base):
            __tablename__ = "other"
            id: Mapped[int] = mapped_column(primary_key=True)
        """,
        refused="this makes other.embedding too, which is not to have 1024 dimensions",
    ),
    Idiom(
        "long",
        """
        from pgvector.sqlalchemy import Vector
        from sqlalchemy import Index
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Long(Base):
            __tablename__ = "long"
            __table_args__ = (
                Index(
                    "long_embedding",
                    "embedding",
                    postgresql_using="hnsw",
                    postgresql_with={"m": 8},
                    postgresql_ops={"embedding": "vector_cosine_ops"},
                ),
            )

            id: Mapped[int] = mapped_column(primary_key=True)
            embedding = mapped_column(Vector(3072))
        """,
        refused="take it out here and write behind the table: Index(",
    ),
    Idiom(
        "in_text",
        """
        from pgvector.sqlalchemy import Vector
        from sqlalchemy import Index, text
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class InText(Base):
            __tablename__ = "in_text"
            __table_args__ = (
                Index(
                    "in_text_half",
                    text("(embedding::halfvec(1536)) halfvec_l2_ops"),
                    postgresql_using="hnsw",
                ),
            )

            id: Mapped[int] = mapped_column(primary_key=True)
            embedding = mapped_column(Vector(1536))
        """,
        """
        from pgvector.sqlalchemy import Vector
        from sqlalchemy import Index, text
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class InText(Base):
            __tablename__ = "in_text"
            __table_args__ = (
                Index(
                    "in_text_half",
                    text("(embedding::halfvec(1536)) halfvec_l2_ops"),
                    postgresql_using="hnsw",
                ),
            )

            id: Mapped[int] = mapped_column(primary_key=True)
            embedding = mapped_column(Vector(1024))
        """,
        refused="it says 1536 dimensions in a text: make them 1024 there",
    ),
]

SMALL = {"two_wishes.small": 256}
OTHERS = [
    "shared.other",
    "annotated.other",
    "items.other",
    "first",
    "second",
    "third",
    "one",
]
NO_COLUMN = {"mixins", "sql_models", "half_wished", "long"}


def wishes() -> dict[str, int]:
    names = [one.name for one in [*HANDLED, *REFUSED] if one.name not in NO_COLUMN]
    columns = [f"{name}.embedding" for name in [*names, "items"]]
    columns += [name if "." in name else f"{name}.embedding" for name in OTHERS]
    named = {"named.embedding": "named.vector"}
    return {named.get(name, name): 1024 for name in columns} | SMALL


def settings_of(columns: dict[str, int]) -> str:
    tables = "".join(
        f'[tool.alembic-fixups.vector-dimension.columns."public.{name}"]\ndimensions = {number}\n'
        for name, number in columns.items()
    )
    return f"[tool.alembic-fixups.vector-dimension]\ndata = 'archive'\n{tables}"


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sources, Done]:
    """A project with all idioms, and how the run of the command on it ended."""
    folder = tmp_path_factory.mktemp("dimensions")
    sources = Sources.of(folder, settings_of(wishes()), [*HANDLED, *REFUSED], BASE)
    return sources, sources.codemod("--json")


@pytest.mark.parametrize("one", [*HANDLED, *REFUSED], ids=lambda one: one.name)
def test_the_source(rewritten: tuple[Sources, Done], one: Idiom) -> None:
    sources, done = rewritten
    assert done.code == 0, done.err
    after = one.before if one.after is None else one.after
    assert sources.text(one.name) == Sources.dedented(after)


@pytest.mark.parametrize("one", REFUSED, ids=lambda one: one.name)
def test_what_is_left_is_listed(rewritten: tuple[Sources, Done], one: Idiom) -> None:
    _, done = rewritten
    assert any(one.refused in refusal["reason"] for refusal in done.json["refusals"])


def test_nothing_else_is_refused(rewritten: tuple[Sources, Done]) -> None:
    _, done = rewritten
    assert len(done.json["refusals"]) == len(REFUSED)


def test_constants_and_mixins_change_where_they_are(rewritten: tuple[Sources, Done]) -> None:
    sources, done = rewritten
    after = (
        BASE.replace("SHARED_DIM = 1_536", "SHARED_DIM = 1_024")
        .replace("embedding_dim: int = 1536", "embedding_dim: int = 1024")
        .replace("field_dim: int = Field(default=1536", "field_dim: int = Field(default=1024")
        .replace("    DIM = 1536", "    DIM = 1024")
        .replace("    dim: int = 1536", "    dim: int = 1024")
    )
    for name in ("Embedded", "Declared"):
        start = after.index(f"class {name}:")
        after = after[:start] + after[start:].replace("Vector(1536)", "Vector(1024)", 1)
    assert (sources.folder / "app" / "base.py").read_text() == Sources.dedented(after)
    [title] = [one["title"] for one in done.json["changes"] if "SHARED_DIM" in one["title"]]
    lines = Sources.dedented(BASE).splitlines()
    follows = [
        1 + next(n for n, line in enumerate(lines) if text in line)
        for text in ("ALIAS_DIM =", "def embed(", "embedder =")
    ]
    places = ", ".join(f"app/base.py:{line}" for line in follows)
    assert title == (
        "by_alias.embedding, imported.embedding of 1024 dimensions by SHARED_DIM, "
        f"which {places} follow"
    )


def test_law_2_source_and_memory_agree(rewritten: tuple[Sources, Done]) -> None:
    sources, _ = rewritten
    models, wanted = sources.described()
    by_hand = {"half_wished" if one.name == "half_wished" else one.name for one in REFUSED}
    by_hand = by_hand - {"half_wished"} | {"one"}
    different = {key for key in wanted if models[key] != wanted[key]}
    assert different == by_hand - {"in_text"}  # whose index both have as it is


def test_a_second_run_changes_nothing(rewritten: tuple[Sources, Done]) -> None:
    sources, done = rewritten
    again = sources.codemod("--json")
    assert again.json["files"] == []
    assert [one["reason"] for one in again.json["refusals"]] == [
        one["reason"] for one in done.json["refusals"]
    ]


def test_what_was_formatted_is_formatted(rewritten: tuple[Sources, Done]) -> None:
    sources, _ = rewritten
    assert_formatted(sources, 120)


def assert_formatted(sources: Sources, width: int) -> None:
    files = [str(sources.path(name)) for name in sources.names]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--diff", f"--line-length={width}", *files],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_an_index_written_as_the_refusal_says_is_the_one_that_is_wanted(
    rewritten: tuple[Sources, Done], tmp_path: Path
) -> None:
    _, done = rewritten
    [one] = [one for one in done.json["refusals"] if "index long_embedding" in one["reason"]]
    code = one["reason"].partition("behind the table: ")[2]
    [long] = [one for one in REFUSED if one.name == "long"]
    before = Sources.dedented(long.before)
    arguments = re.search(r"    __table_args__ = \(.*?\n    \)\n", before, re.DOTALL)
    assert arguments is not None
    after = before.replace(arguments[0], "") + f"\n\n{code}\n"
    after = after.replace("import Vector", "import HALFVEC, Vector")
    after = after.replace("import Index", "import Index, cast")
    old = Sources.make(tmp_path / "old", settings_of({}), {"long": before})
    new = Sources.make(tmp_path / "new", settings_of({}), {"long": after})
    described = [*new.described(), old.described()[1]]
    models, again, wanted = (json.dumps(one, sort_keys=True).lower() for one in described)
    assert models == again == wanted
    assert new.codemod("--json").json["refusals"] == []


REPEATED = {
    "documents": """
    from pgvector.sqlalchemy import HALFVEC, Vector
    from sqlalchemy import Index, cast
    from sqlalchemy.orm import Mapped, mapped_column

    from app.base import Base


    # Of the library.
    class Document(Base):
        __tablename__ = "documents"

        id: Mapped[int] = mapped_column(primary_key=True)
        title = mapped_column(Vector(1536))
        body = mapped_column(HALFVEC(1536))

        @classmethod
        def near(cls, vector):
            return cls.title < cast(vector, Vector(dim=1024))


    Index(
        "documents_half",
        cast(Document.title, HALFVEC(1536)).label("title"),
        postgresql_using="hnsw",
        postgresql_ops={"title": "halfvec_l2_ops"},
    )


    class BookPage(Base):
        __tablename__ = "pages"

        id: Mapped[int] = mapped_column(primary_key=True)
        title = mapped_column(Vector(1024))
        body = mapped_column(Vector(1024))
        cover = mapped_column(Vector(512))
        back = mapped_column(Vector(512))


    class Chapter(Base):
        __tablename__ = "chapters"

        id: Mapped[int] = mapped_column(primary_key=True)
        title = mapped_column(Vector(1024))
    """,
    "known": """
    from pgvector.sqlalchemy import Vector
    from sqlalchemy import Column, Integer, Table

    from app.base import metadata

    DIM = 1024
    known = Table(
        "known",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("one", Vector(DIM)),
        Column("two", Vector(1024)),
        Column("three", Vector(1024)),
    )
    """,
}


@pytest.mark.slow
def test_numbers_that_a_model_repeats_get_a_name_when_asked(tmp_path: Path) -> None:
    wanted_columns = {"documents.title": 1024, "documents.body": 1024}
    sources = Sources.make(tmp_path, settings_of(wanted_columns), REPEATED)
    _, wanted = sources.described()
    done = sources.codemod("--introduce-constant", "--json")
    assert done.code == 0, done.err
    assert done.json["refusals"] == []
    assert sources.text("known") == Sources.dedented(REPEATED["known"]).replace(
        "Vector(1024)", "Vector(DIM)"
    )
    name = "EMBEDDING_DIMENSIONS"
    documents = Sources.dedented(REPEATED["documents"]).replace("1536", "1024")
    document, book, chapter = (
        documents.partition("class BookPage")[0],
        "class BookPage" + documents.partition("class BookPage")[2].partition("class Chapter")[0],
        "class Chapter" + documents.partition("class Chapter")[2],
    )
    assert sources.text("documents") == (
        document.replace("1024", name).replace("\n# Of the", f"{name} = 1024\n\n\n# Of the")[:-1]
        + "COVER_DIMENSIONS = 512\nTITLE_DIMENSIONS = 1024\n\n\n"
        + book.replace("1024", "TITLE_DIMENSIONS").replace("512", "COVER_DIMENSIONS")
        + chapter
    )
    assert_formatted(sources, 88)
    models, again = sources.described()
    assert models == again == wanted
    assert sources.codemod("--introduce-constant", "--json").json["files"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("type_", "dimensions", "problem"),
    [
        ("Vector(3)", 16_001, "a vector has 16,000 dimensions at most"),
        ("HALFVEC(3)", 16_001, "a halfvec has 16,000 dimensions at most"),
        ("SPARSEVEC(3)", 1_000_000_001, "a sparsevec has 1,000,000,000 dimensions at most"),
        ("BIT(3)", 83_886_081, "a bit has 83,886,080 dimensions at most"),
        ("ARRAY(Float)", 3, "the column holds no vectors in the models"),
        ("Vector(3)", 0, "has to be 1 at least"),
    ],
)
def test_dimensions_that_cannot_be_are_an_error(
    type_: str, dimensions: int, problem: str, tmp_path: Path
) -> None:
    text = f"""
    from pgvector.sqlalchemy import BIT, HALFVEC, SPARSEVEC, Vector
    from sqlalchemy import ARRAY, Column, Float, Integer, Table

    from app.base import metadata

    docs = Table(
        "docs", metadata, Column("id", Integer, primary_key=True), Column("embedding", {type_})
    )
    """
    sources = Sources.make(tmp_path, settings_of({"docs.embedding": dimensions}), {"docs": text})
    done = sources.codemod("--json")
    assert done.code == 2
    assert problem in " ".join(done.err.split())
    line = 3 if "holds no vectors" in problem else 4  # of the table, or of the key in it
    assert f"pyproject.toml:{line}" in done.err
