"""From what a fixup wants done to the source of a migration."""
