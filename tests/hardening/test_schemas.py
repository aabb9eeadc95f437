"""Random models, random changes of them, random settings: every law, on each."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, event, given, note, seed, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from alembic_fixups import scratch
from tests.hardening import trial
from tests.hardening.cases import cases
from tests.hardening.schemas import Case

CASES = 25
"""How many each of the four fast tests tries."""

NIGHTLY = int(os.environ.get("FIXUPS_NIGHTLY_CASES", "2000"))
FOUND = DirectoryBasedExampleDatabase(".hypothesis/examples")
"""What failed last night is tried first tonight."""

pytestmark = [
    pytest.mark.postgres(16),
    pytest.mark.timeout(1200),  # each is one test of many cases
    # SQLAlchemy and Alembic on what they cannot reflect or compare, in schemas nobody would write.
    pytest.mark.filterwarnings("ignore"),
]
alike = settings(
    deadline=None,
    print_blob=True,
    # One case is a database, several migrations and a dozen looks at it.
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
    ],
)
fast = settings(alike, max_examples=CASES, database=None)


def held_to_the_laws(case: Case, server: scratch.Server, template: str) -> None:
    """Fails where a law does not hold, with the models and the revision."""
    event(trial.run(case, server, template, note).kind)


# Four, each with numbers of its own, so that the workers share them.


@fast
@seed(1)
@given(case=cases())
def test_the_laws_hold_1(server: scratch.Server, template: str, case: Case) -> None:
    held_to_the_laws(case, server, template)


@fast
@seed(2)
@given(case=cases())
def test_the_laws_hold_2(server: scratch.Server, template: str, case: Case) -> None:
    held_to_the_laws(case, server, template)


@fast
@seed(3)
@given(case=cases())
def test_the_laws_hold_3(server: scratch.Server, template: str, case: Case) -> None:
    held_to_the_laws(case, server, template)


@fast
@seed(4)
@given(case=cases())
def test_the_laws_hold_4(server: scratch.Server, template: str, case: Case) -> None:
    held_to_the_laws(case, server, template)


@pytest.mark.nightly
@pytest.mark.postgres(16, 18)
@pytest.mark.timeout(0)
@settings(alike, max_examples=NIGHTLY, derandomize=False, database=FOUND)
@given(case=cases())
def test_the_laws_hold_all_night(server: scratch.Server, template: str, case: Case) -> None:
    held_to_the_laws(case, server, template)
