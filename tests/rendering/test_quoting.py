"""Names and values survive all that lies between a template and the server."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator

import psycopg
import pytest
from alembic.autogenerate.render import _indent
from alembic.migration import MigrationContext
from alembic.operations import Operations
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from alembic_fixups import scratch
from alembic_fixups.rendering import quoting

NASTY = [
    "plain",
    "Capital",
    "select",
    "with space",
    'with "quotes"',
    'ends with "',
    '"""',
    "it's",
    "''",
    "back\\slash",
    "\\",
    "\\:x",
    "a:b :c ::d :e",
    "100% %s %(x)s %%",
    "$fixup$",
    "$$ $1",
    "--",
    "/* */ ; DROP",
    "new\nline\r\ttab",
    "{{ jinja }} {% if %}",
    "é ü 漢字 🚀",
    "\u2028\u0085",
    "E'x'",
]

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20
) | st.sampled_from(NASTY)
NAMES = TEXT.filter(lambda name: len(name.encode()) <= quoting.IDENTIFIER_BYTES)

# Every table has these already (manual, 5.6).
COLUMNS = NAMES.filter(
    lambda name: name not in ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
)


@pytest.fixture(scope="module")
def sixteen() -> Iterator[scratch.Server]:
    """One server for all of these tests."""
    with scratch.embedded(16) as server:
        yield server


@pytest.fixture(scope="module")
def connections(sixteen: scratch.Server) -> Iterator[list[Connection]]:
    """A connection for each of the drivers that are not asynchronous."""
    made = [
        create_engine(sixteen.url.set(drivername=f"postgresql+{driver}")).connect()
        for driver in ("psycopg", "psycopg2")
    ]
    yield made
    for connection in made:
        connection.close()
        connection.engine.dispose()


def source_of(sql: str) -> str:
    """What stands in a revision file, after Alembic has indented it."""
    return "if True:\n    " + _indent(f"op.execute(\n    {quoting.python_string(sql)}\n)")


def run(connection: Connection, sql: str) -> None:
    """Runs the source as a migration would."""
    exec(source_of(sql), {"op": Operations(MigrationContext.configure(connection))})


def offline(sql: str) -> str:
    """What ``alembic upgrade --sql`` prints, from an env.py that does not set a paramstyle."""
    buffer = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": buffer}
    )
    exec(source_of(sql), {"op": Operations(context)})
    return buffer.getvalue()


BLOCK = """
DO $fixup$
BEGIN
  PERFORM set_config('test.value', {literal}, false);
  EXECUTE 'CREATE TEMP TABLE ' || quote_ident({literal}) || ' (' || quote_ident({name}) || ' int)';
  CREATE TEMP TABLE {other} ({identifier} int);
  PERFORM {regclass}::regclass;
END
$fixup$
"""


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=NAMES, name=COLUMNS)
def test_names_and_values_arrive(
    connections: list[Connection], sixteen: scratch.Server, value: str, name: str
) -> None:
    sql = BLOCK.format(
        literal=quoting.literal(value),
        name=quoting.literal(name),
        other=quoting.identifier(f"{value[:8]}~"),
        identifier=quoting.identifier(name),
        regclass=quoting.name_literal("pg_temp", f"{value[:8]}~"),
    )
    found = "SELECT current_setting('test.value')"
    column = (
        "SELECT array_agg(DISTINCT attname::text) FROM pg_attribute JOIN pg_class c"
        " ON c.oid = attrelid WHERE c.relnamespace = pg_my_temp_schema() AND attnum > 0"
        " AND c.relkind = 'r'"
    )
    for connection in connections:
        run(connection, sql)
        assert connection.exec_driver_sql(found).scalar() == value
        assert connection.exec_driver_sql(column).scalar() == [name]
        connection.rollback()
    with scratch.connect(sixteen.url) as plain:
        plain.execute("BEGIN")
        plain.execute(offline(sql).rstrip().rstrip(";"))  # type: ignore[arg-type]
        row = plain.execute(found).fetchone()
        assert row == (value,)


@pytest.mark.parametrize("value", NASTY)
def test_a_comment_is_one_line_of_python(value: str) -> None:
    line = f"# {quoting.comment(value)}"
    assert len(line.splitlines()) == 1
    compile(line, "x", "exec")


def test_psql_reads_the_offline_script(sixteen: scratch.Server) -> None:
    assert sixteen.bindir is not None
    script = "".join(
        offline(f"SELECT {quoting.literal(value)} AS {quoting.identifier(value)}")
        for value in NASTY
    )
    url = sixteen.url.set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run(
        [str(sixteen.bindir / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", url],
        input=script.encode(),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == "".join(f"{value}\n" for value in NASTY)


@given(st.text(min_size=1))
@hypothesis_settings(max_examples=200)
def test_no_name_is_longer_than_postgresql_keeps(name: str) -> None:
    fitted = quoting.fit_identifier(name)
    assert len(fitted.encode(errors="replace")) <= quoting.IDENTIFIER_BYTES
    assert quoting.fit_identifier(fitted) == fitted


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert quoting.fit_identifier("x" * 70 + "a") != quoting.fit_identifier("x" * 70 + "b")


def test_key_words_are_those_of_the_server(sixteen: scratch.Server) -> None:
    """What PostgreSQL would quote is quoted."""
    with psycopg.connect(
        sixteen.url.set(drivername="postgresql").render_as_string(hide_password=False)
    ) as connection:
        words = connection.execute("SELECT word FROM pg_get_keywords() WHERE catcode <> 'U'")
        assert [word for (word,) in words if quoting.is_plain(word)] == []


def test_a_template_that_forgot_to_quote_is_found() -> None:
    with pytest.raises(ValueError, match="raw Python string"):
        quoting.python_string('SELECT """')
