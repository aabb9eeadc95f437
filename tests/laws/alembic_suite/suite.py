"""Alembic's own tests of autogenerate, as third-party dialects run them."""

from alembic.testing.suite import *  # noqa: F403
