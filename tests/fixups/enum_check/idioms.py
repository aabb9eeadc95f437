"""The ways in which enums are written in model files, and what the codemod makes of each."""

from __future__ import annotations

from tests.codemods.rewriting import Idiom

BASE = """
import enum
from typing import Annotated

from sqlalchemy import Enum, MetaData, String
from sqlalchemy.orm import DeclarativeBase, declared_attr, mapped_column
from sqlalchemy.types import TypeDecorator


class Base(DeclarativeBase):
    pass


metadata = Base.metadata


class Status(enum.Enum):
    new = "is new"
    done = "is done"


def values_of(members):
    return [member.value for member in members]


shared_type = Enum(Status, name="shared_status")
StatusColumn = Annotated[Status, mapped_column(Enum(Status, name="annotated"))]


class Stored(TypeDecorator):
    impl = Enum
    cache_ok = True


def enum_of(class_):
    return Enum(class_, name="made")


class Mixin:
    mixed = mapped_column(Enum(Status, name="mixed"))

    @declared_attr
    def declared(cls):
        return mapped_column(Enum("x", "y", name="declared"))


class OneMixin:
    single = mapped_column(Enum("x", "y", name="single"))


class Facade:
    Enum = Enum


db = Facade()
"""

IDIOMS = [
    Idiom(
        "inline",
        """
        from sqlalchemy import Enum
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Status, values_of


        class Inline(Base):
            __tablename__ = "inline"
            id: Mapped[int] = mapped_column(primary_key=True)
            plain: Mapped[Status] = mapped_column(Enum(Status))  # a comment
            named: Mapped[Status] = mapped_column(
                Enum(Status, name="status", schema="other"), nullable=False
            )
            by_value = mapped_column(Enum(Status, name="v", values_callable=values_of))
            by_lambda = mapped_column(
                Enum(Status, name="l", values_callable=lambda members: [m.value for m in members])
            )
        """,
        """
        from sqlalchemy import Enum
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Status, values_of


        class Inline(Base):
            __tablename__ = "inline"
            id: Mapped[int] = mapped_column(primary_key=True)
            plain: Mapped[Status] = mapped_column(
                Enum(
                    Status,
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                    name="ck_inline_plain",
                )
            )  # a comment
            named: Mapped[Status] = mapped_column(
                Enum(
                    Status,
                    name="ck_inline_named",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                ),
                nullable=False,
            )
            by_value = mapped_column(
                Enum(
                    Status,
                    name="ck_inline_by_value",
                    values_callable=values_of,
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                )
            )
            by_lambda = mapped_column(
                Enum(
                    Status,
                    name="ck_inline_by_lambda",
                    values_callable=lambda members: [m.value for m in members],
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                )
            )
        """,
    ),
    Idiom(
        "aliases",
        """
        import enum
        from enum import Enum

        import sqlalchemy as sa
        from sqlalchemy import Column, Integer
        from sqlalchemy import Enum as SAEnum
        from sqlalchemy.dialects import postgresql
        from sqlalchemy.dialects.postgresql import ENUM

        from app.base import Base, db, metadata

        KINDS = ("a", "b")


        class Kind(Enum):
            a = 1
            b = 2


        class Aliases(Base):
            __tablename__ = "aliases"
            id = Column(Integer, primary_key=True)
            one = Column(sa.Enum(Kind))
            two = Column(SAEnum(Kind, name="kind_two"))
            three = Column(db.Enum(*KINDS, name="kind_three", metadata=metadata))
            four = Column(postgresql.ENUM(Kind, name="kind_four", create_type=False))
            five = Column(ENUM("x", "y", name="kind_five", schema="public"))
        """,
        """
        import enum
        from enum import Enum

        import sqlalchemy as sa
        from sqlalchemy import Column, Integer
        from sqlalchemy import Enum as SAEnum

        from app.base import Base, db

        KINDS = ("a", "b")


        class Kind(Enum):
            a = 1
            b = 2


        class Aliases(Base):
            __tablename__ = "aliases"
            id = Column(Integer, primary_key=True)
            one = Column(
                sa.Enum(
                    Kind,
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                    name="ck_aliases_one",
                )
            )
            two = Column(
                SAEnum(
                    Kind,
                    name="ck_aliases_two",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                )
            )
            three = Column(
                db.Enum(
                    *KINDS,
                    name="ck_aliases_three",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                )
            )
            four = Column(
                SAEnum(
                    Kind,
                    name="ck_aliases_four",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                )
            )
            five = Column(
                SAEnum(
                    "x",
                    "y",
                    name="ck_aliases_five",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                )
            )
        """,
    ),
    Idiom(
        "annotations",
        """
        from __future__ import annotations

        import enum
        from typing import Literal, Optional

        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Status, StatusColumn


        class Annotated(Base):
            __tablename__ = "annotated"

            class Inner(enum.Enum):
                i = 1

            id: Mapped[int] = mapped_column(primary_key=True)
            bare: Mapped[Status]
            optional: Mapped[Optional[Status]] = mapped_column(index=True)
            inner: Mapped[Inner | None] = mapped_column("inside")
            said: Mapped[Literal["a", "b"]]
            alias: Mapped[StatusColumn]
        """,
        """
        from __future__ import annotations

        import enum
        from typing import Literal, Optional

        from sqlalchemy import CheckConstraint, Enum
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Status, StatusColumn


        class Annotated(Base):
            __tablename__ = "annotated"
            __table_args__ = (CheckConstraint("said IN ('a', 'b')", name="ck_annotated_said"),)

            class Inner(enum.Enum):
                i = 1

            id: Mapped[int] = mapped_column(primary_key=True)
            bare: Mapped[Status] = mapped_column(
                Enum(
                    Status,
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                    name="ck_annotated_bare",
                )
            )
            optional: Mapped[Optional[Status]] = mapped_column(
                Enum(
                    Status,
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                    name="ck_annotated_optional",
                ),
                index=True,
            )
            inner: Mapped[Inner | None] = mapped_column(
                "inside",
                Enum(
                    Inner,
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                    name="ck_annotated_inside",
                ),
            )
            said: Mapped[Literal["a", "b"]]
            alias: Mapped[StatusColumn]
        """,
    ),
    Idiom(
        "sharing",
        """
        from sqlalchemy import Index, Integer
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Status, shared_type


        class Sharing(Base):
            __tablename__ = "sharing"
            __table_args__ = (Index("ix_sharing", "id"), {"comment": "c"})
            id: Mapped[int] = mapped_column(primary_key=True)
            before: Mapped[Status] = mapped_column(shared_type)
            after: Mapped[Status] = mapped_column(shared_type)


        class AlsoSharing(Base):
            __tablename__ = "also_sharing"
            id: Mapped[int] = mapped_column(primary_key=True)
            status: Mapped[Status] = mapped_column(shared_type)
        """,
        """
        from sqlalchemy import CheckConstraint, Index, Integer
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Status, shared_type


        class Sharing(Base):
            __tablename__ = "sharing"
            __table_args__ = (
                Index("ix_sharing", "id"),
                CheckConstraint("after IN ('new', 'done')", name="ck_sharing_after"),
                CheckConstraint("before IN ('new', 'done')", name="ck_sharing_before"),
                {"comment": "c"},
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            before: Mapped[Status] = mapped_column(shared_type)
            after: Mapped[Status] = mapped_column(shared_type)


        class AlsoSharing(Base):
            __tablename__ = "also_sharing"
            __table_args__ = (
                CheckConstraint("status IN ('new', 'done')", name="ck_also_sharing_status"),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            status: Mapped[Status] = mapped_column(shared_type)
        """,
    ),
    Idiom(
        "arrays",
        """
        from sqlalchemy import ARRAY, Enum
        from sqlalchemy.dialects import postgresql
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base

        tag = postgresql.ENUM("hot", "cold", name="tag")


        class Arrays(Base):
            __tablename__ = "arrays"
            id: Mapped[int] = mapped_column(primary_key=True)
            inline = mapped_column(ARRAY(Enum("a", "b", name="inline")))
            tags = mapped_column(postgresql.ARRAY(tag, dimensions=1))
        """,
        """
        from sqlalchemy import ARRAY, CheckConstraint, Enum
        from sqlalchemy.dialects import postgresql
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base

        tag = Enum("hot", "cold", name="tag", native_enum=False, length=63)


        class Arrays(Base):
            __tablename__ = "arrays"
            __table_args__ = (
                CheckConstraint(
                    "array_replace(inline, NULL, 'a') <@ ARRAY['a', 'b']::varchar[]",
                    name="ck_arrays_inline",
                ),
                CheckConstraint(
                    "array_replace(tags, NULL, 'hot') <@ ARRAY['hot', 'cold']::varchar[]",
                    name="ck_arrays_tags",
                ),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            inline = mapped_column(
                ARRAY(Enum("a", "b", name="inline", native_enum=False, length=63))
            )
            tags = mapped_column(postgresql.ARRAY(tag, dimensions=1))
        """,
    ),
    Idiom(
        "not_native",
        """
        from sqlalchemy import Enum
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Status

        size = Enum("s", "m", native_enum=False)


        class NotNative(Base):
            __tablename__ = "not_native"
            id: Mapped[int] = mapped_column(primary_key=True)
            status = mapped_column(Enum(Status, native_enum=False, length=20))
            one = mapped_column(size)
            two = mapped_column(size)
            whole = mapped_column(
                Enum("a", "b", native_enum=False, create_constraint=True, name="its_own")
            )
        """,
        """
        from sqlalchemy import CheckConstraint, Enum
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Status

        size = Enum("s", "m", native_enum=False)


        class NotNative(Base):
            __tablename__ = "not_native"
            __table_args__ = (
                CheckConstraint("one IN ('s', 'm')", name="ck_not_native_one"),
                CheckConstraint("two IN ('s', 'm')", name="ck_not_native_two"),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            status = mapped_column(
                Enum(
                    Status,
                    native_enum=False,
                    length=20,
                    create_constraint=True,
                    name="ck_not_native_status",
                )
            )
            one = mapped_column(size)
            two = mapped_column(size)
            whole = mapped_column(
                Enum("a", "b", native_enum=False, create_constraint=True, name="its_own")
            )
        """,
    ),
    Idiom(
        "values_changed",
        """
        from sqlalchemy import ARRAY, CheckConstraint, Enum
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base

        size = Enum("s", "m", "l", native_enum=False)


        class ValuesChanged(Base):
            __tablename__ = "values_changed"
            __table_args__ = (
                CheckConstraint("one IN ('s', 'm')", name="ck_values_changed_one"),
                CheckConstraint(
                    "array_replace(many, NULL, 's') <@ ARRAY['s', 'm']::varchar[]",
                    name="ck_values_changed_many",
                ),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            one = mapped_column(size)
            many = mapped_column(ARRAY(size))
        """,
        """
        from sqlalchemy import ARRAY, CheckConstraint, Enum
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base

        size = Enum("s", "m", "l", native_enum=False)


        class ValuesChanged(Base):
            __tablename__ = "values_changed"
            __table_args__ = (
                CheckConstraint("one IN ('s', 'm', 'l')", name="ck_values_changed_one"),
                CheckConstraint(
                    "array_replace(many, NULL, 's') <@ ARRAY['s', 'm', 'l']::varchar[]",
                    name="ck_values_changed_many",
                ),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            one = mapped_column(size)
            many = mapped_column(ARRAY(size))
        """,
    ),
    Idiom(
        "tables",
        """
        from sqlalchemy import Column, Enum, Integer, Table

        from app.base import metadata

        flag = Enum("on", "off", name="flag")

        Table(
            "first",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("flag", flag, nullable=False),
            Column("one", Enum("a", "b", name="one")),
            Column("two", type_=Enum("a", "b", name="two")),
        )
        second = Table("second", metadata, Column("flag", flag), schema="app")
        """,
        """
        from sqlalchemy import CheckConstraint, Column, Enum, Integer, Table

        from app.base import metadata

        flag = Enum("on", "off", name="flag", native_enum=False, length=63)

        Table(
            "first",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("flag", flag, nullable=False),
            Column(
                "one",
                Enum(
                    "a",
                    "b",
                    name="ck_first_one",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                ),
            ),
            Column(
                "two",
                type_=Enum(
                    "a",
                    "b",
                    name="ck_first_two",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                ),
            ),
            CheckConstraint("flag IN ('on', 'off')", name="ck_first_flag"),
        )
        second = Table(
            "second",
            metadata,
            Column("flag", flag),
            CheckConstraint("flag IN ('on', 'off')", name="ck_second_flag"),
            schema="app",
        )
        """,
    ),
    Idiom(
        "mixins",
        """
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Mixin, OneMixin


        class MixedOne(Mixin, OneMixin, Base):
            __tablename__ = "mixed_one"
            id: Mapped[int] = mapped_column(primary_key=True)


        class MixedTwo(Mixin, Base):
            __tablename__ = "mixed_two"
            id: Mapped[int] = mapped_column(primary_key=True)
        """,
        """
        from sqlalchemy import CheckConstraint
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Mixin, OneMixin


        class MixedOne(Mixin, OneMixin, Base):
            __tablename__ = "mixed_one"
            __table_args__ = (
                CheckConstraint("declared IN ('x', 'y')", name="ck_mixed_one_declared"),
                CheckConstraint("mixed IN ('new', 'done')", name="ck_mixed_one_mixed"),
            )
            id: Mapped[int] = mapped_column(primary_key=True)


        class MixedTwo(Mixin, Base):
            __tablename__ = "mixed_two"
            __table_args__ = (
                CheckConstraint("declared IN ('x', 'y')", name="ck_mixed_two_declared"),
                CheckConstraint("mixed IN ('new', 'done')", name="ck_mixed_two_mixed"),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
        """,
    ),
    Idiom(
        "defaults",
        """
        import enum

        from sqlalchemy import Boolean, CheckConstraint, Computed, Enum, Index, text
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Colour(str, enum.Enum):
            RED = "red"
            GREEN = "green"


        class Defaults(Base):
            __tablename__ = "defaults"
            __table_args__ = (
                CheckConstraint("id > 0 OR colour = 'RED'::colour", name="positive"),
                Index("ix_green", "id", postgresql_where=text("colour = 'GREEN'::colour")),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            colour = mapped_column(
                Enum(Colour, name="colour"), default=Colour.RED, server_default=Colour.RED
            )
            cast = mapped_column(
                Enum(Colour, name="colour"), server_default=text("'GREEN'::colour")
            )
            is_red = mapped_column(Boolean, Computed("colour = CAST('RED' AS colour)"))
            label = mapped_column(Enum("it's", "b", name="label"), server_default="it's")
        """,
        """
        import enum

        from sqlalchemy import Boolean, CheckConstraint, Computed, Enum, Index, text
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Colour(str, enum.Enum):
            RED = "red"
            GREEN = "green"


        class Defaults(Base):
            __tablename__ = "defaults"
            __table_args__ = (
                CheckConstraint("id > 0 OR colour = 'RED'::varchar", name="positive"),
                Index("ix_green", "id", postgresql_where=text("colour = 'GREEN'::varchar")),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            colour = mapped_column(
                Enum(
                    Colour,
                    name="ck_defaults_colour",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                ),
                default=Colour.RED,
                server_default="RED",
            )
            cast = mapped_column(
                Enum(
                    Colour,
                    name="ck_defaults_cast",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                ),
                server_default=text("'GREEN'::varchar"),
            )
            is_red = mapped_column(Boolean, Computed("colour = CAST('RED' AS varchar)"))
            label = mapped_column(
                Enum(
                    "it's",
                    "b",
                    name="ck_defaults_label",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                ),
                server_default="it's",
            )
        """,
    ),
    Idiom(
        "labels",
        """
        from sqlalchemy import Enum
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Labels(Base):
            __tablename__ = "labels"
            id: Mapped[int] = mapped_column(primary_key=True)
            odd = mapped_column(Enum("100%", ":x", "back\\\\slash", '"', name="odd"))
            column = mapped_column("select", Enum("a", name="reserved"))
            more = mapped_column('se"c:t', Enum("é", name="more"))
        """,
        """
        from sqlalchemy import CheckConstraint, Enum
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Labels(Base):
            __tablename__ = "labels"
            __table_args__ = (
                CheckConstraint(
                    "odd IN (E'100\\\\u0025', E'\\\\u003ax', E'back\\\\u005cslash', '\\"')",
                    name="ck_labels_odd",
                ),
                CheckConstraint("U&\\"se\\\\0022c:t\\" IN ('é')", name='ck_labels_se"c:t'),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            odd = mapped_column(
                Enum("100%", ":x", "back\\\\slash", '"', name="odd", native_enum=False, length=63)
            )
            column = mapped_column(
                "select",
                Enum(
                    "a",
                    name="ck_labels_select",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                ),
            )
            more = mapped_column('se"c:t', Enum("é", name="more", native_enum=False, length=63))
        """,
    ),
    Idiom(
        "variants",
        """
        from sqlalchemy import Enum, String
        from sqlalchemy.dialects.postgresql import ENUM
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Variants(Base):
            __tablename__ = "variants"
            id: Mapped[int] = mapped_column(primary_key=True)
            one = mapped_column(Enum("a", name="va").with_variant(String(9), "sqlite"))
            two = mapped_column(String(9).with_variant(ENUM("a", name="vb"), "postgresql"))
        """,
        """
        from sqlalchemy import Enum, String
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Variants(Base):
            __tablename__ = "variants"
            id: Mapped[int] = mapped_column(primary_key=True)
            one = mapped_column(
                Enum(
                    "a",
                    name="ck_variants_one",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                ).with_variant(String(9), "sqlite")
            )
            two = mapped_column(
                String(9).with_variant(
                    Enum(
                        "a",
                        name="ck_variants_two",
                        native_enum=False,
                        create_constraint=True,
                        length=63,
                    ),
                    "postgresql",
                )
            )
        """,
    ),
    Idiom(
        "keys",
        """
        from sqlalchemy import Enum, ForeignKey
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Code(Base):
            __tablename__ = "codes"
            code: Mapped[str] = mapped_column(Enum("x", "y", name="code"), primary_key=True)


        class Use(Base):
            __tablename__ = "uses"
            id: Mapped[int] = mapped_column(primary_key=True)
            code: Mapped[str] = mapped_column(ForeignKey("codes.code"))
        """,
        """
        from sqlalchemy import CheckConstraint, Enum, ForeignKey
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Code(Base):
            __tablename__ = "codes"
            code: Mapped[str] = mapped_column(
                Enum(
                    "x",
                    "y",
                    name="ck_codes_code",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                ),
                primary_key=True,
            )


        class Use(Base):
            __tablename__ = "uses"
            __table_args__ = (CheckConstraint("code IN ('x', 'y')", name="ck_uses_code"),)
            id: Mapped[int] = mapped_column(primary_key=True)
            code: Mapped[str] = mapped_column(ForeignKey("codes.code"))
        """,
    ),
    Idiom(
        "mapped_types",
        """
        import enum

        import sqlalchemy
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

        from app.base import metadata, values_of


        class Shade(enum.Enum):
            light = "l"
            dark = "d"


        class Tone(enum.Enum):
            low = "lo"


        class OtherBase(DeclarativeBase):
            metadata = metadata
            type_annotation_map = {
                Shade: sqlalchemy.Enum(Shade, values_callable=values_of, name="shade"),
                Tone: sqlalchemy.Enum(Tone, values_callable=lambda members: ["lo"]),
            }


        class MappedTypes(OtherBase):
            __tablename__ = "mapped_types"
            id: Mapped[int] = mapped_column(primary_key=True)
            shade: Mapped[Shade]
            tone: Mapped[Tone]
        """,
        """
        import enum

        import sqlalchemy
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

        from app.base import metadata, values_of


        class Shade(enum.Enum):
            light = "l"
            dark = "d"


        class Tone(enum.Enum):
            low = "lo"


        class OtherBase(DeclarativeBase):
            metadata = metadata
            type_annotation_map = {
                Shade: sqlalchemy.Enum(Shade, values_callable=values_of, name="shade"),
                Tone: sqlalchemy.Enum(Tone, values_callable=lambda members: ["lo"]),
            }


        class MappedTypes(OtherBase):
            __tablename__ = "mapped_types"
            id: Mapped[int] = mapped_column(primary_key=True)
            shade: Mapped[Shade] = mapped_column(
                sqlalchemy.Enum(
                    Shade,
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                    name="ck_mapped_types_shade",
                    values_callable=values_of,
                )
            )
            tone: Mapped[Tone]
        """,
        refused="comes from type_annotation_map, with a function that has no name",
    ),
    Idiom(
        "fields",
        """
        from typing import Optional

        from sqlalchemy import Column, Enum
        from sqlmodel import Field, SQLModel

        from app.base import Status, metadata


        class Hero(SQLModel, table=True):
            __tablename__ = "heroes"
            metadata = metadata
            id: Optional[int] = Field(default=None, primary_key=True)
            bare: Status
            given: Status = Status.new
            optional: Optional[Status] = None
            indexed: Status = Field(default=Status.done, index=True)
            typed: Status = Field(sa_type=Enum(Status, name="typed"))
            column: Status = Field(
                sa_column=Column("other", Enum(Status, name="col"), nullable=False)
            )
        """,
        """
        from typing import Optional

        from sqlalchemy import Column, Enum
        from sqlmodel import Field, SQLModel

        from app.base import Status, metadata


        class Hero(SQLModel, table=True):
            __tablename__ = "heroes"
            metadata = metadata
            id: Optional[int] = Field(default=None, primary_key=True)
            bare: Status = Field(
                sa_type=Enum(
                    Status,
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                    name="ck_heroes_bare",
                )
            )
            given: Status = Field(
                default=Status.new,
                sa_type=Enum(
                    Status,
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                    name="ck_heroes_given",
                ),
            )
            optional: Optional[Status] = Field(
                default=None,
                sa_type=Enum(
                    Status,
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                    name="ck_heroes_optional",
                ),
            )
            indexed: Status = Field(
                default=Status.done,
                index=True,
                sa_type=Enum(
                    Status,
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                    name="ck_heroes_indexed",
                ),
            )
            typed: Status = Field(
                sa_type=Enum(
                    Status,
                    name="ck_heroes_typed",
                    native_enum=False,
                    create_constraint=True,
                    length=63,
                )
            )
            column: Status = Field(
                sa_column=Column(
                    "other",
                    Enum(
                        Status,
                        name="ck_heroes_other",
                        native_enum=False,
                        create_constraint=True,
                        length=63,
                    ),
                    nullable=False,
                )
            )
        """,
    ),
]

