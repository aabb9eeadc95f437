"""A column's type changed in place or by way of a second column, and what hangs on it."""
