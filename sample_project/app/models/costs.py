"""What the cloud would cost, and the providers that it is asked of."""

import uuid
from decimal import Decimal

from sqlalchemy import Boolean, Computed, ForeignKey, Index, Numeric, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base
from app.models.assessments import SixRDecision
from app.models.mixins import Timestamps, UUIDPrimaryKey


class CloudProvider(Base):
    """A cloud that assets can move to; rows come with the migrations."""

    __tablename__ = "cloud_providers"

    code: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    is_offered: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))


class CostEstimate(UUIDPrimaryKey, Timestamps, Base):
    """Monthly cost of a decision at one provider."""

    __tablename__ = "cost_estimates"
    __table_args__ = (
        Index("uq_cost_estimates_decision", "sixr_decision_id", "provider_code", unique=True),
    )

    client_account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("client_accounts.id", ondelete="CASCADE")
    )
    engagement_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("engagements.id", ondelete="CASCADE"), index=True
    )
    sixr_decision_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("sixr_decisions.id", ondelete="CASCADE")
    )
    provider_code: Mapped[str] = mapped_column(ForeignKey("cloud_providers.code"))
    compute: Mapped[Decimal] = mapped_column(Numeric(12, 2), server_default=text("0"))
    storage: Mapped[Decimal] = mapped_column(Numeric(12, 2), server_default=text("0"))
    licences: Mapped[Decimal] = mapped_column(Numeric(12, 2), server_default=text("0"))
    total: Mapped[Decimal] = mapped_column(
        Numeric(14, 2), Computed("compute + storage + licences", persisted=True), nullable=True
    )

    decision: Mapped["SixRDecision"] = relationship()
    provider: Mapped["CloudProvider"] = relationship()
