"""``python -m alembic_fixups``: the command line, where its script is not on the path."""

from alembic_fixups.cli import main

if __name__ == "__main__":
    main()
