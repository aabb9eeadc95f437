"""Columns that many models share."""

import uuid
from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, func, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column


class UUIDPrimaryKey:
    """A random UUID, made by the application or else by the database."""

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, default=uuid.uuid4, server_default=text("gen_random_uuid()")
    )


class Timestamps:
    """When the row was made and last changed."""

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now()
    )


class TenantMixin:
    """The two columns that say whose row it is."""

    @declared_attr
    def client_account_id(cls) -> Mapped[uuid.UUID]:
        """The client that owns the row."""
        return mapped_column(ForeignKey("client_accounts.id", ondelete="CASCADE"), nullable=False)

    @declared_attr
    def engagement_id(cls) -> Mapped[uuid.UUID]:
        """The engagement of that client in which the row came about."""
        return mapped_column(
            ForeignKey("migration.engagements.id", ondelete="CASCADE"), nullable=False, index=True
        )
