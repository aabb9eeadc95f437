"""Schema-prefix normalisation: every table is in one named schema, and every reference says so."""

from alembic_fixups.fixups import Fixup
from alembic_fixups.fixups.schema_prefix.inference import hint, infer
from alembic_fixups.fixups.schema_prefix.moves import locate
from alembic_fixups.fixups.schema_prefix.operation import replace
from alembic_fixups.fixups.schema_prefix.rewrite import rewrite
from alembic_fixups.fixups.schema_prefix.settings import SchemaPrefixSettings

FIXUP = Fixup(
    name="schema-prefix",
    settings=SchemaPrefixSettings,
    rewrite=rewrite,
    locate=locate,
    replace=replace,
    infer=infer,
    hint=hint,
    order=10,  # the others find every table under its schema
)
