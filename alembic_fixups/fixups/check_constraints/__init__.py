"""CHECK constraints compared by what they mean to the database, and changed without a gap."""

from alembic_fixups.fixups import Fixup
from alembic_fixups.fixups.check_constraints.operation import locate, replace
from alembic_fixups.fixups.check_constraints.rewrite import hint, infer, rewrite
from alembic_fixups.fixups.check_constraints.settings import NAME, CheckConstraintsSettings

FIXUP = Fixup(
    name=NAME,
    settings=CheckConstraintsSettings,
    rewrite=rewrite,
    replace=replace,
    infer=infer,
    hint=hint,
    locate=locate,
    order=90,  # it compares the checks that the others want
    on_with=frozenset({"enum-check"}),
)
