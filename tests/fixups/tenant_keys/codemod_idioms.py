"""One way of writing models with tenants after another, before and after the codemod."""

from __future__ import annotations

from tests.codemods.rewriting import Idiom

SETTINGS = """
[tool.alembic-fixups.tenant-keys]
scope = "all"
levels = [
  { table = "migration.client_accounts", column = "client_account_id" },
  { table = "migration.engagements",     column = "engagement_id" },
]
"""

BASE = '''
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase, declared_attr, mapped_column, relationship

ID = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    metadata = MetaData(schema="migration")


class Facade:
    """Hands on what SQLAlchemy has, as Flask-SQLAlchemy does."""

    Model = Base

    def __getattr__(self, name):
        import sqlalchemy
        import sqlalchemy.orm

        return getattr(sqlalchemy, name, None) or getattr(sqlalchemy.orm, name)


class OfClient:
    @declared_attr
    def client_account_id(cls):
        return mapped_column(ForeignKey("client_accounts.id"), nullable=False)


class OfEngagement(OfClient):
    @declared_attr
    def engagement_id(cls):
        """Whose it is."""
        return mapped_column(
            ForeignKey("migration.engagements.id", ondelete="CASCADE"), nullable=False
        )

    @declared_attr
    def engagement(cls):
        return relationship("Engagement")


class Shared:
    client_account_id = Column(ForeignKey("client_accounts.id"), nullable=False)
    engagement_id = Column(ForeignKey("engagements.id"))


db = Facade()
metadata = Base.metadata
'''

