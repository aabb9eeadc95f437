"""Settings: what is found, and what is said of those that are no good."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config

from alembic_fixups import settings
from alembic_fixups.settings import SettingsError

TENANTS = "[tool.alembic-fixups.tenant-keys]\n"
GENERAL = "[tool.alembic-fixups]\n"
UNREADABLE = "/proc/self/mem"
"""A file that not even root can read from its beginning."""


def load(folder: Path, toml: str) -> settings.Settings:
    """The settings of a pyproject.toml with this in it."""
    path = folder / "pyproject.toml"
    path.write_text(toml)
    return settings.load(path)


def test_nothing_is_on_without_the_table(tmp_path: Path) -> None:
    assert settings.load(None).active == ()
    assert load(tmp_path, "[project]\nname = 'x'\n").active == ()
    assert load(tmp_path, GENERAL).active == ()


def test_a_fixup_is_on_when_its_table_is_there(tmp_path: Path) -> None:
    [(fixup, chosen)] = load(tmp_path, TENANTS).active
    assert (fixup.name, chosen.scope, chosen.violations) == ("tenant-keys", "hierarchy", "abort")
    assert chosen.levels is None


def test_the_defaults(tmp_path: Path) -> None:
    general = load(tmp_path, GENERAL).general
    assert (general.lock_timeout, general.idempotent, general.templates) == ("5s", "all", None)


@pytest.mark.parametrize("value", ["250ms", "5s", "2min", "1h", " 5 s ", "2147483647ms", "596h"])
def test_times(tmp_path: Path, value: str) -> None:
    toml = f'{GENERAL}lock-timeout = "{value}"\n'
    assert load(tmp_path, toml).general.lock_timeout == value.replace(" ", "")


def test_a_time_is_not_octal(tmp_path: Path) -> None:
    """PostgreSQL reads 010s as eight seconds."""
    assert load(tmp_path, f"{GENERAL}lock-timeout = '010s'\n").general.lock_timeout == "10s"


@pytest.mark.parametrize(
    ("toml", "line", "message"),
    [
        (f"{GENERAL}lock-timeout = '0'", 2, "a number and a unit"),
        (f"{GENERAL}lock-timeout = '0s'", 2, "wait for a lock for ever"),
        (f"{GENERAL}lock-timeout = '5 parsecs'", 2, "a number and a unit"),
        (f"{GENERAL}lock-timeout = 5", 2, "lock-timeout has to be a text"),
        (f"{GENERAL}idempotent = 'some'", 2, "'all' or 'fixups'"),
        (f"{GENERAL}lock_timeout = '5s'", 2, "did you mean 'lock-timeout'?"),
        (f"{GENERAL}tenant-key = {{}}", 2, "did you mean 'tenant-keys'?"),
        (f"{GENERAL}zzz = 1", 2, "known are"),
        (f"{GENERAL}templates = 'nowhere'", 2, "is no folder"),
        (f"{TENANTS}scope = 'everything'", 2, "'hierarchy' or 'all'"),
        (f"{TENANTS}\nviolations = 'delete'", 3, "'abort', 'quarantine' or 'null'"),
        (f"{TENANTS}level = []", 2, "did you mean 'levels'?"),
        (f"{TENANTS}levels = []", 2, "tenant-keys.levels has to have at least 2 items"),
        (f"{TENANTS}levels = 'clients'", 2, "tenant-keys.levels has to be a list"),
        (f"{TENANTS}levels = {{}}", 2, "tenant-keys.levels has to be a list"),
        (f"{TENANTS}levels = [\n3, {{}}]", 3, "tenant-keys.levels[0] has to be a table"),
        (f"{GENERAL}tenant-keys = 3", 2, "tenant-keys has to be a table"),
        (f"{GENERAL}templates = 3", 2, "templates has to be a text"),
        (f"{GENERAL}lock-timeout = '25d'", 2, "a number and a unit"),
        (f"{GENERAL}lock-timeout = '2147483648ms'", 2, "2147483647ms at most"),
        (f"{GENERAL}lock-timeout = '600h'", 2, "2147483647ms at most"),
        (
            f"{TENANTS}levels = [\n"
            "  { table = 'a', column = 'b' },\n  { table = 'c', colunm = 'd' },\n]",
            4,
            "tenant-keys.levels[1].column is missing",
        ),
        ("[tool]\nalembic-fixups = 3", 1, "has to be a table"),
        ("[tool.alembic-fixups", 1, "pyproject.toml"),
    ],
)
def test_what_is_no_good_is_said_with_its_line(
    tmp_path: Path, toml: str, line: int, message: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, toml)
    assert message in str(raised.value)
    place = f"{tmp_path / 'pyproject.toml'}:"
    assert str(raised.value).startswith(place)
    if f"{place}{line}" not in str(raised.value):
        assert "has to be a table" in message or "pyproject" in message


def test_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_bytes(b"[project]\nname = 'caf\xe9'\n")
    with pytest.raises(SettingsError) as raised:
        settings.load(path)
    assert str(raised.value) == f"{path}:2: not UTF-8, which TOML has to be"


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").symlink_to(UNREADABLE)
    with pytest.raises(SettingsError) as raised:
        settings.load(tmp_path / "pyproject.toml")
    assert str(raised.value) == f"{tmp_path}/pyproject.toml: cannot be read: Input/output error"


def test_tool_that_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, "# all\ntool = 3\n")
    assert str(raised.value) == f"{tmp_path}/pyproject.toml:2: tool has to be a table"


def test_a_bad_entry_is_not_said_to_make_the_list_too_short(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        load(
            tmp_path,
            f"{TENANTS}levels = [\n  {{ table = 'a', column = 'b' }},\n  {{ table = 'c' }},\n]",
        )
    path = tmp_path / "pyproject.toml"
    assert str(raised.value) == f"{path}:4: tenant-keys.levels[1].column is missing"


def test_unknown_key_in_a_nested_table(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        load(
            tmp_path,
            f"{TENANTS}levels = [\n  {{ tabel = 'a', table = 'a', column = 'b' }},\n"
            "  { table = 'c', column = 'd' },\n]",
        )
    path = tmp_path / "pyproject.toml"
    assert str(raised.value) == f"{path}:3: unknown key 'tabel'; did you mean 'table'?"


COLUMN = ("tenant-keys", "levels", 1, "column")
BOTH_LEVELS = "{ table = 'a', column = 'b' }, { table = 'c', column = 'd' }"

# Each case: the file, the keys, the line of the setting.
PLACES = {
    "a table a line": (
        f"{TENANTS}levels = [\n  {{ table = 'a', column = 'b' }},\n"
        "  { table = 'c', column = 'd' },\n]\n",
        COLUMN,
        4,
    ),
    "an element": (f"{TENANTS}levels = [\n{{ table = 'a' }},\n{{}},\n]\n", COLUMN[:3], 4),
    "on one line": (f"\n{TENANTS}# the levels\nlevels = [{BOTH_LEVELS}]\n", COLUMN, 4),
    "brackets in texts and comments": (
        f'{TENANTS}levels = [  # {{ {{ [\n  {{ table = \'}}{{\', column = "]\\"" }},  # }},\n'
        "  # { table = 'x', column = 'y' },\n  { table = 'c', column = 'd' },\n]\n",
        COLUMN,
        5,
    ),
    "a key that only the next entry has": (
        f"{TENANTS}levels = [\n  {{ table = 'a' }},\n  {{ column = 'd' }},\n]\n",
        ("tenant-keys", "levels", 0, "column"),
        3,
    ),
    "a key of another table": ("[other]\nscope = 1\n" + TENANTS, ("tenant-keys", "scope"), 3),
    "a key that is commented out": (
        f"{TENANTS}# scope = 'all'\nscope = 'x'\n",
        ("tenant-keys", "scope"),
        3,
    ),
    "array of tables": (
        "[tool.alembic-fixups]\n[[tool.alembic-fixups.tenant-keys.levels]]\ncolumn = 'b'\n"
        "[[tool.alembic-fixups.tenant-keys.levels]]\ntable = 'c'\ncolumn = 'd'\n",
        COLUMN,
        6,
    ),
    "dotted keys": (
        "[tool.alembic-fixups]\ntenant-keys.scope = 'x'\n"
        "tenant-keys.levels = [\n{ table = 'a' },\n{ column = 'd' }]\n",
        COLUMN,
        5,
    ),
    "dotted from the top": (
        "[tool]\nother = 1\nalembic-fixups.lock-timeout = '1s'\n",
        ("lock-timeout",),
        3,
    ),
    "quoted": (
        "[tool.\"alembic-fixups\".'tenant-keys']\n\"scope\" = 'x'\n",
        ("tenant-keys", "scope"),
        2,
    ),
    "the whole table": (f"\n\n{TENANTS}", ("tenant-keys",), 3),
    "an entry that is not there": (f"{TENANTS}levels = []\n", COLUMN, 2),
}


@pytest.mark.parametrize(("toml", "keys", "line"), PLACES.values(), ids=PLACES.keys())
def test_a_setting_is_found_by_its_keys(
    tmp_path: Path, toml: str, keys: tuple[str | int, ...], line: int
) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(toml)
    error = SettingsError("no such column", keys=keys)
    assert settings.located(error, path) == f"{path}:{line}: no such column"


def test_a_message_is_given_one_place_at_most(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    error = SettingsError("no", keys=("tenant-keys",))
    assert settings.located(error, None) == "no"
    assert settings.located(error, path) == f"{path}: no", "there is no file"
    path.write_text(TENANTS)
    placed = SettingsError(f"{path}:7: no")
    assert settings.located(placed, path) == f"{path}:7: no"


def test_paths_are_relative_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    assert settings.shown(tmp_path / "inner" / "x.toml") == "inner/x.toml"
    assert settings.shown("inner/x.toml") == "inner/x.toml"
    monkeypatch.chdir(tmp_path / "inner")
    assert settings.shown(tmp_path / "x.toml") == f"{tmp_path}/x.toml"
    assert settings.shown("../x.toml") == f"{tmp_path}/x.toml"
    monkeypatch.chdir("/")
    assert settings.shown(tmp_path / "x.toml") == f"{tmp_path}/x.toml"


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, f"{TENANTS}scope = 'x'\nviolations = 'y'\n")
    assert len(str(raised.value).splitlines()) == 2


def test_the_file_is_found_upward_from_alembic_ini(tmp_path: Path) -> None:
    inner = tmp_path / "backend" / "db"
    inner.mkdir(parents=True)
    (inner / "alembic.ini").write_text("[alembic]\n")
    config = Config(str(inner / "alembic.ini"))
    (tmp_path / "pyproject.toml").write_text("")
    assert settings.path_for(config) == tmp_path / "pyproject.toml"
    (tmp_path / "backend" / "pyproject.toml").write_text("")
    assert settings.path_for(config) == tmp_path / "backend" / "pyproject.toml"


def test_alembic_ini_may_name_another_file(tmp_path: Path) -> None:
    ini = tmp_path / "alembic.ini"
    ini.write_text("[alembic]\n[alembic_fixups]\nsettings = fixups.toml\n")
    with pytest.raises(SettingsError, match="which is no file"):
        settings.path_for(Config(str(ini)))
    ini.write_text("[alembic]\n[alembic_fixups]\nsettings = %(nowhere)s/x.toml\n")
    with pytest.raises(SettingsError, match=r"alembic\.ini: Bad value substitution"):
        settings.path_for(Config(str(ini)))
    ini.write_text("[alembic]\n[alembic_fixups]\nsettings = fixups.toml\n")
    (tmp_path / "fixups.toml").write_text(TENANTS)
    path = settings.path_for(Config(str(ini)))
    assert path == tmp_path / "fixups.toml"
    assert len(settings.load(path).active) == 1


def test_a_users_templates_come_first(tmp_path: Path) -> None:
    from alembic_fixups.rendering.templates import TableName, Templates

    (tmp_path / "mine" / "common").mkdir(parents=True)
    (tmp_path / "mine" / "common" / "drop_index.sql.j2").write_text(
        "DROP INDEX {{ index.sql }} CASCADE"
    )
    general = load(tmp_path, f"{GENERAL}templates = 'mine'\n").general
    templates = Templates(general.lock_timeout, general.templates)
    index = TableName(None, "i")
    step = templates.step("common/drop_index.sql.j2", "", "", index=index, partitioned=False)
    assert step.sql == "DROP INDEX i CASCADE"
    shipped = Templates("5s").step(
        "common/drop_index.sql.j2", "", "", index=index, partitioned=False
    )
    assert shipped.sql == "DROP INDEX CONCURRENTLY IF EXISTS i"
