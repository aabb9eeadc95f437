"""Indexes by ``index=True`` that another index of the table makes needless."""

from alembic_fixups.fixups import Fixup
from alembic_fixups.fixups.redundant_index.operation import replace
from alembic_fixups.fixups.redundant_index.rewrite import hint, infer, rewrite
from alembic_fixups.fixups.redundant_index.settings import NAME, RedundantIndexSettings

FIXUP = Fixup(
    name=NAME,
    settings=RedundantIndexSettings,
    rewrite=rewrite,
    replace=replace,
    infer=infer,
    hint=hint,
    order=80,  # the indexes that the others add count
)
