"""Agents that work through a client's data, and the patterns they notice."""

import uuid
from datetime import datetime
from decimal import Decimal

from pgvector.sqlalchemy import Vector
from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Enum,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import SCHEMA, Base
from app.models.enums import FlowStatus, RiskLevel, flow_status_type, risk_level_type
from app.models.flows import DiscoveryFlow
from app.models.mixins import TenantMixin, UUIDPrimaryKey
from app.models.users import User


class AgentRun(UUIDPrimaryKey, TenantMixin, Base):
    """One piece of work that an agent did for a flow."""

    __tablename__ = "agent_runs"

    discovery_flow_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("discovery_flows.id", ondelete="CASCADE"), index=True
    )
    agent_name: Mapped[str] = mapped_column(String(120))
    status: Mapped[FlowStatus] = mapped_column(flow_status_type, server_default="pending")
    tokens_used: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    error: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    discovery_flow: Mapped["DiscoveryFlow | None"] = relationship()
    patterns: Mapped[list["AgentDiscoveredPattern"]] = relationship(back_populates="agent_run")


class AgentDiscoveredPattern(UUIDPrimaryKey, Base):
    """A regularity that an agent saw, with an embedding to find similar ones."""

    __tablename__ = "agent_discovered_patterns"
    __table_args__ = (
        CheckConstraint("confidence BETWEEN 0 AND 1", name="ck_agent_patterns_confidence"),
        Index(
            "ix_agent_patterns_embedding",
            "embedding",
            postgresql_using="hnsw",
            postgresql_with={"m": 16, "ef_construction": 64},
            postgresql_ops={"embedding": "vector_cosine_ops"},
        ),
        {"schema": SCHEMA, "comment": "Regularities that agents saw in a client's data"},
    )

    client_account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey(f"{SCHEMA}.client_accounts.id", ondelete="CASCADE")
    )
    engagement_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey(f"{SCHEMA}.engagements.id", ondelete="CASCADE"), index=True
    )
    agent_run_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("agent_runs.id", ondelete="SET NULL")
    )
    pattern_name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    pattern_type: Mapped[str] = mapped_column(
        Enum("naming", "topology", "cost", "security", name="pattern_type")
    )
    severity: Mapped[RiskLevel | None] = mapped_column(risk_level_type)
    confidence: Mapped[Decimal] = mapped_column(Numeric(4, 3), server_default=text("0.5"))
    embedding: Mapped[list[float] | None] = mapped_column(
        Vector(1536), comment="Of the name and the description"
    )
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    agent_run: Mapped["AgentRun | None"] = relationship(back_populates="patterns")
    feedback: Mapped[list["PatternFeedback"]] = relationship(back_populates="pattern")


class PatternFeedback(UUIDPrimaryKey, Base):
    """What a person thinks of a pattern."""

    __tablename__ = "pattern_feedback"

    client_account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("client_accounts.id"))
    engagement_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("engagements.id", ondelete="CASCADE"), index=True
    )
    pattern_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("agent_discovered_patterns.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    verdict: Mapped[str] = mapped_column(
        Enum("right", "wrong", "can't tell", name="pattern_verdict")
    )
    comment: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    pattern: Mapped["AgentDiscoveredPattern"] = relationship(back_populates="feedback")
    user: Mapped["User | None"] = relationship()