IDIOMS = [
    Idiom(
        "tenancy",
        '''
        """Who the customers are."""

        from sqlalchemy import ForeignKey, String
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base


        class ClientAccount(Base):
            __tablename__ = "client_accounts"

            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str] = mapped_column(String(80))


        class Engagement(Base):
            """What is done for a client."""

            __tablename__ = "engagements"

            id: Mapped[str] = mapped_column(String(36), primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))

            client_account: Mapped["ClientAccount"] = relationship()
            assets: Mapped[list["Asset"]] = relationship(back_populates="engagement")
            reports: Mapped[list["Report"]] = relationship(
                back_populates="engagement", cascade="all, delete-orphan", passive_deletes=True
            )
            servers: Mapped[list["Server"]] = relationship(back_populates="engagement")
            routers: Mapped[list["Router"]] = relationship(back_populates="engagement")
        ''',
        '''
        """Who the customers are."""

        from sqlalchemy import ForeignKey, String, UniqueConstraint
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base


        class ClientAccount(Base):
            __tablename__ = "client_accounts"

            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str] = mapped_column(String(80))


        class Engagement(Base):
            """What is done for a client."""

            __tablename__ = "engagements"
            __table_args__ = (
                UniqueConstraint(
                    "client_account_id", "id", name="uq_engagements_client_account_id_id"
                ),
            )

            id: Mapped[str] = mapped_column(String(36), primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))

            client_account: Mapped["ClientAccount"] = relationship()
            assets: Mapped[list["Asset"]] = relationship(
                back_populates="engagement", foreign_keys="Asset.engagement_id"
            )
            reports: Mapped[list["Report"]] = relationship(
                back_populates="engagement",
                cascade="all, delete-orphan",
                passive_deletes=True,
                foreign_keys="Report.engagement_id",
            )
            servers: Mapped[list["Server"]] = relationship(
                back_populates="engagement", foreign_keys="Server.engagement_id"
            )
            routers: Mapped[list["Router"]] = relationship(
                back_populates="engagement", foreign_keys="Router.engagement_id"
            )
        ''',
    ),
    Idiom(
        "bare",
        '''
        """The inventory."""

        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base
        from app.models.tenancy import ClientAccount, Engagement


        class Asset(Base):
            """Something that a client has."""

            __tablename__ = "assets"

            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            # The engagement that brought it in.
            engagement_id: Mapped[str | None] = mapped_column(
                ForeignKey("engagements.id", ondelete="SET NULL"), index=True
            )
            parent_id: Mapped[int | None] = mapped_column(ForeignKey("assets.id"))

            client_account: Mapped["ClientAccount"] = relationship()
            engagement: Mapped["Engagement | None"] = relationship(back_populates="assets")
            parent: Mapped["Asset | None"] = relationship(
                remote_side="Asset.id", back_populates="children"
            )
            children: Mapped[list["Asset"]] = relationship(back_populates="parent")
        ''',
        '''
        """The inventory."""

        from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base
        from app.models.tenancy import ClientAccount, Engagement


        class Asset(Base):
            """Something that a client has."""

            __tablename__ = "assets"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_assets_client_account_id_engagement_id",
                    ondelete="SET NULL (engagement_id)",
                ),
                Index(
                    "ix_assets_client_account_id_engagement_id",
                    "client_account_id",
                    "engagement_id",
                ),
            )

            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            # The engagement that brought it in.
            engagement_id: Mapped[str | None] = mapped_column(String(36), index=True)
            parent_id: Mapped[int | None] = mapped_column(ForeignKey("assets.id"))

            client_account: Mapped["ClientAccount"] = relationship()
            engagement: Mapped["Engagement | None"] = relationship(
                back_populates="assets", foreign_keys="Asset.engagement_id"
            )
            parent: Mapped["Asset | None"] = relationship(
                remote_side="Asset.id", back_populates="children"
            )
            children: Mapped[list["Asset"]] = relationship(back_populates="parent")
        ''',
    ),
    Idiom(
        "tuple_and_dict",
        """
        import sqlalchemy as sa
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base
        from app.models.tenancy import Engagement


        class Report(Base):
            __tablename__ = "reports"
            __table_args__ = (
                sa.UniqueConstraint("client_account_id", "title"),  # one of each
                # Found by title.
                sa.Index("reports_title", "title"),
                {"comment": "What came of it"},  # shown to the client
            )

            id = mapped_column(sa.Integer, primary_key=True)
            client_account_id = mapped_column(
                sa.ForeignKey("client_accounts.id"), nullable=False
            )
            engagement_id = mapped_column(
                "engagement_id",
                sa.ForeignKey("migration.engagements.id", onupdate="CASCADE", deferrable=True),
                nullable=False,  # always
            )
            title: Mapped[str] = mapped_column(sa.String(80))

            engagement = relationship(Engagement, back_populates="reports")
        """,
        """
        import sqlalchemy as sa
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base
        from app.models.tenancy import Engagement


        class Report(Base):
            __tablename__ = "reports"
            __table_args__ = (
                sa.UniqueConstraint("client_account_id", "title"),  # one of each
                # Found by title.
                sa.Index("reports_title", "title"),
                sa.ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_reports_client_account_id_engagement_id",
                    onupdate="CASCADE",
                    deferrable=True,
                ),
                sa.Index(
                    "ix_reports_client_account_id_engagement_id",
                    "client_account_id",
                    "engagement_id",
                ),
                {"comment": "What came of it"},  # shown to the client
            )

            id = mapped_column(sa.Integer, primary_key=True)
            client_account_id = mapped_column(
                sa.ForeignKey("client_accounts.id"), nullable=False
            )
            engagement_id = mapped_column(
                "engagement_id",
                sa.String(36),
                nullable=False,  # always
            )
            title: Mapped[str] = mapped_column(sa.String(80))

            engagement = relationship(
                Engagement, back_populates="reports", foreign_keys="Report.engagement_id"
            )
        """,
    ),
    Idiom(
        "facade",
        """
        from app.base import db


        class Note(db.Model):
            __tablename__ = "notes"
            __table_args__ = {"comment": "Notes"}
            id = db.Column(db.Integer, primary_key=True)
            client_account_id = db.Column(
                db.Integer, db.ForeignKey("client_accounts.id"), nullable=False
            )
            engagement_id = db.Column(
                db.String(36), db.ForeignKey("engagements.id"), nullable=False
            )
            engagement = db.relationship("Engagement", backref="notes")
        """,
        """
        from app.base import db


        class Note(db.Model):
            __tablename__ = "notes"
            __table_args__ = (
                db.ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_notes_client_account_id_engagement_id",
                ),
                db.Index(
                    "ix_notes_client_account_id_engagement_id",
                    "client_account_id",
                    "engagement_id",
                ),
                {"comment": "Notes"},
            )
            id = db.Column(db.Integer, primary_key=True)
            client_account_id = db.Column(
                db.Integer, db.ForeignKey("client_accounts.id"), nullable=False
            )
            engagement_id = db.Column(db.String(36), nullable=False)
            engagement = db.relationship(
                "Engagement",
                backref="notes",
                foreign_keys="app.models.facade.Note.engagement_id",
            )
        """,
    ),
    Idiom(
        "of_mixin",
        """
        from sqlalchemy import Integer
        from sqlalchemy.orm import declared_attr, mapped_column

        from app.base import Base, OfEngagement


        class Flow(OfEngagement, Base):
            __tablename__ = "flows"
            id = mapped_column(Integer, primary_key=True)


        class Phase(OfEngagement, Base):
            __tablename__ = "phases"
            id = mapped_column(Integer, primary_key=True)

            @declared_attr.directive
            def __table_args__(cls):
                return {"comment": "Phases"}
        """,
        """
        from sqlalchemy import ForeignKeyConstraint, Index, Integer
        from sqlalchemy.orm import declared_attr, mapped_column

        from app.base import Base, OfEngagement


        class Flow(OfEngagement, Base):
            __tablename__ = "flows"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_flows_client_account_id_engagement_id",
                    ondelete="CASCADE",
                ),
                Index(
                    "ix_flows_client_account_id_engagement_id",
                    "client_account_id",
                    "engagement_id",
                ),
            )
            id = mapped_column(Integer, primary_key=True)


        class Phase(OfEngagement, Base):
            __tablename__ = "phases"
            id = mapped_column(Integer, primary_key=True)

            @declared_attr.directive
            def __table_args__(cls):
                return (
                    ForeignKeyConstraint(
                        ["client_account_id", "engagement_id"],
                        ["migration.engagements.client_account_id", "migration.engagements.id"],
                        name="fk_phases_client_account_id_engagement_id",
                        ondelete="CASCADE",
                    ),
                    Index(
                        "ix_phases_client_account_id_engagement_id",
                        "client_account_id",
                        "engagement_id",
                    ),
                    {"comment": "Phases"},
                )
        """,
    ),
    Idiom(
        "tables",
        """
        from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, String, Table

        from app.base import Base

        plain = Table(
            "plain",
            Base.metadata,
            Column("id", Integer, primary_key=True),
            Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
            Column("engagement_id", ForeignKey("engagements.id"), nullable=False),
            comment="a table",
        )
        listed = Table(
            "listed",
            Base.metadata,
            Column("id", Integer, primary_key=True),
            Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
            Column("engagement_id", String(36), nullable=False),
            ForeignKeyConstraint(
                ["engagement_id"], ["migration.engagements.id"], ondelete="CASCADE"
            ),
        )


        class Listed(Base):
            __tablename__ = "listed_class"
            __table_args__ = (
                ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"]),
                ForeignKeyConstraint(
                    ["engagement_id"], ["engagements.id"], name="to_engagement"
                ),
            )
            id = Column(Integer, primary_key=True)
            client_account_id = Column(Integer, nullable=False)
            engagement_id = Column(String(36), nullable=False)


        class OfTable(Base):
            __table__ = Table(
                "of_table",
                Base.metadata,
                Column("id", Integer, primary_key=True),
                Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
                Column("engagement_id", ForeignKey("engagements.id"), nullable=False),
            )
        """,
        """
        from sqlalchemy import (
            Column,
            ForeignKey,
            ForeignKeyConstraint,
            Index,
            Integer,
            String,
            Table,
        )

        from app.base import Base

        plain = Table(
            "plain",
            Base.metadata,
            Column("id", Integer, primary_key=True),
            Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
            Column("engagement_id", String(36), nullable=False),
            ForeignKeyConstraint(
                ["client_account_id", "engagement_id"],
                ["migration.engagements.client_account_id", "migration.engagements.id"],
                name="fk_plain_client_account_id_engagement_id",
            ),
            Index(
                "ix_plain_client_account_id_engagement_id", "client_account_id", "engagement_id"
            ),
            comment="a table",
        )
        listed = Table(
            "listed",
            Base.metadata,
            Column("id", Integer, primary_key=True),
            Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
            Column("engagement_id", String(36), nullable=False),
            ForeignKeyConstraint(
                ["client_account_id", "engagement_id"],
                ["migration.engagements.client_account_id", "migration.engagements.id"],
                name="fk_listed_client_account_id_engagement_id",
                ondelete="CASCADE",
            ),
            Index(
                "ix_listed_client_account_id_engagement_id",
                "client_account_id",
                "engagement_id",
            ),
        )


        class Listed(Base):
            __tablename__ = "listed_class"
            __table_args__ = (
                ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"]),
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_listed_class_client_account_id_engagement_id",
                ),
                Index(
                    "ix_listed_class_client_account_id_engagement_id",
                    "client_account_id",
                    "engagement_id",
                ),
            )
            id = Column(Integer, primary_key=True)
            client_account_id = Column(Integer, nullable=False)
            engagement_id = Column(String(36), nullable=False)


        class OfTable(Base):
            __table__ = Table(
                "of_table",
                Base.metadata,
                Column("id", Integer, primary_key=True),
                Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
                Column("engagement_id", String(36), nullable=False),
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_of_table_client_account_id_engagement_id",
                ),
                Index(
                    "ix_of_table_client_account_id_engagement_id",
                    "client_account_id",
                    "engagement_id",
                ),
            )
        """,
    ),
    Idiom(
        "nullable",
        """
        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base
        from app.models.tenancy import Engagement


        class Draft(Base):
            __tablename__ = "drafts"

            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int | None] = mapped_column(
                ForeignKey("client_accounts.id")
            )
            engagement_id: Mapped[str] = mapped_column(ForeignKey("engagements.id"))

            engagement: Mapped[Engagement] = relationship()
        """,
        """
        from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base
        from app.models.tenancy import Engagement


        class Draft(Base):
            __tablename__ = "drafts"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_drafts_client_account_id_engagement_id",
                ),
                Index(
                    "ix_drafts_client_account_id_engagement_id",
                    "client_account_id",
                    "engagement_id",
                ),
            )

            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int | None] = mapped_column(
                ForeignKey("client_accounts.id")
            )
            engagement_id: Mapped[str] = mapped_column(ForeignKey("engagements.id"))

            engagement: Mapped[Engagement] = relationship(foreign_keys="Draft.engagement_id")
        """,
    ),
    Idiom(
        "shared_unevenly",
        """
        from sqlalchemy import Column, Integer

        from app.base import Base, Shared


        class Even(Shared, Base):
            __tablename__ = "even"
            id = Column(Integer, primary_key=True)


        class Odd(Shared, Base):
            __tablename__ = "odd"
            id = Column(Integer, primary_key=True)
            client_account_id = Column(Integer)
        """,
        """
        from sqlalchemy import Column, ForeignKeyConstraint, Index, Integer

        from app.base import Base, Shared


        class Even(Shared, Base):
            __tablename__ = "even"
            id = Column(Integer, primary_key=True)


        class Odd(Shared, Base):
            __tablename__ = "odd"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_odd_client_account_id_engagement_id",
                ),
                Index(
                    "ix_odd_client_account_id_engagement_id",
                    "client_account_id",
                    "engagement_id",
                ),
            )
            id = Column(Integer, primary_key=True)
            client_account_id = Column(Integer)
        """,
    ),
    Idiom(
        "sqlmodel_",
        """
        from sqlalchemy import Column, ForeignKey
        from sqlmodel import Field, Relationship, SQLModel

        from app.base import metadata


        class Model(SQLModel):
            metadata = metadata


        class DealBase(Model):
            client_account_id: int = Field(foreign_key="migration.client_accounts.id")
            program_id: str = Field(
                foreign_key="migration.programs.id", ondelete="CASCADE", max_length=36
            )


        class Program(Model, table=True):
            __tablename__ = "programs"
            id: str = Field(primary_key=True, max_length=36)
            client_account_id: int = Field(foreign_key="migration.client_accounts.id")
            deals: list["Deal"] = Relationship(
                back_populates="program", sa_relationship_kwargs={"lazy": "selectin"}
            )


        class Deal(DealBase, table=True):
            __tablename__ = "deals"
            id: int = Field(primary_key=True)
            program: Program = Relationship(back_populates="deals")


        class Columns(Model, table=True):
            __tablename__ = "sa_columns"
            id: int = Field(primary_key=True)
            client_account_id: int = Field(foreign_key="migration.client_accounts.id")
            column_id: str = Field(
                sa_column=Column(ForeignKey("migration.programs.id"), nullable=False)
            )
            args_id: str = Field(sa_column_args=[ForeignKey("migration.programs.id")])
        """,
        """
        from sqlalchemy import Column, ForeignKeyConstraint, Index, UniqueConstraint
        from sqlmodel import Field, Relationship, SQLModel
        from sqlmodel.sql.sqltypes import AutoString

        from app.base import metadata


        class Model(SQLModel):
            metadata = metadata


        class DealBase(Model):
            client_account_id: int = Field(foreign_key="migration.client_accounts.id")
            program_id: str = Field(max_length=36)


        class Program(Model, table=True):
            __tablename__ = "programs"
            __table_args__ = (
                UniqueConstraint(
                    "client_account_id", "id", name="uq_programs_client_account_id_id"
                ),
            )
            id: str = Field(primary_key=True, max_length=36)
            client_account_id: int = Field(foreign_key="migration.client_accounts.id")
            deals: list["Deal"] = Relationship(
                back_populates="program",
                sa_relationship_kwargs={"foreign_keys": "Deal.program_id", "lazy": "selectin"},
            )


        class Deal(DealBase, table=True):
            __tablename__ = "deals"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "program_id"],
                    ["migration.programs.client_account_id", "migration.programs.id"],
                    name="fk_deals_client_account_id_program_id",
                    ondelete="CASCADE",
                ),
                Index(
                    "ix_deals_client_account_id_program_id", "client_account_id", "program_id"
                ),
            )
            id: int = Field(primary_key=True)
            program: Program = Relationship(
                back_populates="deals",
                sa_relationship_kwargs={"foreign_keys": "Deal.program_id"},
            )


        class Columns(Model, table=True):
            __tablename__ = "sa_columns"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "args_id"],
                    ["migration.programs.client_account_id", "migration.programs.id"],
                    name="fk_sa_columns_client_account_id_args_id",
                ),
                Index(
                    "ix_sa_columns_client_account_id_args_id", "client_account_id", "args_id"
                ),
                ForeignKeyConstraint(
                    ["client_account_id", "column_id"],
                    ["migration.programs.client_account_id", "migration.programs.id"],
                    name="fk_sa_columns_client_account_id_column_id",
                ),
                Index(
                    "ix_sa_columns_client_account_id_column_id",
                    "client_account_id",
                    "column_id",
                ),
            )
            id: int = Field(primary_key=True)
            client_account_id: int = Field(foreign_key="migration.client_accounts.id")
            column_id: str = Field(sa_column=Column(AutoString(length=36), nullable=False))
            args_id: str = Field()
        """,
    ),
    Idiom(
        "inherited_args",
        """
        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base
        from app.models.tenancy import Engagement

        TENANT = "migration.engagements"


        class Commented(Base):
            __abstract__ = True
            __table_args__ = {"comment": "Inherited"}


        class Issue(Commented):
            __tablename__ = "issues"
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(ForeignKey(Engagement.id))


        class Issue2(Commented):
            __tablename__ = "issues2"
            __table_args__ = Commented.__table_args__
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(ForeignKey(TENANT + ".id"))
        """,
        """
        from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base

        TENANT = "migration.engagements"


        class Commented(Base):
            __abstract__ = True
            __table_args__ = {"comment": "Inherited"}


        class Issue(Commented):
            __tablename__ = "issues"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_issues_client_account_id_engagement_id",
                ),
                Index(
                    "ix_issues_client_account_id_engagement_id",
                    "client_account_id",
                    "engagement_id",
                ),
                {**Commented.__table_args__},
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(String(36))


        class Issue2(Commented):
            __tablename__ = "issues2"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_issues2_client_account_id_engagement_id",
                ),
                Index(
                    "ix_issues2_client_account_id_engagement_id",
                    "client_account_id",
                    "engagement_id",
                ),
                {**Commented.__table_args__},
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(String(36))
        """,
    ),
    Idiom(
        "inheritance",
        """
        from sqlalchemy import ForeignKey, String
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base
        from app.models.tenancy import Engagement


        class Node(Base):
            __tablename__ = "nodes"
            id: Mapped[int] = mapped_column(primary_key=True)
            kind: Mapped[str] = mapped_column(String(10))
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(ForeignKey("engagements.id"))
            __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "node"}


        class Server(Node):
            __tablename__ = "servers"
            id: Mapped[int] = mapped_column(ForeignKey("nodes.id"), primary_key=True)
            engagement: Mapped[Engagement] = relationship(back_populates="servers")
            __mapper_args__ = {"polymorphic_identity": "server"}


        class Router(Node):
            engagement: Mapped[Engagement] = relationship(back_populates="routers")
            __mapper_args__ = {"polymorphic_identity": "router"}


        class Joined(Node):
            __tablename__ = "joined"
            __table_args__ = {"info": {}}
            node_id: Mapped[int] = mapped_column(ForeignKey("nodes.id"), primary_key=True)
            own_client: Mapped[int] = mapped_column(
                "client_account_id", ForeignKey("client_accounts.id")
            )
            own_engagement: Mapped[str] = mapped_column(
                "engagement_id", ForeignKey("engagements.id")
            )
            __mapper_args__ = {"polymorphic_identity": "joined"}
        """,
        """
        from sqlalchemy import ForeignKey, ForeignKeyConstraint, String
        from sqlalchemy.orm import Mapped, mapped_column, relationship

        from app.base import Base
        from app.models.tenancy import Engagement


        class Node(Base):
            __tablename__ = "nodes"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_nodes_client_account_id_engagement_id",
                ),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            kind: Mapped[str] = mapped_column(String(10))
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(String(36))
            __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "node"}


        class Server(Node):
            __tablename__ = "servers"
            id: Mapped[int] = mapped_column(ForeignKey("nodes.id"), primary_key=True)
            engagement: Mapped[Engagement] = relationship(
                back_populates="servers", foreign_keys="Server.engagement_id"
            )
            __mapper_args__ = {"polymorphic_identity": "server"}


        class Router(Node):
            engagement: Mapped[Engagement] = relationship(
                back_populates="routers", foreign_keys="Router.engagement_id"
            )
            __mapper_args__ = {"polymorphic_identity": "router"}


        class Joined(Node):
            __tablename__ = "joined"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_joined_client_account_id_engagement_id",
                ),
                {"info": {}},
            )
            node_id: Mapped[int] = mapped_column(ForeignKey("nodes.id"), primary_key=True)
            own_client: Mapped[int] = mapped_column(
                "client_account_id", ForeignKey("client_accounts.id")
            )
            own_engagement: Mapped[str] = mapped_column("engagement_id", String(36))
            __mapper_args__ = {"polymorphic_identity": "joined"}
        """,
        refused="give its __mapper_args__ the inherit_condition first",
    ),
    Idiom(
        "joins",
        """
        from sqlalchemy import Column, ForeignKey, Table
        from sqlalchemy.orm import Mapped, backref, mapped_column, relationship

        from app.base import Base, ID

        pairs = Table(
            "pairs",
            Base.metadata,
            Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
            Column("engagement_id", ForeignKey("engagements.id"), nullable=False),
            Column("left_id", ForeignKey("lefts.id"), primary_key=True),
            Column("right_id", ForeignKey("rights.id"), primary_key=True),
        )


        class Left(Base):
            __tablename__ = "lefts"
            id: Mapped[int] = mapped_column(ID, primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(ForeignKey("engagements.id"))
            parent_id: Mapped[int | None] = mapped_column(ForeignKey("lefts.id"))
            first_id: Mapped[int | None] = mapped_column(
                ForeignKey("rights.id", use_alter=True, name="first")
            )
            second_id: Mapped[int | None] = mapped_column(ForeignKey("rights.id"))

            rights: Mapped[list["Right"]] = relationship(
                secondary=pairs, back_populates="lefts"
            )
            children: Mapped[list["Left"]] = relationship(
                backref=backref("parent", remote_side="Left.id")
            )
            first: Mapped["Right"] = relationship(foreign_keys=[first_id])
            second: Mapped["Right"] = relationship(primaryjoin="Left.second_id == Right.id")


        class Right(Base):
            __tablename__ = "rights"
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(ForeignKey("engagements.id"))
            left_id: Mapped[int] = mapped_column(ForeignKey("lefts.id"))

            lefts: Mapped[list["Left"]] = relationship(secondary=pairs, back_populates="rights")
            engagement = relationship("Engagement", viewonly=True)
        """,
        """
        from sqlalchemy import (
            Column,
            ForeignKey,
            ForeignKeyConstraint,
            Index,
            Integer,
            String,
            Table,
            UniqueConstraint,
        )
        from sqlalchemy.orm import Mapped, backref, mapped_column, relationship

        from app.base import Base, ID

        pairs = Table(
            "pairs",
            Base.metadata,
            Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
            Column("engagement_id", String(36), nullable=False),
            Column("left_id", ID, primary_key=True),
            Column("right_id", Integer, primary_key=True),
            ForeignKeyConstraint(
                ["client_account_id", "engagement_id"],
                ["migration.engagements.client_account_id", "migration.engagements.id"],
                name="fk_pairs_client_account_id_engagement_id",
            ),
            ForeignKeyConstraint(
                ["client_account_id", "engagement_id", "left_id"],
                [
                    "migration.lefts.client_account_id",
                    "migration.lefts.engagement_id",
                    "migration.lefts.id",
                ],
                name="fk_pairs_client_account_id_engagement_id_left_id",
            ),
            Index(
                "ix_pairs_client_account_id_engagement_id_left_id",
                "client_account_id",
                "engagement_id",
                "left_id",
            ),
            ForeignKeyConstraint(
                ["client_account_id", "engagement_id", "right_id"],
                [
                    "migration.rights.client_account_id",
                    "migration.rights.engagement_id",
                    "migration.rights.id",
                ],
                name="fk_pairs_client_account_id_engagement_id_right_id",
            ),
            Index(
                "ix_pairs_client_account_id_engagement_id_right_id",
                "client_account_id",
                "engagement_id",
                "right_id",
            ),
        )


        class Left(Base):
            __tablename__ = "lefts"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_lefts_client_account_id_engagement_id",
                ),
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id", "first_id"],
                    [
                        "migration.rights.client_account_id",
                        "migration.rights.engagement_id",
                        "migration.rights.id",
                    ],
                    name="fk_lefts_client_account_id_engagement_id_first_id",
                    use_alter=True,
                ),
                Index(
                    "ix_lefts_client_account_id_engagement_id_first_id",
                    "client_account_id",
                    "engagement_id",
                    "first_id",
                ),
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id", "parent_id"],
                    [
                        "migration.lefts.client_account_id",
                        "migration.lefts.engagement_id",
                        "migration.lefts.id",
                    ],
                    name="fk_lefts_client_account_id_engagement_id_parent_id",
                ),
                Index(
                    "ix_lefts_client_account_id_engagement_id_parent_id",
                    "client_account_id",
                    "engagement_id",
                    "parent_id",
                ),
                UniqueConstraint(
                    "client_account_id",
                    "engagement_id",
                    "id",
                    name="uq_lefts_client_account_id_engagement_id_id",
                ),
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id", "second_id"],
                    [
                        "migration.rights.client_account_id",
                        "migration.rights.engagement_id",
                        "migration.rights.id",
                    ],
                    name="fk_lefts_client_account_id_engagement_id_second_id",
                ),
                Index(
                    "ix_lefts_client_account_id_engagement_id_second_id",
                    "client_account_id",
                    "engagement_id",
                    "second_id",
                ),
            )
            id: Mapped[int] = mapped_column(ID, primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(String(36))
            parent_id: Mapped[int | None] = mapped_column(ID)
            first_id: Mapped[int | None] = mapped_column(Integer)
            second_id: Mapped[int | None] = mapped_column(Integer)

            rights: Mapped[list["Right"]] = relationship(
                secondary=pairs, back_populates="lefts"
            )
            children: Mapped[list["Left"]] = relationship(
                backref=backref("parent", remote_side="Left.id"), foreign_keys="Left.parent_id"
            )
            first: Mapped["Right"] = relationship(foreign_keys=[first_id])
            second: Mapped["Right"] = relationship(primaryjoin="Left.second_id == Right.id")


        class Right(Base):
            __tablename__ = "rights"
            __table_args__ = (
                UniqueConstraint(
                    "client_account_id",
                    "engagement_id",
                    "id",
                    name="uq_rights_client_account_id_engagement_id_id",
                ),
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_rights_client_account_id_engagement_id",
                ),
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id", "left_id"],
                    [
                        "migration.lefts.client_account_id",
                        "migration.lefts.engagement_id",
                        "migration.lefts.id",
                    ],
                    name="fk_rights_client_account_id_engagement_id_left_id",
                ),
                Index(
                    "ix_rights_client_account_id_engagement_id_left_id",
                    "client_account_id",
                    "engagement_id",
                    "left_id",
                ),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(String(36))
            left_id: Mapped[int] = mapped_column(ID)

            lefts: Mapped[list["Left"]] = relationship(secondary=pairs, back_populates="rights")
            engagement = relationship(
                "Engagement", viewonly=True, foreign_keys="Right.engagement_id"
            )
        """,
    ),
    Idiom(
        "same_name",
        """
        from sqlalchemy import Column, ForeignKey, Integer
        from sqlalchemy.orm import relationship

        from app.base import Base
        from app.models.tenancy import Engagement


        class Note(Base):
            __tablename__ = "other_notes"
            id = Column(Integer, primary_key=True)
            client_account_id = Column(ForeignKey("client_accounts.id"), nullable=False)
            of = Column("engagement_id", ForeignKey("engagements.id"), nullable=False)
            engagement = relationship(Engagement)
        """,
        """
        from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, Integer, String
        from sqlalchemy.orm import relationship

        from app.base import Base
        from app.models.tenancy import Engagement


        class Note(Base):
            __tablename__ = "other_notes"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_other_notes_client_account_id_engagement_id",
                ),
                Index(
                    "ix_other_notes_client_account_id_engagement_id",
                    "client_account_id",
                    "engagement_id",
                ),
            )
            id = Column(Integer, primary_key=True)
            client_account_id = Column(ForeignKey("client_accounts.id"), nullable=False)
            of = Column("engagement_id", String(36), nullable=False)
            engagement = relationship(Engagement, foreign_keys="app.models.same_name.Note.of")
        """,
    ),
    Idiom(
        "aliased",
        """
        from typing import Annotated

        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base

        of_engagement = Annotated[str, mapped_column(ForeignKey("engagements.id"))]


        class Aliased(Base):
            __tablename__ = "aliased"
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[of_engagement]
        """,
        refused="the foreign key on engagement_id to engagements.id is not written here as such",
    ),
    Idiom(
        "made",
        """
        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        def arguments():
            return ({"comment": "made"},)


        class Made(Base):
            __tablename__ = "made"
            __table_args__ = arguments()
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(ForeignKey("engagements.id"))
        """,
        refused="__table_args__ is what arguments() gives",
    ),
    Idiom(
        "typed",
        """
        import enum

        from sqlalchemy import Enum, ForeignKey, String
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Region(enum.Enum):
            EU = "eu"
            US = "us"


        class OfRegion(Base):
            __tablename__ = "of_region"
            id: Mapped[Region] = mapped_column(
                Enum(Region, name="region", native_enum=False), primary_key=True
            )
            code: Mapped[str] = mapped_column(String(36, collation="C"), unique=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
        """,
        """
        import enum

        from sqlalchemy import Enum, ForeignKey, String, UniqueConstraint
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Region(enum.Enum):
            EU = "eu"
            US = "us"


        class OfRegion(Base):
            __tablename__ = "of_region"
            __table_args__ = (
                UniqueConstraint(
                    "client_account_id", "code", name="uq_of_region_client_account_id_code"
                ),
                UniqueConstraint(
                    "client_account_id", "id", name="uq_of_region_client_account_id_id"
                ),
            )
            id: Mapped[Region] = mapped_column(
                Enum(Region, name="region", native_enum=False), primary_key=True
            )
            code: Mapped[str] = mapped_column(String(36, collation="C"), unique=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
        """,
    ),
    Idiom(
        "typed_by_key",
        """
        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Branch(Base):
            __tablename__ = "branches"
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            region = mapped_column(ForeignKey("of_region.id"), nullable=False)
            code = mapped_column(ForeignKey("of_region.code"), nullable=False)
        """,
        """
        from sqlalchemy import Enum, ForeignKey, ForeignKeyConstraint, Index, String
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base
        from app.models.typed import Region


        class Branch(Base):
            __tablename__ = "branches"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "code"],
                    ["migration.of_region.client_account_id", "migration.of_region.code"],
                    name="fk_branches_client_account_id_code",
                ),
                Index("ix_branches_client_account_id_code", "client_account_id", "code"),
                ForeignKeyConstraint(
                    ["client_account_id", "region"],
                    ["migration.of_region.client_account_id", "migration.of_region.id"],
                    name="fk_branches_client_account_id_region",
                ),
                Index("ix_branches_client_account_id_region", "client_account_id", "region"),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            region = mapped_column(
                Enum(Region, name="region", native_enum=False), nullable=False
            )
            code = mapped_column(String(36, collation="C"), nullable=False)
        """,
    ),
    Idiom(
        "scrambled",
        """
        from sqlalchemy import ForeignKey, String
        from sqlalchemy.orm import Mapped, mapped_column
        from sqlalchemy.types import TypeDecorator

        from app.base import Base


        class Scrambled(TypeDecorator):
            impl = String(80)
            cache_ok = True

            def __init__(self, secret="none"):
                super().__init__()
                self.secret = secret


        class Locker(Base):
            __tablename__ = "lockers"
            id = mapped_column(Scrambled("secret"), primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))


        class Key(Base):
            __tablename__ = "locker_keys"
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            locker_id = mapped_column(ForeignKey("lockers.id"), nullable=False)
        """,
        refused="write the type into the column locker_id",
    ),
    Idiom(
        "commented",
        """
        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class Commented(Base):
            __tablename__ = "commented"
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(
                ForeignKey("engagements.id", comment="whose", info={"owner": "billing"})
            )
        """,
        refused="engagement_id has comment= and info=, which would be lost with it",
    ),
    Idiom(
        "comment_moved",
        """
        from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class CommentMoved(Base):
            __tablename__ = "comment_moved"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_comment_moved",
                    comment="whose",
                    info={"owner": "billing"},
                ),
                Index(
                    "ix_comment_moved_client_account_id_engagement_id",
                    "client_account_id",
                    "engagement_id",
                ),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(
                String(36),
                ForeignKey("engagements.id", comment="whose", info={"owner": "billing"}),
            )
        """,
        """
        from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class CommentMoved(Base):
            __tablename__ = "comment_moved"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["client_account_id", "engagement_id"],
                    ["migration.engagements.client_account_id", "migration.engagements.id"],
                    name="fk_comment_moved",
                    comment="whose",
                    info={"owner": "billing"},
                ),
                Index(
                    "ix_comment_moved_client_account_id_engagement_id",
                    "client_account_id",
                    "engagement_id",
                ),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(
                String(36),
            )
        """,
    ),
    Idiom(
        "comment_listed",
        """
        from sqlalchemy import ForeignKey, ForeignKeyConstraint, String
        from sqlalchemy.orm import Mapped, mapped_column

        from app.base import Base


        class CommentListed(Base):
            __tablename__ = "comment_listed"
            __table_args__ = (
                ForeignKeyConstraint(
                    ["engagement_id"], ["migration.engagements.id"], comment="whose"
                ),
            )
            id: Mapped[int] = mapped_column(primary_key=True)
            client_account_id: Mapped[int] = mapped_column(ForeignKey("client_accounts.id"))
            engagement_id: Mapped[str] = mapped_column(String(36))
        """,
        refused="the foreign key on engagement_id has comment=, which would be lost with it",
    ),
]
