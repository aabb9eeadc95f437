"""Alembic autogenerate that brings a whole PostgreSQL schema into the shape it ought to have.

Nothing is imported here: the plugin is loaded while Alembic itself is still being imported.
"""

__version__ = "0.1.0"
