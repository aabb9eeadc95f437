"""The situations in which changes of vectors are proven by the laws."""

from __future__ import annotations

from tests.laws.case import Case

VERSIONS = (16, 18)


def settings(data: str = "archive", extra: str = "") -> str:
    """A pyproject.toml with the fixup on."""
    return f"[tool.alembic-fixups.vector-dimension]\ndata = '{data}'\n{extra}\n"


def dimensions(**columns: int) -> str:
    """Settings by which columns of ``docs`` have other dimensions than in the models."""
    return settings(
        extra="".join(
            f'[tool.alembic-fixups.vector-dimension.columns."public.docs.{name}"]\n'
            f"dimensions = {number}\n"
            for name, number in columns.items()
        )
    )


def reembed(*columns: str) -> str:
    """Settings by which columns are embedded anew."""
    return settings(
        extra="\n".join(
            f'[tool.alembic-fixups.vector-dimension.columns."{column}"]\ndata = "reembed"\n'
            f'source = "SELECT id, body FROM {column.rpartition(".")[0]}"\n'
            'embedder = "app.embeddings:embed"'
            for column in columns
        )
    )


HEAD = """
from pgvector.sqlalchemy import BIT, HALFVEC, SPARSEVEC, VECTOR
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, REAL
metadata = MetaData()
event.listen(metadata, "before_create", DDL("CREATE EXTENSION IF NOT EXISTS vector"))
"""

DOCS = (
    HEAD
    + """
Table("docs", metadata,
      Column("id", Integer, primary_key=True),
      Column("body", Text),
      Column("embedding", VECTOR(4), comment="of the body"),
      Index("docs_embedding", "embedding", postgresql_using="hnsw",
            postgresql_with={"m": 8, "ef_construction": 32},
            postgresql_ops={"embedding": "vector_cosine_ops"}),
      Index("docs_some", "embedding", postgresql_using="ivfflat", postgresql_with={"lists": 3},
            postgresql_ops={"embedding": "vector_l2_ops"}, postgresql_where=text("id > 1")),
      Index("docs_filled", "id", postgresql_where=text("embedding IS NOT NULL")))
"""
)

CAST = (
    HEAD
    + """
DIMENSIONS = 4
docs = Table("docs", metadata,
      Column("id", Integer, primary_key=True),
      Column("body", Text),
      Column("embedding", VECTOR(DIMENSIONS)),
      Column("other", HALFVEC(DIMENSIONS)))
Index("docs_bits",
      func.cast(func.binary_quantize(docs.c.embedding), BIT(DIMENSIONS)).label("embedding"),
      postgresql_using="hnsw", postgresql_ops={"embedding": "bit_hamming_ops"})
"""
)

ROWS = """
INSERT INTO docs (id, body, embedding) VALUES
  (1, 'one', '[1,2,3,4]'), (2, 'it''s', '[0.1,-0.2,0.3,0]'), (3, NULL, NULL),
  (4, '', '[0,0,0,1e-9]');
COMMENT ON INDEX docs_embedding IS 'a vector''s index';
"""

HANGING = (
    ROWS
    + """
DO $$ BEGIN CREATE ROLE fixup_vector_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER TABLE docs ALTER embedding SET STORAGE MAIN;
GRANT SELECT (embedding) ON docs TO fixup_vector_reader;
ALTER TABLE docs ADD norm real GENERATED ALWAYS AS (vector_norm(embedding)) STORED;
CREATE VIEW near AS SELECT id, embedding, embedding <=> embedding AS distance FROM docs
  WHERE embedding IS NOT NULL;
GRANT SELECT ON near TO fixup_vector_reader;
COMMENT ON COLUMN near.embedding IS 'seen';
CREATE MATERIALIZED VIEW kept AS SELECT id, embedding FROM docs;
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY embedded ON docs USING (embedding IS NOT NULL);
ALTER TABLE docs ADD CONSTRAINT dims CHECK (vector_dims(embedding) > 1);
"""
)

WITH_NORM = DOCS.replace(
    'comment="of the body"),',
    'comment="of the body"),\n'
    '      Column("norm", REAL, Computed("vector_norm(embedding)", persisted=True)),',
)

PARTITIONED = (
    HEAD
    + """
Table("events", metadata,
      Column("tenant", Text, primary_key=True), Column("Day: no", Integer, primary_key=True),
      Column("embedding", VECTOR(3)), Column("other", HALFVEC(2)),
      Index("events_embedding", "embedding", postgresql_using="hnsw",
            postgresql_ops={"embedding": "vector_l2_ops"}),
      postgresql_partition_by='RANGE ("Day: no")')
"""
)

PARTITIONS = """
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20);
INSERT INTO events VALUES
  ('a', 1, '[1,2,3]', '[1,2]'), ('a', 11, '[4,5,6]', NULL), ('b', 12, NULL, '[3,4]');
"""

TYPES = (
    HEAD
    + """
Table("types", metadata,
      Column("id", Integer, primary_key=True),
      Column("to_half", VECTOR(3), nullable=False),
      Column("to_full", HALFVEC(3)),
      Column("to_sparse", VECTOR(3)),
      Column("to_dense", SPARSEVEC(3)),
      Column("bits", BIT(4)),
      Column("free", VECTOR()),
      Column("freed", VECTOR(2)),
      Column("numbers", ARRAY(DOUBLE_PRECISION)),
      Column("reals", ARRAY(REAL)),
      Index("types_half", "to_half", postgresql_using="hnsw",
            postgresql_ops={"to_half": "vector_ip_ops"}))
"""
)

