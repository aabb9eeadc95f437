"""``[tool.alembic-fixups]`` in pyproject.toml, read into one validated model."""

from __future__ import annotations

import configparser
import difflib
import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, ValidationError
from pydantic.fields import FieldInfo

from alembic_fixups.fixups import Fixup, all_fixups

if TYPE_CHECKING:
    from alembic.config import Config

TABLE = "alembic-fixups"
_Table = TypeVar("_Table", bound=BaseModel)
_DURATION = re.compile(r"(?P<number>[0-9]{1,20})\s*(?P<unit>ms|s|min|h)")
_MILLISECONDS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}
_LONGEST = 2**31 - 1
"""PostgreSQL keeps lock_timeout as a number of milliseconds in 32 bits."""

_PROBLEMS = {
    "missing": "is missing",
    "tuple_type": "has to be a list",
    "list_type": "has to be a list",
    "dict_type": "has to be a table",
    "model_type": "has to be a table",
    "string_type": "has to be a text",
    "path_type": "has to be a text",
    "bool_type": "has to be true or false",
    "int_type": "has to be a whole number",
    "literal_error": "has to be {expected}",
    "too_short": "has to have at least {min_length} items",
}
"""What pydantic's kinds of errors are called here; it speaks of tuples and instances."""


class SettingsError(Exception):
    """A setting that cannot be used.

    Attributes:
        keys: the setting, from the top of ``[tool.alembic-fixups]`` down, for :func:`located`;
            empty where the message names the file itself.
    """

    def __init__(self, message: str, *, keys: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.keys = keys


def located(error: SettingsError, path: Path | None) -> str:
    """The message with ``file:line: `` before it, unless it begins with its file already."""
    message = str(error)
    if path is None or message.startswith(f"{shown(path)}:"):
        return message
    try:
        text, _ = read(path)
    except SettingsError:
        return f"{shown(path)}: {message}"
    return _at(path, text, error.keys) + message


def shown(filename: str | Path) -> str:
    """The path as a person would write it: relative to the working directory where it is below."""
    path = Path(os.path.abspath(filename))
    folder = Path.cwd()
    below = path.is_relative_to(folder) and folder != Path(folder.anchor)
    return str(path.relative_to(folder) if below else path)


def _kebab(name: str) -> str:
    return name.replace("_", "-")


def key_of(name: str, field: FieldInfo) -> str:
    """What a field of a settings model is called in the file."""
    return field.alias or _kebab(name)


def _duration(value: str) -> str:
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("write a number and a unit (ms, s, min or h), as in '5s'")
    if int(match["number"]) == 0:
        raise ValueError("0 would wait for a lock for ever and block every query behind it")
    if int(match["number"]) * _MILLISECONDS[match["unit"]] > _LONGEST:
        raise ValueError(f"PostgreSQL takes {_LONGEST}ms at most, which is 24 days")
    # Without leading zeros, which would make it octal for PostgreSQL.
    return f"{int(match['number'])}{match['unit']}"


Duration = Annotated[str, AfterValidator(_duration)]
"""A time as PostgreSQL writes it: a number and one of ms, s, min, h (manual, 20.1)."""


class Model(BaseModel):
    """Base of every settings table: kebab-case keys, unknown ones refused, never changed."""

    model_config = ConfigDict(
        alias_generator=_kebab, populate_by_name=False, extra="forbid", frozen=True
    )


Law = Literal[
    "runs",
    "again",
    "restart",
    "downgrade",
    "downgrade-again",
    "downgrade-restart",
    "upgrade-after-downgrade",
    "offline",
]
"""What ``prove`` holds a revision to."""


class General(Model):
    """The keys at the top of ``[tool.alembic-fixups]``."""

    lock_timeout: Duration = "5s"
    idempotent: Literal["all", "fixups"] = "all"
    templates: Path | None = None


class Squash(Model):
    """``[tool.alembic-fixups.squash]``: where old revisions are replayed.

    Attributes:
        postgres: the major version of the embedded server.
        roles: roles that the migrations grant to or switch to, and that they do not make.
    """

    postgres: StrictInt = 16
    roles: tuple[str, ...] = ()


class Prove(Model):
    """``[tool.alembic-fixups.prove]``: what revisions are held to, and on which rows.

    The server is that of :class:`Squash`.

    Attributes:
        laws: those that are tried; ``runs`` is always one of them.
        rows: how many are made up for each table.
        seed: other numbers give other rows.
        stops: at how many of its statements a run is stopped at most.
    """

    laws: tuple[Law, ...] = get_args(Law)
    rows: Annotated[StrictInt, Field(ge=0)] = 20
    seed: StrictInt = 0
    stops: Annotated[StrictInt, Field(ge=1)] = 200


class Settings:
    """What is switched on, and how.

    Attributes:
        path: the file the settings come from, None where there is none.
        general: the keys at the top of the table.
        squash: its table ``squash``.
        prove: its table ``prove``.
        active: each fixup that has a table of its own, with that table, validated; in the order
            in which the fixups rewrite the schema.
    """

    def __init__(
        self,
        path: Path | None = None,
        general: General | None = None,
        active: Iterable[tuple[Fixup, Any]] = (),
        squash: Squash | None = None,
        prove: Prove | None = None,
    ) -> None:
        self.path = path
        self.general = general or General()
        self.active = tuple(active)
        self.squash = squash or Squash()
        self.prove = prove or Prove()


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
    try:
        name = config.file_config.get("alembic_fixups", "settings", fallback=None)
    except configparser.Error as error:
        raise SettingsError(f"{shown(ini)}: {error}") from error
    if name is None:
        return find(ini.parent)
    if not (ini.parent / name).is_file():
        raise SettingsError(
            f"{shown(ini)}: [alembic_fixups] settings names {shown(ini.parent / name)}, "
            "which is no file"
        )
    return ini.parent / name


def read(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file and what it says.

    Raises:
        SettingsError: it cannot be read, is no TOML, or has no table where ``tool`` has to be one.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{shown(path)}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{shown(path)}:{line}: not UTF-8, which TOML has to be") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{shown(path)}: {error}") from error
    if not isinstance(document.get("tool", {}), dict):
        raise SettingsError(f"{_at(path, text, ())}tool has to be a table")
    return text, document


def load(path: Path | None) -> Settings:
    """Reads and checks the settings in *path*; none at all where the table is not there.

    Raises:
        SettingsError: the file cannot be read, or a key is unknown or has a wrong value.
    """
    if path is None:
        return Settings()
    text, document = read(path)
    table = document.get("tool", {}).get(TABLE)
    if table is None:
        return Settings(path)
    if not isinstance(table, dict):
        raise SettingsError(f"{_at(path, text, ())}tool.{TABLE} has to be a table")

    fixups = {fixup.name: fixup for fixup in all_fixups()}
    known = {_kebab(name) for name in General.model_fields}
    every = {*known, *fixups, "squash", "prove"}
    for key in table:
        if key not in every:
            raise SettingsError(_at(path, text, (key,)) + _unknown(key, every))
    general = _validate(General, {key: table[key] for key in table if key in known}, (), path, text)
    if general.templates is not None:
        folder = path.parent / general.templates
        if not folder.is_dir():
            where = _at(path, text, ("templates",))
            raise SettingsError(f"{where}templates: {shown(folder)} is no folder")
        general = general.model_copy(update={"templates": folder})
    active = [
        (fixup, _validate(fixup.settings, table.get(name, {}), (name,), path, text))
        for name, fixup in fixups.items()
        if name in table or not fixup.on_with.isdisjoint(table)
    ]
    squash = _validate(Squash, table.get("squash", {}), ("squash",), path, text)
    prove = _validate(Prove, table.get("prove", {}), ("prove",), path, text)
    return Settings(path, general, active, squash, prove)


def _validate(
    model: type[_Table], table: Any, prefix: tuple[str, ...], path: Path, text: str
) -> _Table:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        problems = [problem for problem in error.errors() if not _follows(problem)]
        raise SettingsError(
            "\n".join(
                _at(path, text, (*prefix, *problem["loc"])) + _explain(problem, model, prefix)
                for problem in problems
            )
        ) from error


def _follows(problem: Any) -> bool:
    """Whether a list is too short only because pydantic does not count the bad entries."""
    if problem["type"] != "too_short":
        return False
    return len(problem["input"]) >= int(problem["ctx"]["min_length"])


def _explain(problem: Any, model: type[BaseModel], prefix: tuple[str, ...]) -> str:
    keys = (*prefix, *problem["loc"])
    if problem["type"] == "extra_forbidden":
        fields = _model_at(model, problem["loc"][:-1]).model_fields
        return _unknown(keys[-1], [key_of(name, field) for name, field in fields.items()])
    if problem["type"] in _PROBLEMS:
        return f"{_dotted(keys)} {_PROBLEMS[problem['type']].format(**problem.get('ctx', {}))}"
    return f"{_dotted(keys)}: {problem['msg'].removeprefix('Value error, ')}"


def _model_at(model: type[BaseModel], keys: Sequence[str | int]) -> type[BaseModel]:
    """The model of the table at *keys* below the table that *model* is for."""
    for key in keys:
        if isinstance(key, str):
            fields = {key_of(name, field): field for name, field in model.model_fields.items()}
            # A key that is no field is a name of the user's, in a table of tables.
            if key in fields:
                model = next(_models_in(fields[key].annotation), model)
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _unknown(key: str, known: Iterable[str]) -> str:
    known = sorted(known)
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return f"unknown key {key!r}; {hint}"


def _dotted(keys: Iterable[str | int]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def _at(path: Path, text: str, keys: tuple[str | int, ...]) -> str:
    """``file:line: `` of the innermost of *keys* that the text shows."""
    return f"{shown(path)}:{text.count(chr(10), 0, _find(text, ('tool', TABLE, *keys))) + 1}: "


_TEXT_OR_COMMENT = re.compile(
    r'"""[\s\S]*?"""|' r"'''[\s\S]*?'''|" r'"(?:\\.|[^"\\\n])*"|' r"'[^'\n]*'|#.*"
)
_HEADER = re.compile(r"^[ \t]*(\[{1,2})([^\[\]\n]+)\]{1,2}[ \t]*$", re.MULTILINE)
_NAME = re.compile(r""""[^"]*"|'[^']*'|[\w-]+""")


def _find(text: str, keys: tuple[str | int, ...]) -> int:
    """The offset of the innermost of *keys* that the text shows; tomllib keeps no places."""
    code = _TEXT_OR_COMMENT.sub(lambda found: _blank(found[0], "#", " "), text)
    headers = list(_HEADER.finditer(code))
    place, end, length = 0, headers[0].start() if headers else len(code), 0
    seen = Counter[str]()
    for header, after in zip_longest(headers, headers[1:]):
        names: tuple[str | int, ...] = tuple(name.strip("\"'") for name in _NAME.findall(header[2]))
        if header[1] == "[[":
            names = (*names, seen[header[2]])
            seen[header[2]] += 1
        common = min(len(names), len(keys))
        if common > length and names[:common] == keys[:common]:
            place, end, length = header.end(), after.start() if after else len(code), common

    brackets = _TEXT_OR_COMMENT.sub(lambda found: _blank(found[0], "\"'", "x"), code)
    for key in keys[length:]:
        if isinstance(key, int):
            place, end = _element(brackets, place, end, key)
            continue
        pattern = rf"(?:^|[{{,.])\s*(?P<key>[\"']?{re.escape(key)}[\"']?)\s*[=.]"
        found = re.compile(pattern, re.MULTILINE).search(code, place, end)
        if found is None:
            break
        place = found.start("key")
    return place


def _blank(token: str, marks: str, filling: str) -> str:
    """The token as it is, or, where it begins with one of *marks*, as much of the filling."""
    return re.sub(".", filling, token) if token[0] in marks else token


def _element(brackets: str, start: int, end: int, number: int) -> tuple[int, int]:
    """The span of an element of the list that opens first after *start*."""
    depth, begin = 0, None
    for place in range(start, end):
        character = brackets[place]
        if depth == 1 and character in ",]":
            if number == 0 and begin is not None:
                return begin, place
            number, begin = number - 1, None
        elif depth == 1 and begin is None and not character.isspace():
            begin = place
        depth += (character in "[{") - (character in "]}")
        if depth == 0 and character == "]":
            break
    return start, end
