"""The inventory: servers, databases and applications, and how they depend on one another."""

import uuid
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base
from app.models.enums import AssetStatus, RiskLevel, member_values, risk_level_type
from app.models.mixins import TenantMixin, Timestamps, UUIDPrimaryKey
from app.models.tenancy import Engagement

asset_tags = sa.Table(
    "asset_tags",
    Base.metadata,
    sa.Column("asset_id", sa.ForeignKey("assets.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tag_id", sa.ForeignKey("migration.tags.id", ondelete="CASCADE"), primary_key=True),
)


class Asset(UUIDPrimaryKey, Timestamps, Base):
    """Something a client runs and may want to move."""

    __tablename__ = "assets"
    __table_args__ = (
        sa.CheckConstraint("cpu_cores > 0", name="ck_assets_cpu_cores"),
        sa.Index("ix_assets_engagement_status", "engagement_id", "status"),
        sa.Index("ix_assets_attributes", "attributes", postgresql_using="gin"),
        sa.Index(
            "uq_assets_hostname",
            "engagement_id",
            sa.text("lower(hostname::text)"),
            unique=True,
            postgresql_where=sa.text("hostname IS NOT NULL"),
        ),
        {"schema": "migration", "comment": "Something a client runs and may want to move"},
    )

    client_account_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("migration.client_accounts.id", ondelete="CASCADE")
    )
    engagement_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("engagements.id", ondelete="CASCADE")
    )
    discovery_flow_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("discovery_flows.id", name="fk_assets_discovery_flow", ondelete="SET NULL"),
        index=True,
    )
    parent_asset_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("assets.id"))
    name: Mapped[str] = mapped_column(sa.String(255))
    hostname: Mapped[str | None] = mapped_column(sa.String(255))
    asset_type: Mapped[str] = mapped_column(
        sa.Enum(
            "server",
            "database",
            "application",
            "network",
            "storage",
            "container's host",
            name="asset_type",
        )
    )
    status: Mapped[AssetStatus] = mapped_column(
        sa.Enum(AssetStatus, name="asset_status", values_callable=member_values),
        server_default=AssetStatus.DISCOVERED.value,
    )
    criticality: Mapped[RiskLevel | None] = mapped_column(risk_level_type)
    environment: Mapped[str | None] = mapped_column(sa.String(30))
    operating_system: Mapped[str | None] = mapped_column(sa.String(120))
    ip_address: Mapped[str | None] = mapped_column(INET)
    cpu_cores: Mapped[int | None] = mapped_column(sa.Integer)
    memory_gb: Mapped[Decimal | None] = mapped_column(sa.Numeric(12, 2))
    storage_gb: Mapped[Decimal | None] = mapped_column(sa.Numeric(14, 2))
    annual_cost: Mapped[Decimal | None] = mapped_column(
        sa.Numeric(14, 2), comment="In the currency of the client's contract"
    )
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sa.text("'{}'::jsonb"))

    engagement: Mapped["Engagement"] = relationship(back_populates="assets")
    children: Mapped[list["Asset"]] = relationship(
        backref=sa.orm.backref("parent", remote_side="Asset.id")
    )
    tags: Mapped[list["Tag"]] = relationship(secondary=asset_tags, back_populates="assets")


class AssetDependency(UUIDPrimaryKey, TenantMixin, Base):
    """One asset needs another to work."""

    __tablename__ = "asset_dependencies"
    __table_args__ = (
        sa.UniqueConstraint("asset_id", "depends_on_asset_id", name="uq_asset_dependencies_pair"),
        sa.CheckConstraint("asset_id <> depends_on_asset_id", name="ck_asset_dependencies_self"),
        sa.CheckConstraint(
            "dependency_type IN ('network', 'data', 'auth', 'batch')",
            name="ck_asset_dependencies_type",
        ),
        {"schema": "migration"},
    )

    asset_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("assets.id", ondelete="CASCADE"))
    depends_on_asset_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("migration.assets.id", ondelete="CASCADE"), index=True
    )
    dependency_type: Mapped[str] = mapped_column(sa.String(30), server_default="network")
    port: Mapped[int | None] = mapped_column(sa.Integer)

    asset: Mapped["Asset"] = relationship(foreign_keys=[asset_id])
    depends_on: Mapped["Asset"] = relationship(foreign_keys=[depends_on_asset_id])


class Tag(UUIDPrimaryKey, Base):
    """A client's own word for a group of assets."""

    __tablename__ = "tags"
    __table_args__ = (sa.UniqueConstraint("client_account_id", "name", name="uq_tags_client_name"),)

    client_account_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("client_accounts.id", ondelete="CASCADE")
    )
    name: Mapped[str] = mapped_column(sa.String(60))
    color: Mapped[str] = mapped_column(sa.String(7), server_default="#808080")

    assets: Mapped[list["Asset"]] = relationship(secondary=asset_tags, back_populates="tags")
