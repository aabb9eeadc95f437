"""Questionnaires that ask a client's people for what no scan can find."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, ForeignKey, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base
from app.models.enums import QuestionnaireStatus
from app.models.mixins import TenantMixin, Timestamps, UUIDPrimaryKey


class Questionnaire(UUIDPrimaryKey, TenantMixin, Timestamps, Base):
    """A list of questions for one assessment."""

    __tablename__ = "questionnaires"

    assessment_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("assessments.id", ondelete="CASCADE"), index=True
    )
    title: Mapped[str] = mapped_column(String(200))
    questions: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB, server_default=text("'[]'::jsonb")
    )
    status: Mapped[QuestionnaireStatus] = mapped_column(server_default="DRAFT")

    responses: Mapped[list["QuestionnaireResponse"]] = relationship(
        back_populates="questionnaire", cascade="all, delete-orphan"
    )


class QuestionnaireResponse(UUIDPrimaryKey, Base):
    """One person's answers."""

    __tablename__ = "questionnaire_responses"
    __table_args__ = (
        UniqueConstraint("questionnaire_id", "respondent_id", name="uq_responses_respondent"),
        {"schema": "migration"},
    )

    client_account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("migration.client_accounts.id", ondelete="CASCADE")
    )
    engagement_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("migration.engagements.id", ondelete="CASCADE"), index=True
    )
    questionnaire_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("migration.questionnaires.id", ondelete="CASCADE")
    )
    respondent_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("migration.users.id", ondelete="SET NULL")
    )
    answers: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    submitted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    questionnaire: Mapped["Questionnaire"] = relationship(back_populates="responses")
