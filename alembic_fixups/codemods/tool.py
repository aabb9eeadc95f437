"""The codemods as commands of libcst: ``python -m libcst.tool codemod -x CLASS PATH``."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import ClassVar

import libcst as cst
from libcst.codemod import CodemodCommand, SkipFile

from alembic_fixups import project as projects
from alembic_fixups.codemods.plan import Plan, plan
from alembic_fixups.settings import shown


class FixupCommand(CodemodCommand):
    """One fixup's codemod; the project is that of the working directory.

    The models are loaded once for each of the tool's processes, and the files are those that
    ``alembic-fixups codemod --fixup`` would write.
    """

    FIXUP: ClassVar[str]

    def transform_module_impl(self, tree: cst.Module) -> cst.Module:
        """The file as the codemod leaves it; what has to be done by hand becomes a warning."""
        if self.context.filename is None:
            raise SkipFile("the codemod works on files")
        path = Path(self.context.filename).resolve()
        planned = _plan(self.FIXUP)
        for refusal in planned.refusals:
            if refusal.path == path:
                self.warn(f"{shown(path)}:{refusal.line}: {refusal.reason}")
        for change in planned.files:
            if change.path == path and change.old == tree.bytes:
                return cst.parse_module(change.new)
        return tree


@cache
def _plan(fixup: str) -> Plan:
    # What the tool was given: a change that needs another file as well is not made by halves.
    given = [Path(one) for one in sys.argv[1:]]
    with projects.quiet():
        return plan(projects.load(), only=[fixup], paths=[one for one in given if one.exists()])
