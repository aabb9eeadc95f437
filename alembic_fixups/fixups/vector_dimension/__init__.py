"""Columns of vectors that get another dimension or type, with the vectors that they have."""

from alembic_fixups.fixups import Fixup
from alembic_fixups.fixups.vector_dimension.inference import hint, infer
from alembic_fixups.fixups.vector_dimension.operation import replace
from alembic_fixups.fixups.vector_dimension.plan import locate, rewrite
from alembic_fixups.fixups.vector_dimension.settings import VectorDimensionSettings

FIXUP = Fixup(
    name="vector-dimension",
    settings=VectorDimensionSettings,
    rewrite=rewrite,
    replace=replace,
    infer=infer,
    hint=hint,
    locate=locate,
)
