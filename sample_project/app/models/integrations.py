"""Systems of a client's that a job reads from, and what it did there."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base
from app.models.mixins import TenantMixin, Timestamps


class Integration(TenantMixin, Timestamps, Base):
    """A system of the client's that data comes from."""

    __tablename__ = "integrations"
    __table_args__ = (
        UniqueConstraint("engagement_id", "name", name="uq_integrations_name"),
        {"comment": "A system of the client's that data comes from"},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(
        Enum("cmdb", "ticketing", "monitoring", name="integration_kind"), server_default="cmdb"
    )
    name: Mapped[str] = mapped_column(String(120))
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))

    events: Mapped[list["IntegrationEvent"]] = relationship(
        back_populates="integration", cascade="all, delete-orphan"
    )


class IntegrationEvent(Base):
    """Something that the job did at an integration."""

    __tablename__ = "integration_events"
    __table_args__ = (Index("ix_integration_events_time", "integration_id", "created_at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    integration_id: Mapped[int] = mapped_column(ForeignKey("integrations.id", ondelete="CASCADE"))
    message: Mapped[str] = mapped_column(Text)
    payload: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    integration: Mapped["Integration"] = relationship(back_populates="events")
