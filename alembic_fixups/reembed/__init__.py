"""``alembic-fixups reembed``: fills the columns that wait for vectors.

A migration leaves a job for such a column (``fixups/vector_dimension/side_tables.py``). What is
done is kept there, so that a run that was cut short goes on where it stopped.
"""
