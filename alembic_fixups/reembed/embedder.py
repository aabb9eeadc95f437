"""The user's embedder: found, called, tried again, and what it gives looked at."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import random
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic_fixups.project import Project, ProjectError
from alembic_fixups.reembed.rows import Embedded, Row
from alembic_fixups.reembed.wire import Encoder

Embed = Callable[[list[str]], Any]

_HOPELESS = 8
"""Rows that fail one after the other, before anything else works, after which the rest of a batch
is left for another pass: it may be an outage, and every call may take its whole timeout."""


@dataclass(frozen=True)
class Retries:
    """How often the embedder is tried, and how long is waited in between.

    Attributes:
        tries: how often in all.
        first: seconds before the second; they double from one to the next.
        longest: the most seconds.
    """

    tries: int = 5
    first: float = 1.0
    longest: float = 30.0

    def waits(self) -> Iterator[float]:
        """The seconds before each further try, each up to a quarter more or less."""
        for turn in range(self.tries - 1):
            yield min(self.first * 2**turn, self.longest) * random.uniform(0.75, 1.25)


@dataclass(frozen=True)
class Failure:
    """A row that could not be embedded or written, and why."""

    row: Row
    error: str


class EmbedderError(Exception):
    """What the embedder gives is no answer to what it was asked."""


def load(project: Project, name: str) -> Embed:
    """The function that ``embedder`` in the settings names.

    Raises:
        ProjectError: it cannot be imported, or is no function.
    """
    config = project.config.config_file_name or project.config.toml_file_name
    folders = [str(Path.cwd())]
    if config is not None:
        folders.append(str(Path(config).resolve().parent))
    for folder in folders:  # prepend_sys_path of alembic.ini is there already
        if folder not in sys.path:
            sys.path.insert(0, folder)
    module, _, function = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in function.split("."):
            found = getattr(found, part)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too, which would end us without a word
        raise ProjectError(
            f"embedder {name!r}: {_shown(error)}\nIt is looked for below the working directory, "
            "the folder of alembic.ini, prepend_sys_path of alembic.ini, and in this environment."
        ) from error
    if not callable(found):
        raise ProjectError(f"embedder {name!r}: is a {type(found).__name__}, not a function")
    embed: Embed = found
    return embed


@contextmanager
def waiting_for(embed: Embed) -> Iterator[Embed]:
    """For a ``with`` block, an embedder that may give something to await as one that does not.

    All that it gives to await runs in one event loop, whichever thread calls: clients that were
    made in one cannot be used in another.
    """
    loop = asyncio.new_event_loop()
    ended = threading.Event()

    def keep_running() -> None:
        while not ended.is_set():
            with suppress(BaseException):  # sys.exit() in a task ends the loop for all others
                loop.run_forever()

    thread = threading.Thread(target=keep_running, name="embedder", daemon=True)

    async def awaited(answer: Any) -> tuple[Any, BaseException | None]:
        try:
            return await answer, None
        except BaseException as error:
            return None, error

    def call(texts: list[str]) -> Any:
        answer = embed(texts)
        if not inspect.isawaitable(answer):
            return answer
        given, error = asyncio.run_coroutine_threadsafe(awaited(answer), loop).result()
        if error is not None:
            raise error
        return given

    thread.start()
    try:
        yield call
    finally:
        ended.set()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=1)
        if not thread.is_alive():
            loop.close()


@dataclass
class Embedding:
    """Embeds batches.

    Attributes:
        embed: the embedder.
        encode: gives a vector as it goes over the wire.
        retries: how often a batch is tried.
        pause: waits so many seconds.
    """

    embed: Embed
    encode: Encoder
    retries: Retries
    pause: Callable[[float], object]

    def batch(
        self, batch: Sequence[Row], *, thorough: bool
    ) -> tuple[list[Embedded], list[Failure]]:
        """Embeds a batch, halved until those that fail are alone.

        Unless it is to be *thorough*, no more than `_HOPELESS` rows of a batch in which nothing
        works are tried alone; the others are in neither list then.
        """
        try:
            return self._checked(batch, self._again(batch))
        except Exception as error:
            if len(batch) == 1:
                return [], [Failure(batch[0], _shown(error))]
        done: list[Embedded] = []
        failed: list[Failure] = []
        middle = len(batch) // 2
        rest = [batch[middle:], batch[:middle]]
        while rest:
            part = rest.pop()
            if not thorough and not done and len(failed) >= _HOPELESS:
                break
            try:
                good, bad = self._checked(part, self._called(part))
                done += good
                failed += bad
            except Exception as error:
                if len(part) == 1:
                    failed.append(Failure(part[0], _shown(error)))
                else:
                    middle = len(part) // 2
                    rest += (part[middle:], part[:middle])
        return done, failed

    def _again(self, batch: Sequence[Row]) -> Sequence[Any]:
        for wait in self.retries.waits():
            try:
                return self._called(batch)
            except Exception:
                self.pause(wait)
        return self._called(batch)

    def _called(self, batch: Sequence[Row]) -> Sequence[Any]:
        with _outlived():
            answer = self.embed([row.text for row in batch])
            try:
                vectors = list(answer)
            except TypeError:
                raise EmbedderError(
                    f"it gives a {type(answer).__name__}, not a sequence of vectors"
                ) from None
        if len(vectors) != len(batch):
            raise EmbedderError(f"it gives {len(vectors)} vectors for {len(batch)} texts")
        return vectors

    def _checked(
        self, batch: Sequence[Row], vectors: Sequence[Any]
    ) -> tuple[list[Embedded], list[Failure]]:
        done: list[Embedded] = []
        failed: list[Failure] = []
        for row, vector in zip(batch, vectors, strict=True):
            try:
                with _outlived():
                    done.append(Embedded(row, self.encode(vector)))
            except Exception as error:
                failed.append(Failure(row, _shown(error)))
        return done, failed


@contextmanager
def _outlived() -> Iterator[None]:
    """For a ``with`` block of the user's code, makes of sys.exit() and the like a usual error."""
    try:
        yield
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise EmbedderError(_shown(error)) from error


def _shown(error: BaseException) -> str:
    """An error of the user's code on one line, with its kind where that says something."""
    if isinstance(error, EmbedderError | ValueError) and str(error):
        return " ".join(str(error).split())
    return " ".join("".join(traceback.format_exception_only(error)).split())
