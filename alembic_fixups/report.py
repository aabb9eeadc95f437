"""What a run has to say besides the migration it writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "refused"]


class Refused(Exception):
    """Something that stops the run: to go on would be to guess. The message has the way out."""


@dataclass(frozen=True, order=True)
class Finding:
    """Something a person should know of.

    Attributes:
        fixup: name of the fixup that says it.
        code: a stable key for this kind of finding, in kebab-case.
        table: the table it is about, ``schema.name`` or a bare name.
        message: what is the case, why it matters, and the way out.
        severity: "info" for what was inferred, "warning" for what stays as it is but should not,
            "refused" for what was asked for and cannot be done.
    """

    fixup: str
    code: str
    table: str
    message: str
    severity: Severity = "warning"
