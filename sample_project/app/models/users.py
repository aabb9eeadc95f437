"""People, roles, and who may do what where."""

import uuid
from datetime import datetime

from sqlalchemy import Boolean, DateTime, ForeignKey, Index, Integer, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base
from app.models.mixins import Timestamps, UUIDPrimaryKey
from app.models.tenancy import ClientAccount, Engagement


class Role(Base):
    """A named set of permissions; the same for all clients."""

    __tablename__ = "roles"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    description: Mapped[str | None] = mapped_column(Text)


class User(UUIDPrimaryKey, Timestamps, Base):
    """A person; the platform's own staff belong to no client."""

    __tablename__ = "users"
    __table_args__ = (Index("uq_users_email_lower", text("lower(email::text)"), unique=True),)

    client_account_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("client_accounts.id", ondelete="CASCADE"), index=True
    )
    email: Mapped[str] = mapped_column(String(320))
    full_name: Mapped[str] = mapped_column(String(200))
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    last_login_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    client_account: Mapped["ClientAccount | None"] = relationship()
    roles: Mapped[list["UserRole"]] = relationship(
        back_populates="user", cascade="all, delete-orphan"
    )


class UserRole(UUIDPrimaryKey, Base):
    """A role held in one engagement, or in all of a client's where none is named."""

    __tablename__ = "user_roles"
    __table_args__ = (
        Index(
            "uq_user_roles_client_wide",
            "user_id",
            "role_id",
            "client_account_id",
            unique=True,
            postgresql_where=text("engagement_id IS NULL"),
        ),
        Index(
            "uq_user_roles_engagement",
            "user_id",
            "role_id",
            "engagement_id",
            unique=True,
            postgresql_where=text("engagement_id IS NOT NULL"),
        ),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"))
    client_account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("client_accounts.id", ondelete="CASCADE")
    )
    engagement_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("engagements.id", ondelete="CASCADE"), index=True
    )
    granted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    user: Mapped["User"] = relationship(back_populates="roles")
    role: Mapped["Role"] = relationship(lazy="joined")
    engagement: Mapped["Engagement | None"] = relationship()
