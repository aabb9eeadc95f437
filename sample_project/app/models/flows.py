"""Discovery flows: long-running work that finds out what a client has."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base
from app.models.enums import FlowStatus, flow_status_type
from app.models.mixins import TenantMixin, Timestamps, UUIDPrimaryKey
from app.models.tenancy import Engagement


class DiscoveryFlow(UUIDPrimaryKey, Timestamps, Base):
    """One run through discovery; a flow may start others."""

    __tablename__ = "discovery_flows"
    __table_args__ = (
        CheckConstraint("progress BETWEEN 0 AND 100", name="ck_discovery_flows_progress"),
        Index(
            "ix_discovery_flows_running",
            "engagement_id",
            "started_at",
            postgresql_where=text("status = 'running'"),
        ),
    )

    client_account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("client_accounts.id"))
    engagement_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("migration.engagements.id", ondelete="CASCADE"), index=True
    )
    parent_flow_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("discovery_flows.id", ondelete="SET NULL")
    )
    created_by: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL")
    )
    name: Mapped[str] = mapped_column(String(200))
    status: Mapped[FlowStatus] = mapped_column(flow_status_type, server_default="pending")
    progress: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    state: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    engagement: Mapped["Engagement"] = relationship(back_populates="discovery_flows")
    parent: Mapped["DiscoveryFlow | None"] = relationship(
        back_populates="children", remote_side="DiscoveryFlow.id"
    )
    children: Mapped[list["DiscoveryFlow"]] = relationship(back_populates="parent")
    phases: Mapped[list["FlowPhase"]] = relationship(
        back_populates="flow", order_by="FlowPhase.position", cascade="all, delete-orphan"
    )


class FlowPhase(UUIDPrimaryKey, TenantMixin, Base):
    """A step of a discovery flow."""

    __tablename__ = "flow_phases"
    __table_args__ = (UniqueConstraint("flow_id", "name", name="uq_flow_phases_flow_name"),)

    flow_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("discovery_flows.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(80))
    position: Mapped[int] = mapped_column(Integer)
    status: Mapped[FlowStatus] = mapped_column(flow_status_type, server_default="pending")
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    flow: Mapped["DiscoveryFlow"] = relationship(back_populates="phases")


class FlowEvent(Base):
    """A change of a flow's status, written by a trigger."""

    __tablename__ = "flow_events"
    __table_args__ = (Index("ix_flow_events_flow_time", "flow_id", "created_at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    client_account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("client_accounts.id", ondelete="CASCADE")
    )
    engagement_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("engagements.id", ondelete="CASCADE")
    )
    flow_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("discovery_flows.id", ondelete="CASCADE"))
    old_status: Mapped[FlowStatus | None] = mapped_column(flow_status_type)
    new_status: Mapped[FlowStatus] = mapped_column(flow_status_type)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    flow: Mapped["DiscoveryFlow"] = relationship()
