"""A pytest plugin: puts alembic_fixups into every AutogenContext, and counts what happens.

The outcome of each test and the numbers of calls go to the file that ``--outcome`` names.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

outcomes: dict[str, str] = {}
calls: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--outcome", type=Path, help="where to write what happened, as JSON")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    import sqlalchemy.dialects.postgresql.provision  # noqa: F401
    from sqlalchemy.testing import provision

    # For tests of SQLAlchemy's own it makes extensions, which the embedded server does not have.
    provision.post_configure_engine.fns.pop("postgresql", None)
    _load_everywhere()


def _load_everywhere() -> None:
    """Adds the plugin to whatever list of plugins an AutogenContext asks for."""
    from alembic.runtime.plugins import Plugin

    from alembic_fixups import comparator

    populate = Plugin.populate_autogenerate_priority_dispatch

    def with_fixups(comparators: Any, include_plugins: list[str]) -> None:
        calls["contexts"] += 1
        populate(comparators, [*include_plugins, "alembic_fixups"])

    setattr(Plugin, populate.__name__, staticmethod(with_fixups))
    for hook in ("rewrite_target", "replace_operations"):
        setattr(comparator, hook, _counted(getattr(comparator, hook)))


def _counted(function: Any) -> Any:
    @wraps(function)
    def count(*arguments: Any) -> Any:
        calls[function.__name__] += 1
        return function(*arguments)

    return count


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # A test that is over counts as its worst phase.
    if report.when == "call" or report.outcome != "passed":
        outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish(session: pytest.Session) -> None:
    path: Path = session.config.getoption("outcome")
    path.write_text(json.dumps({"outcomes": outcomes, "calls": calls}))
