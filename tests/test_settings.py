"""Settings: what is found, and what is said of those that are no good."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config

from alembic_fixups import settings
from alembic_fixups.settings import SettingsError

TENANTS = "[tool.alembic-fixups.tenant-keys]\n"
GENERAL = "[tool.alembic-fixups]\n"


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


@pytest.mark.parametrize("value", ["250ms", "5s", "2min", "1h", " 5 s "])
def test_times(tmp_path: Path, value: str) -> None:
    toml = f'{GENERAL}lock-timeout = "{value}"\n'
    assert load(tmp_path, toml).general.lock_timeout == value.replace(" ", "")


@pytest.mark.parametrize(
    ("toml", "line", "message"),
    [
        (f"{GENERAL}lock-timeout = '0'", 2, "a number and a unit"),
        (f"{GENERAL}lock-timeout = '0s'", 2, "wait for a lock for ever"),
        (f"{GENERAL}lock-timeout = '5 parsecs'", 2, "a number and a unit"),
        (f"{GENERAL}lock-timeout = 5", 2, "valid string"),
        (f"{GENERAL}idempotent = 'some'", 2, "'all' or 'fixups'"),
        (f"{GENERAL}lock_timeout = '5s'", 2, "did you mean 'lock-timeout'?"),
        (f"{GENERAL}tenant-key = {{}}", 2, "did you mean 'tenant-keys'?"),
        (f"{GENERAL}zzz = 1", 2, "known are"),
        (f"{GENERAL}templates = 'nowhere'", 2, "is no folder"),
        (f"{TENANTS}scope = 'everything'", 2, "'hierarchy' or 'all'"),
        (f"{TENANTS}\nviolations = 'delete'", 3, "'abort', 'quarantine' or 'null'"),
        (f"{TENANTS}level = []", 2, "did you mean 'levels'?"),
        (f"{TENANTS}levels = []", 2, "at least 2 items"),
        (f"{TENANTS}levels = 'clients'", 2, "levels"),
        (
            f"{TENANTS}levels = [\n"
            "  { table = 'a', column = 'b' },\n  { table = 'c', colunm = 'd' },\n]",
            4,
            "levels[1].column: Field required",
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
