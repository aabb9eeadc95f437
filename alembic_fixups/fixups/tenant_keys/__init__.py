"""Composite tenant foreign keys: the engagement a row names must belong to the client it names."""

from alembic_fixups.fixups import Fixup
from alembic_fixups.fixups.tenant_keys.inference import hint, infer
from alembic_fixups.fixups.tenant_keys.operation import replace
from alembic_fixups.fixups.tenant_keys.rewrite import rewrite
from alembic_fixups.fixups.tenant_keys.settings import TenantKeysSettings

FIXUP = Fixup(
    name="tenant-keys",
    settings=TenantKeysSettings,
    rewrite=rewrite,
    replace=replace,
    infer=infer,
    hint=hint,
)