REFUSED = [
    Idiom(
        "decorators",
        """
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Status, Stored


        class Decorated(Base):
            __tablename__ = "decorated"
            id: Mapped[int] = mapped_column(primary_key=True)
            status: Mapped[Status] = mapped_column(Stored(Status, name="stored"))
        """,
        refused="is of Stored, a type of the project's own; have that be over an Enum",
    ),
    Idiom(
        "helpers",
        """
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base, Status, enum_of


        class Helped(Base):
            __tablename__ = "helped"
            id: Mapped[int] = mapped_column(primary_key=True)
            status: Mapped[Status] = mapped_column(enum_of(Status))
        """,
        refused="the type enum_of(Status) is not written out where it could be changed",
    ),
    Idiom(
        "domains",
        """
        from sqlalchemy import Enum
        from sqlalchemy.dialects.postgresql import DOMAIN
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base

        mood = Enum("sad", "ok", name="mood")
        good = DOMAIN("good", mood, check="VALUE <> 'sad'")


        class Person(Base):
            __tablename__ = "people"
            id: Mapped[int] = mapped_column(primary_key=True)
            good = mapped_column(good)
            plain = mapped_column(mood)
        """,
        refused="is of the domain good; make that a DOMAIN over a String",
    ),
    Idiom(
        "excluded",
        """
        from sqlalchemy import Enum
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base

        level = Enum("low", "high", name="level")


        class Excluded(Base):
            __tablename__ = "excluded"
            id: Mapped[int] = mapped_column(primary_key=True)
            stays = mapped_column(level)
            goes = mapped_column(level)
        """,
        refused="excluded.stays has the same enum, and stays as it is",
    ),
    Idiom(
        "options",
        """
        from sqlalchemy import Enum
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base

        OPTIONS = {"name": "optional"}


        class Optioned(Base):
            __tablename__ = "optioned"
            id: Mapped[int] = mapped_column(primary_key=True)
            one = mapped_column(Enum("a", "b", **OPTIONS))
        """,
        refused="Enum() is given ** of something",
    ),
    Idiom(
        "casting",
        """
        from sqlalchemy import Enum, Index, cast
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base

        grade = Enum("low", "high", name="grade")


        class Casting(Base):
            __tablename__ = "casting"
            id: Mapped[int] = mapped_column(primary_key=True)
            grade = mapped_column(grade)


        Index("ix_casting", Casting.id, postgresql_where=Casting.grade == cast("low", grade))
        """,
        refused="is not written here as a text",
    ),
    Idiom(
        "arguments",
        """
        from sqlalchemy import Enum
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base

        tone = Enum("low", "high", name="tone")


        def arguments():
            return ()


        class Argued(Base):
            __tablename__ = "argued"
            __table_args__ = arguments()
            id: Mapped[int] = mapped_column(primary_key=True)
            one = mapped_column(tone)
            two = mapped_column(tone)
        """,
        refused="__table_args__ is what arguments() gives",
    ),
]
