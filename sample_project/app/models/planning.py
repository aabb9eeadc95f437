"""Waves: which assets move together, and when."""

import uuid
from datetime import date

from sqlalchemy import CheckConstraint, Date, ForeignKey, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base
from app.models.assets import Asset
from app.models.mixins import TenantMixin, Timestamps, UUIDPrimaryKey


class PlanningWave(UUIDPrimaryKey, TenantMixin, Timestamps, Base):
    """A group of assets that move in the same weeks."""

    __tablename__ = "planning_waves"
    __table_args__ = (
        UniqueConstraint("engagement_id", "position", name="uq_planning_waves_position"),
        CheckConstraint("ends_on >= starts_on", name="ck_planning_waves_dates"),
    )

    name: Mapped[str] = mapped_column(String(120))
    position: Mapped[int] = mapped_column(Integer)
    starts_on: Mapped[date | None] = mapped_column(Date)
    ends_on: Mapped[date | None] = mapped_column(Date)

    members: Mapped[list["WaveAsset"]] = relationship(
        back_populates="wave", cascade="all, delete-orphan"
    )
    assets: Mapped[list["Asset"]] = relationship(secondary="migration.wave_assets", viewonly=True)


class WaveAsset(Base):
    """An asset's place in a wave."""

    __tablename__ = "wave_assets"

    wave_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("planning_waves.id", ondelete="CASCADE"), primary_key=True
    )
    asset_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("assets.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    client_account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("client_accounts.id", ondelete="CASCADE")
    )
    engagement_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("migration.engagements.id", ondelete="CASCADE")
    )
    move_order: Mapped[int] = mapped_column(Integer, server_default=text("0"))

    wave: Mapped["PlanningWave"] = relationship(back_populates="members")
    asset: Mapped["Asset"] = relationship()
