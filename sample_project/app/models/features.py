"""The register of features, and the flags that turn them on for a client or an engagement."""

import uuid
from datetime import datetime

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    DateTime,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    String,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base
from app.models.mixins import UUIDPrimaryKey


class FeatureRegistry(Base):
    """A feature that can be turned on; rows come with the migrations."""

    __tablename__ = "feature_registries"
    __table_args__ = {"schema": "migration"}

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(String(80), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(Text)
    stage: Mapped[str] = mapped_column(
        Enum("alpha", "beta", "general", name="feature_stage"), server_default="alpha"
    )

    flags: Mapped[list["FeatureFlag"]] = relationship(back_populates="feature")


class FeatureFlag(UUIDPrimaryKey, Base):
    """On or off: for everybody, for one client, or for one engagement."""

    __tablename__ = "feature_flags"
    __table_args__ = (
        CheckConstraint(
            "engagement_id IS NULL OR client_account_id IS NOT NULL",
            name="ck_feature_flags_scope",
        ),
        CheckConstraint("rollout_percent BETWEEN 0 AND 100", name="ck_feature_flags_rollout"),
        Index(
            "uq_feature_flags_scope",
            "feature_id",
            "client_account_id",
            "engagement_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )

    feature_id: Mapped[int] = mapped_column(ForeignKey("feature_registries.id", ondelete="CASCADE"))
    client_account_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("client_accounts.id", ondelete="CASCADE")
    )
    engagement_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("engagements.id", ondelete="CASCADE")
    )
    enabled: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    rollout_percent: Mapped[int] = mapped_column(SmallInteger, server_default=text("100"))
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    feature: Mapped["FeatureRegistry"] = relationship(back_populates="flags")