OTHER_TYPES = (
    TYPES.replace('"to_half", VECTOR(3)', '"to_half", HALFVEC(3)')
    .replace('"vector_ip_ops"', '"halfvec_ip_ops"')
    .replace('"to_full", HALFVEC(3)', '"to_full", VECTOR(3)')
    .replace('"to_sparse", VECTOR(3)', '"to_sparse", SPARSEVEC(3)')
    .replace('"to_dense", SPARSEVEC(3)', '"to_dense", VECTOR(3)')
    .replace('"bits", BIT(4)', '"bits", BIT(2)')
    .replace('"free", VECTOR()', '"free", VECTOR(2)')
    .replace('"freed", VECTOR(2)', '"freed", VECTOR()')
    .replace('"numbers", ARRAY(DOUBLE_PRECISION)', '"numbers", VECTOR(2)')
    .replace('"reals", ARRAY(REAL)', '"reals", HALFVEC(3)')
)

VALUES = """
INSERT INTO types VALUES
  (1, '[1,2,3]', '[1,2,3]', '[0,1,0]', '{1:1}/3', '1010', '[1,2]', '[1,2]', '{1,2}', '{1,2,3}'),
  (2, '[0.1,2,3]', NULL, '[0.1,0,-1]', '{}/3', '1111', '[1,2,3]', NULL, '{0.1,0.2}', '{0.1,2,3}'),
  (3, '[0.5,0,0]', '[0.1,0,0]', NULL, NULL, NULL, NULL, NULL, '{1,NULL}', '{1}'),
  (4, '[0,0,0]', NULL, '[0,0,0]', NULL, '0000', '[1]', '[0,0]', '{}', NULL);
"""

FILLED = DOCS.replace("VECTOR(4), comment", "VECTOR(4), nullable=False, comment")

ONLINE = settings(extra="strategy = 'online'")

CASES = [
    Case(
        "basic",
        settings(),
        DOCS.replace("VECTOR(4)", "VECTOR(3)"),
        DOCS,
        ROWS,
        versions=VERSIONS,
        reorders=True,
    ),
    Case(
        "dimensions",
        dimensions(embedding=3),
        DOCS,
        setup=ROWS,
        versions=VERSIONS,
        everywhere=False,
        reorders=True,
    ),
    Case(
        "dimensions-in-casts",
        dimensions(embedding=3, other=3),
        CAST,
        setup=ROWS.partition("COMMENT")[0],
        versions=VERSIONS,
        everywhere=False,
        reorders=True,
    ),
    Case(
        "hanging",
        settings(),
        WITH_NORM.replace("VECTOR(4)", "VECTOR(6)"),
        DOCS,
        HANGING,
        versions=VERSIONS,
        everywhere=False,
        reorders=True,
    ),
    Case(
        "reembed",
        reembed("public.docs.embedding"),
        FILLED.replace("VECTOR(4)", "VECTOR(3)"),
        FILLED,
        ROWS.replace("(3, NULL, NULL)", "(3, NULL, '[1,1,1,1]')"),
        versions=VERSIONS,
        everywhere=False,
        reorders=True,
    ),
    Case(
        "online",
        ONLINE,
        DOCS.replace("VECTOR(4)", "VECTOR(3)"),
        DOCS,
        ROWS,
        versions=VERSIONS,
        everywhere=False,
        reorders=True,
    ),
    Case(
        "online-reembed",
        reembed("public.docs.embedding").replace(
            "data = 'archive'", "data = 'archive'\nstrategy = 'online'"
        ),
        FILLED.replace("VECTOR(4)", "HALFVEC(3)").replace("vector_", "halfvec_"),
        FILLED,
        ROWS.replace("(3, NULL, NULL)", "(3, NULL, '[1,1,1,1]')"),
        versions=VERSIONS,
        everywhere=False,
        reorders=True,
    ),
    Case(
        "online-types",
        ONLINE,
        OTHER_TYPES,
        TYPES,
        VALUES,
        versions=VERSIONS,
        everywhere=False,
        reorders=True,
    ),
    Case(
        "empty",
        settings(),
        FILLED.replace("VECTOR(4)", "VECTOR(3)"),
        FILLED,
        "COMMENT ON TABLE docs IS 'without rows'",
        versions=VERSIONS,
        everywhere=False,
        reorders=True,
    ),
    Case(
        "truncate",
        settings("truncate", "strategy = 'online'"),
        FILLED.replace("VECTOR(4)", "VECTOR(2)"),
        FILLED,
        ROWS.replace("(3, NULL, NULL)", "(3, NULL, '[1,1,1,1]')"),
        versions=VERSIONS,
        everywhere=False,
        reorders=True,
    ),
    Case(
        "pad",
        settings("pad"),
        FILLED.replace("VECTOR(4)", "VECTOR(6)"),
        FILLED,
        ROWS.replace("(3, NULL, NULL)", "(3, NULL, '[1,1,1,1]')"),
        versions=VERSIONS,
        everywhere=False,
        reorders=True,
    ),
    Case(
        "partitioned",
        settings(),
        PARTITIONED.replace("VECTOR(3)", "VECTOR(2)").replace("HALFVEC(2)", "VECTOR(2)"),
        PARTITIONED,
        PARTITIONS,
        versions=VERSIONS,
        everywhere=False,
    ),
    Case(
        "types",
        settings(),
        OTHER_TYPES,
        TYPES,
        VALUES,
        versions=VERSIONS,
        everywhere=False,
        reorders=True,
    ),
]
