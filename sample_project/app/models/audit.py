"""Who did what, and what people are told about it."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Enum, ForeignKey, Identity, Index, String, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base
from app.models.mixins import UUIDPrimaryKey
from app.models.users import User


class AuditLog(Base):
    """What somebody did; rows of the platform's own staff may have no client."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_client_time", "client_account_id", "created_at"),
        {"schema": "migration", "comment": "What somebody did; never changed, only added to"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    client_account_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("migration.client_accounts.id", ondelete="CASCADE")
    )
    engagement_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("migration.engagements.id", ondelete="SET NULL")
    )
    actor_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("migration.users.id", ondelete="SET NULL")
    )
    action: Mapped[str] = mapped_column(String(80))
    entity: Mapped[str] = mapped_column(String(80))
    details: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    actor: Mapped["User | None"] = relationship()


class Notification(UUIDPrimaryKey, Base):
    """A message to one person."""

    __tablename__ = "notifications"

    client_account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("client_accounts.id", ondelete="CASCADE")
    )
    engagement_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("engagements.id", ondelete="SET NULL"), index=True
    )
    user_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    channel: Mapped[str] = mapped_column(
        Enum("in_app", "email", "chat", name="notification_channel", native_enum=False, length=20),
        server_default="in_app",
    )
    body: Mapped[str] = mapped_column(Text)
    read_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    user: Mapped["User"] = relationship()
