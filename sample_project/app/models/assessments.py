"""Assessments of a client's assets, what they found, and what was decided."""

import uuid
from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Numeric,
    String,
    Text,
    text,
)
from sqlalchemy import Enum as SAEnum
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base
from app.models.assets import Asset
from app.models.enums import RiskLevel, SixRStrategy, risk_level_type
from app.models.mixins import TenantMixin, Timestamps, UUIDPrimaryKey
from app.models.tenancy import ClientAccount, Engagement


class Assessment(UUIDPrimaryKey, Timestamps, Base):
    """A review of what a discovery flow found."""

    __tablename__ = "assessments"
    __table_args__ = (
        CheckConstraint(
            "status IN ('draft', 'in_progress', 'completed')", name="ck_assessments_status"
        ),
        Index(
            "ix_assessments_live",
            "engagement_id",
            "created_at",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        {"schema": "migration"},
    )

    client_account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("migration.client_accounts.id"))
    engagement_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("migration.engagements.id"))
    discovery_flow_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("discovery_flows.id"))
    name: Mapped[str] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(20), server_default="draft")
    overall_score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    client_account: Mapped["ClientAccount"] = relationship()
    engagement: Mapped["Engagement"] = relationship()
    findings: Mapped[list["AssessmentFinding"]] = relationship(
        back_populates="assessment", cascade="all, delete-orphan"
    )


class AssessmentFinding(UUIDPrimaryKey, TenantMixin, Timestamps, Base):
    """Something that stands in the way of moving an asset."""

    __tablename__ = "assessment_findings"
    __table_args__ = (
        Index(
            "ix_assessment_findings_open",
            "assessment_id",
            "severity",
            postgresql_where=text("NOT resolved"),
        ),
    )

    assessment_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("assessments.id", ondelete="CASCADE")
    )
    asset_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("assets.id", ondelete="SET NULL"))
    severity: Mapped[RiskLevel] = mapped_column(risk_level_type, server_default="medium")
    title: Mapped[str] = mapped_column(String(200))
    detail: Mapped[str | None] = mapped_column(Text)
    resolved: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))

    assessment: Mapped["Assessment"] = relationship(back_populates="findings")
    asset: Mapped["Asset | None"] = relationship()


class SixRDecision(UUIDPrimaryKey, Timestamps, Base):
    """Which of the six ways an asset takes; outlives the engagement it was made in."""

    __tablename__ = "sixr_decisions"
    __table_args__ = (
        CheckConstraint("confidence BETWEEN 0 AND 1", name="ck_sixr_decisions_confidence"),
    )

    client_account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("client_accounts.id", ondelete="CASCADE"), index=True
    )
    engagement_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("engagements.id", ondelete="SET NULL")
    )
    asset_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("assets.id", ondelete="CASCADE"))
    assessment_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("migration.assessments.id", ondelete="SET NULL")
    )
    strategy: Mapped[SixRStrategy] = mapped_column(SAEnum(SixRStrategy, name="sixr_strategy"))
    alternatives: Mapped[list[SixRStrategy]] = mapped_column(
        ARRAY(SAEnum(SixRStrategy, name="sixr_strategy")), server_default=text("'{}'")
    )
    confidence: Mapped[Decimal | None] = mapped_column(Numeric(4, 3))
    rationale: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL")
    )

    engagement: Mapped["Engagement | None"] = relationship()
    asset: Mapped["Asset"] = relationship()
    assessment: Mapped["Assessment | None"] = relationship()
