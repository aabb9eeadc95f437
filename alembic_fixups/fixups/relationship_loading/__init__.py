"""How relationships are loaded: ``lazy`` put right, and set where the settings ask for it."""

from alembic_fixups.fixups import Fixup
from alembic_fixups.fixups.relationship_loading.operation import replace
from alembic_fixups.fixups.relationship_loading.rewrite import hint, infer, rewrite
from alembic_fixups.fixups.relationship_loading.settings import NAME, RelationshipLoadingSettings

FIXUP = Fixup(
    name=NAME,
    settings=RelationshipLoadingSettings,
    rewrite=rewrite,
    replace=replace,
    infer=infer,
    hint=hint,
    order=5,  # one wrong value keeps all mappers from being configured, which others need
)
