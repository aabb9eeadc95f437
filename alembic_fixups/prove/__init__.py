"""``alembic-fixups prove``: what a revision does, shown before it is merged."""
