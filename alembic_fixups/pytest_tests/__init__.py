"""The tests that ``pytest --alembic-fixups`` adds."""
