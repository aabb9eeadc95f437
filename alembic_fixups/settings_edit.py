"""Missing settings into a pyproject.toml, with everything else as it is."""

from __future__ import annotations

import copy
import inspect
import re
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.items import AoT, Item, Table

from alembic_fixups import settings
from alembic_fixups.fixups import all_fixups
from alembic_fixups.project import ProjectError
from alembic_fixups.settings import shown

if TYPE_CHECKING:
    from pydantic import BaseModel

DEFAULTS = {"lock-timeout": "5s"}
_COMMENTS = {
    "lock-timeout": "how long a step waits for a lock before it gives up, having changed nothing",
}
_COMMENT_WIDTH = 86
_HEADER = re.compile(rf"^\s*\[\s*tool\s*\.\s*[\"']?{settings.TABLE}[\"']?\s*\].*\n", re.MULTILINE)

Values = Mapping[str, Any]


def edit_settings(source: bytes, proposed: Mapping[str, Values], path: Path) -> bytes:
    """Adds the settings that are missing; what is there stays, byte for byte.

    Args:
        source: the TOML file, empty where there is none yet.
        proposed: the tables of fixups by their names.
        path: its name, for the message.

    Raises:
        ProjectError: it is no TOML, or written in a way that nothing can be added to.
    """
    text = source.decode()
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(f"{shown(path)}: {error}") from error
    wanted = copy.deepcopy(before)
    there = wanted.setdefault("tool", {}).setdefault(settings.TABLE, {})
    general = {key: value for key, value in DEFAULTS.items() if key not in there}
    fixups = {name: table for name, table in proposed.items() if name not in there}
    if not general and not fixups:
        return source
    there.update(general | fixups)

    lines = text if text.endswith("\n") or not text else text + "\n"
    header = _HEADER.search(lines)
    if general and header:
        place = header.end()
        lines = lines[:place] + tomlkit.dumps(_table(general, _COMMENTS)) + lines[place:]
        general = {}
    if general or fixups:
        lines += ("\n" if lines else "") + _document(general, fixups)
    if "\r\n" in text:
        lines = re.sub(r"(?<!\r)\n", "\r\n", lines)
    if not _reads_as(lines, wanted):
        raise ProjectError(
            f"{shown(path)}: nothing can be added to tool.{settings.TABLE} as it is written there; "
            f"write it as a table of its own, [tool.{settings.TABLE}]."
        )
    return lines.encode()


def _reads_as(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _document(general: Values, fixups: Mapping[str, Values]) -> str:
    models = {fixup.name: fixup.settings for fixup in all_fixups()}
    ours = _table(general, _COMMENTS)
    for name, table in fixups.items():
        ours.append(name, _table(table, _comments(models.get(name))))
    tool = tomlkit.table(is_super_table=True)
    tool.append(settings.TABLE, ours)
    document = tomlkit.document()
    document.append("tool", tool)
    return tomlkit.dumps(document).rstrip("\n") + "\n"


def _table(values: Values, comments: Mapping[str, str]) -> Table:
    table = tomlkit.table(is_super_table=not values)
    for key, value in values.items():
        for line in textwrap.wrap(comments.get(key, ""), _COMMENT_WIDTH):
            table.add(tomlkit.comment(line))
        table.add(key, _item(value))
    return table


def _item(value: Any) -> Item:
    """The value as TOML; a list of tables as one inline table a line."""
    item: Item = tomlkit.item(value)
    if not isinstance(item, AoT):
        return item
    array = tomlkit.array().multiline(True)
    for element in value:
        inline = tomlkit.inline_table()
        inline.update(element)
        array.append(inline)
    return array


def _comments(model: type[BaseModel] | None) -> dict[str, str]:
    """What the docstring of the settings says of each key, under "Attributes:"."""
    _, _, attributes = (inspect.getdoc(model) or "").partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", attributes, re.MULTILINE)
    return {name.replace("_", "-"): " ".join(text.split()).rstrip(".") for name, text in found}
