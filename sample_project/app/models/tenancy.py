"""Client accounts and their engagements: the two levels of the tenant hierarchy."""

import uuid
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    Enum,
    ForeignKey,
    Sequence,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base
from app.models.enums import EngagementStatus
from app.models.mixins import Timestamps, UUIDPrimaryKey

if TYPE_CHECKING:
    from app.models.assets import Asset
    from app.models.flows import DiscoveryFlow

engagement_number_seq = Sequence("engagement_number_seq", start=1000, metadata=Base.metadata)


class ClientAccount(UUIDPrimaryKey, Timestamps, Base):
    """A company that uses the platform."""

    __tablename__ = "client_accounts"
    __table_args__ = {"schema": "migration", "comment": "A company that uses the platform"}

    name: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    industry: Mapped[str | None] = mapped_column(String(80))
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))

    engagements: Mapped[list["Engagement"]] = relationship(
        back_populates="client_account", lazy="selectin", cascade="all, delete-orphan"
    )


class Engagement(UUIDPrimaryKey, Timestamps, Base):
    """One project with a client; almost every row belongs to one."""

    __tablename__ = "engagements"
    __table_args__ = (
        UniqueConstraint("client_account_id", "name", name="uq_engagements_client_name"),
        CheckConstraint("ends_on IS NULL OR ends_on >= starts_on", name="ck_engagements_dates"),
        {"schema": "migration", "comment": "One project with a client"},
    )

    client_account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("client_accounts.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(String(200))
    number: Mapped[int] = mapped_column(
        BigInteger,
        server_default=engagement_number_seq.next_value(),
        unique=True,
        comment="Shown to people; never reused",
    )
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[EngagementStatus] = mapped_column(
        Enum(EngagementStatus, name="engagement_status"),
        default=EngagementStatus.PLANNING,
        server_default="PLANNING",
    )
    target_cloud: Mapped[str | None] = mapped_column(ForeignKey("cloud_providers.code"))
    starts_on: Mapped[date | None] = mapped_column(Date)
    ends_on: Mapped[date | None] = mapped_column(Date)

    client_account: Mapped["ClientAccount"] = relationship(back_populates="engagements")
    discovery_flows: Mapped[list["DiscoveryFlow"]] = relationship(back_populates="engagement")
    assets: Mapped[list["Asset"]] = relationship(back_populates="engagement")
