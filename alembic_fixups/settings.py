"""``[tool.alembic-fixups]`` in pyproject.toml, read into one validated model."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from alembic_fixups.fixups import Fixup, all_fixups

if TYPE_CHECKING:
    from alembic.config import Config

TABLE = "alembic-fixups"
_Table = TypeVar("_Table", bound=BaseModel)
_DURATION = re.compile(r"(?P<number>\d+)\s*(?P<unit>ms|s|min|h)")


class SettingsError(Exception):
    """A setting that cannot be used; the message names file, line and key."""


def _kebab(name: str) -> str:
    return name.replace("_", "-")


def _duration(value: str) -> str:
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("write a number and a unit (ms, s, min or h), as in '5s'")
    if int(match["number"]) == 0:
        raise ValueError("0 would wait for a lock for ever and block every query behind it")
    return match["number"] + match["unit"]


Duration = Annotated[str, AfterValidator(_duration)]
"""A time as PostgreSQL writes it: a number and one of ms, s, min, h (manual, 20.1)."""


class Model(BaseModel):
    """Base of every settings table: kebab-case keys, unknown ones refused, never changed."""

    model_config = ConfigDict(
        alias_generator=_kebab, populate_by_name=False, extra="forbid", frozen=True
    )


class General(Model):
    """The keys at the top of ``[tool.alembic-fixups]``."""

    lock_timeout: Duration = "5s"
    idempotent: Literal["all", "fixups"] = "all"
    templates: Path | None = None


class Settings:
    """What is switched on, and how.

    Attributes:
        path: the file the settings come from, None where there is none.
        general: the keys at the top of the table.
        active: each fixup that has a table of its own, with that table, validated; in the order
            in which the fixups rewrite the schema.
    """

    def __init__(
        self,
        path: Path | None = None,
        general: General | None = None,
        active: Iterable[tuple[Fixup, Any]] = (),
    ) -> None:
        self.path = path
        self.general = general or General()
        self.active = tuple(active)


def find(start: Path) -> Path | None:
    """The pyproject.toml in *start* or the nearest folder above it, None where there is none."""
    for folder in (start, *start.parents):
        if (folder / "pyproject.toml").is_file():
            return folder / "pyproject.toml"
    return None


def path_for(config: Config | None) -> Path | None:
    """The settings file of an Alembic configuration.

    ``settings`` in the section ``[alembic_fixups]`` of alembic.ini names it; otherwise it is
    the pyproject.toml that Alembic itself was given, or the one found upward from alembic.ini or
    from the working directory.

    Raises:
        SettingsError: the file that alembic.ini names does not exist.
    """
    if config is None:
        return find(Path.cwd())
    if config.config_file_name is None:
        given = Path(config.toml_file_name) if config.toml_file_name is not None else None
        return given if given is not None and given.is_file() else find(Path.cwd())
    ini = Path(config.config_file_name).resolve()
    if config.file_config.has_option("alembic_fixups", "settings"):
        named = ini.parent / config.file_config.get("alembic_fixups", "settings")
        if not named.is_file():
            raise SettingsError(f"{ini}: [alembic_fixups] settings names {named}, which is no file")
        return named
    return find(ini.parent)


def load(path: Path | None) -> Settings:
    """Reads and checks the settings in *path*; none at all where the table is not there.

    Raises:
        SettingsError: the file is no TOML, or a key is unknown or has a wrong value.
    """
    if path is None:
        return Settings()
    text = path.read_text(encoding="utf-8")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from error
    tool = document.get("tool", {})
    table = tool.get(TABLE) if isinstance(tool, dict) else None
    if table is None:
        return Settings(path)
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: tool.{TABLE} has to be a table")

    fixups = {fixup.name: fixup for fixup in all_fixups()}
    known = {_kebab(name) for name in General.model_fields}
    for key in table:
        if key not in known and key not in fixups:
            raise SettingsError(_at(path, text, (key,)) + _unknown(key, [*known, *fixups]))
    general = _validate(General, {key: table[key] for key in table if key in known}, (), path, text)
    if general.templates is not None:
        folder = path.parent / general.templates
        if not folder.is_dir():
            where = _at(path, text, ("templates",))
            raise SettingsError(f"{where}templates: {folder} is no folder")
        general = general.model_copy(update={"templates": folder})
    active = [
        (fixup, _validate(fixup.settings, table[name], (name,), path, text))
        for name, fixup in fixups.items()
        if name in table
    ]
    return Settings(path, general, active)


def _validate(
    model: type[_Table], table: Any, prefix: tuple[str, ...], path: Path, text: str
) -> _Table:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise SettingsError(
            "\n".join(_explain(problem, model, prefix, path, text) for problem in error.errors())
        ) from error


def _explain(
    problem: Any, model: type[BaseModel], prefix: tuple[str, ...], path: Path, text: str
) -> str:
    keys = (*prefix, *problem["loc"])
    where = _at(path, text, keys)
    if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
        return where + _unknown(keys[-1], [_kebab(name) for name in model.model_fields])
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}{_dotted(keys)}: {message}"


def _unknown(key: str, known: Iterable[str]) -> str:
    known = sorted(known)
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return f"unknown key {key!r}; {hint}"


def _dotted(keys: Iterable[Any]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def _at(path: Path, text: str, keys: tuple[Any, ...]) -> str:
    """``file:line: `` of the innermost of *keys* that the text shows; tomllib keeps no lines."""
    lines = text.splitlines()
    place = _line_of(lines, 0, rf"^\s*\[tool\.[\"']?{TABLE}[\"']?[\].]") or 0
    for key in keys:
        if isinstance(key, str):
            quoted = rf"[\"']?{re.escape(key)}[\"']?"
            pattern = rf"^\s*\[tool\.[\"']?{TABLE}[\"']?\.{quoted}[\].]|(^|[{{,])\s*{quoted}\s*="
            place = _line_of(lines, place, pattern) or place
    return f"{path}:{place + 1}: "


def _line_of(lines: list[str], start: int, pattern: str) -> int | None:
    return next(
        (number for number in range(start, len(lines)) if re.search(pattern, lines[number])), None
    )
