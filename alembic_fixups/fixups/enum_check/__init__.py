"""A fixed set of values as a CHECK on a plain column, in the place of a native enum type."""

from alembic_fixups.fixups import Fixup
from alembic_fixups.fixups.enum_check.inference import hint, infer
from alembic_fixups.fixups.enum_check.operation import replace
from alembic_fixups.fixups.enum_check.plan import locate, rewrite
from alembic_fixups.fixups.enum_check.settings import EnumCheckSettings

FIXUP = Fixup(
    name="enum-check",
    settings=EnumCheckSettings,
    rewrite=rewrite,
    replace=replace,
    infer=infer,
    hint=hint,
    locate=locate,
)
