"""SQL of what becomes of a vector when its column gets another type.

Every expression here is immutable and names what belongs to the extension with its schema: it
stands in triggers and constraints, whatever search_path they run under.
"""

from __future__ import annotations

from dataclasses import dataclass

from alembic_fixups.fixups.vector_dimension.settings import Data
from alembic_fixups.fixups.vector_dimension.types import OF_EXTENSION, VectorType
from alembic_fixups.rendering import quoting

_PRECISION = {"double precision[]": 3, "real[]": 2, "vector": 2, "sparsevec": 2, "halfvec": 1}
"""Float64, float32 and float16 (pgvector README, "Vector Type", "Half Vector Type")."""


@dataclass(frozen=True)
class Change:
    """From one type to another.

    Attributes:
        old, new: the types.
        data: what becomes of vectors that do not fit the new one.
        schema: the schema of the extension.
    """

    old: VectorType
    new: VectorType
    data: Data
    schema: str | None

    @property
    def back(self) -> Change:
        """The other way round; what does not fit is kept elsewhere."""
        return Change(self.new, self.old, "archive", self.schema)

    @property
    def casts(self) -> bool:
        """Whether there is a cast between the two types at all."""
        return self.old.kind == self.new.kind or "bit" not in (self.old.kind, self.new.kind)

    @property
    def never_fits(self) -> bool:
        """Whether no vector fits the new type as it is."""
        sizes = self.old.dimensions, self.new.dimensions
        return not self.casts or (None not in sizes and sizes[0] != sizes[1])

    @property
    def always_fits(self) -> bool:
        """Whether every vector does."""
        if not self.casts:
            return False
        return self.new.dimensions is None or self.old.dimensions == self.new.dimensions

    @property
    def is_lossy(self) -> bool:
        """Whether a vector that fits may come out as another one.

        Precision goes, or the bounds of an array, or the sign of a zero in a sparse vector.
        """
        if not self.casts or self.old.kind == self.new.kind:
            return False
        kinds = _PRECISION[self.old.kind], _PRECISION[self.new.kind]
        return kinds[0] > kinds[1] or self.old.is_array or self.new.kind == "sparsevec"

    def fits(self, name: str) -> str:
        """An SQL condition: whether a vector fits; *name* is SQL of the column. NULL for NULL."""
        if self.never_fits:
            return f"({name} IS NOT NULL AND false)"
        if self.always_fits and not self.old.is_array:
            return f"({name} IS NOT NULL)"
        size = f"{self.dimensions_of(name)} = {self.new.dimensions}"
        sound = self._is_sound(name)
        if sound is None:
            return f"({size})"
        return f"({sound})" if self.new.dimensions is None else f"({size} AND {sound})"

    def _is_sound(self, name: str) -> str | None:
        """An SQL condition: whether an array is a vector; None where every value is one."""
        if not self.old.is_array:
            return None
        element = self.old.kind.removesuffix("[]")
        odd = f"ARRAY[NULL, 'NaN', 'Infinity', '-Infinity']::{self.old.kind}"
        return (
            f"array_ndims({name}) = 1 AND array_position({name}, NULL::{element}) IS NULL"
            f" AND NOT {name} && {odd}"
        )

    def dimensions_of(self, name: str) -> str:
        """SQL of how many dimensions an old vector has."""
        if self.old.dimensions is not None:
            return str(self.old.dimensions)
        if self.old.is_array:
            return f"cardinality({name})"
        if self.old.kind == "sparsevec":
            return f"split_part({name}::text, '/', 2)::integer"
        return f"{self._function('vector_dims')}({name})"

    def cast(self, name: str) -> str:
        """SQL of a vector that fits, in the new type."""
        if self.new.is_array and not self.old.is_array:
            numbers = f"{self._dense(name)}::real[]"
            return numbers if self.new.kind == "real[]" else f"{numbers}::{self.new.kind}"
        return f"{name}::{self.new.sql}"

    def value(self, name: str) -> str:
        """SQL of the new value: NULL for what does not fit, unless it is cut or padded."""
        if self.always_fits and not self.old.is_array:
            return self.cast(name)
        made = self.made(name)
        if self.never_fits:
            return made if made is not None else f"NULL::{self.new.sql}"
        cases = f"CASE WHEN {self.fits(name)} THEN {self.cast(name)}"
        if made is not None:
            sign = ">" if self.data == "truncate" else "<"
            several = f"{self.dimensions_of(name)} {sign} {self.new.dimensions}"
            sound = self._is_sound(name)
            several += "" if sound is None else f" AND {sound}"
            cases += f" WHEN {several} THEN {made}"
        return f"({cases} END)"

    def made(self, name: str) -> str | None:
        """SQL of a vector cut or padded to the new dimension, None where that is not asked for."""
        size = self.new.dimensions
        if size is None or not self.casts:
            return None
        if self.data == "truncate" and (self.old.dimensions or size + 1) > size:
            if self.new.kind == "bit":
                return f"{name}::bit({size})"
            cut = f"{self._function('subvector')}({self._dense(name)}, 1, {size})"
            return f"{self._function('l2_normalize')}({cut})::{self.new.sql}"
        if self.data == "pad" and (self.old.dimensions or 0) < size:
            if self.new.kind == "bit":
                return f"{name}::bit({size})"
            zeros = f"array_fill(0::real, ARRAY[{size} - {self.dimensions_of(name)}])"
            dense = self._dense(name)
            # As an array: || of vectors would have to be named with its schema. NULL || zeros is
            # zeros.
            padded = f"({dense}::real[] || {zeros})::{self._vector(None)}::{self.new.sql}"
            return f"(CASE WHEN {name} IS NOT NULL THEN {padded} END)"
        return None

    def unpadded(self, name: str) -> tuple[str, str] | None:
        """Of a padded vector, an SQL condition that it is one, and SQL of what it was.

        None where vectors are not padded, or of several dimensions before.
        """
        was, now = self.old.dimensions, self.new.dimensions
        if self.data != "pad" or was is None or now is None or was >= now or not self.casts:
            return None
        if self.new.kind == "bit":
            return f"{name}::bit({was})::bit({now}) = {name}", f"{name}::bit({was})"
        dense = self.back._dense(name)
        subvector = self._function("subvector")
        rest = f"{subvector}({dense}, {was + 1}, {now - was})"
        norm = f"{self._function('vector_norm')}({rest}::{self._vector(None)}) = 0"
        return norm, f"{subvector}({dense}, 1, {was})::{self.old.sql}"

    def is_kept(self, name: str) -> str | None:
        """An SQL condition: whether the old vector goes to the archive, None where none does.

        One that does not come through does, and one that loses some of its precision.
        """
        if self.data == "clear":
            return None
        if self.never_fits:
            unpadded = self.unpadded(self.made(name) or name)
            if unpadded is None:
                return f"{name} IS NOT NULL"
            if not self.is_lossy:
                return None
            return f"{self.comparable_old(unpadded[1])} <> {self.comparable_old(name)}"
        if self.always_fits and not self.old.is_array and not self.is_lossy:
            return None
        through = self.fits(name)
        if self.is_lossy:
            again = self.comparable_old(self.back.cast(self.cast(name)))
            through = f"CASE WHEN {through} THEN {again} = {self.comparable_old(name)} END"
        return f"{name} IS NOT NULL AND NOT coalesce({through}, false)"

    def comparable_old(self, name: str) -> str:
        """SQL of an old value that ``=`` compares exactly, whatever the search_path."""
        return comparable(self.old, self.schema, name)

    def comparable_new(self, name: str) -> str:
        """The same of a new one."""
        return comparable(self.new, self.schema, name)

    def _dense(self, name: str) -> str:
        """SQL of an old vector as one that subvector() takes."""
        return name if self.old.kind in ("vector", "halfvec") else f"{name}::{self._vector(None)}"

    def _vector(self, dimensions: int | None) -> str:
        return VectorType("vector", dimensions, self.schema).sql

    def _function(self, name: str) -> str:
        return quoting.qualified(self.schema, name)


def comparable(type_: VectorType, schema: str | None, name: str) -> str:
    """SQL of a value that ``=`` of PostgreSQL's own compares bit by bit.

    The operators of the extension would have to be on the search_path, and IS DISTINCT FROM cannot
    name one with its schema. ``=`` of arrays takes -0 and 0 for the same.
    """
    if type_.kind in OF_EXTENSION:
        return f"{quoting.qualified(schema, f'{type_.kind}_send')}({name})"
    return f"array_send({name})" if type_.is_array else name
