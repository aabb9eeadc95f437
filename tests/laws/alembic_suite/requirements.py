"""What Alembic's suite may take for granted: all that PostgreSQL has is tested."""

from alembic.testing.requirements import SuiteRequirements
from sqlalchemy.testing import exclusions

open_ = property(lambda self: exclusions.open())


class PostgreSQLRequirements(SuiteRequirements):
    """SuiteRequirements leaves these out, for the sake of lesser databases."""

    autocommit_isolation = open_
    autoincrement_on_composite_pk = open_
    computed_columns = open_
    fk_deferrable = open_
    fk_deferrable_is_reflected = open_
    fk_initially = open_
    fk_ondelete_is_reflected = open_
    fk_onupdate_is_reflected = open_
    identity_columns = open_
    identity_columns_alter = open_
    reflects_fk_options = open_
    reflects_pk_names = open_
