"""Files that clients upload, their rows, and how their columns map to ours."""

import uuid

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Enum,
    ForeignKey,
    Integer,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import relationship

from app.database import Base


class DataImport(Base):
    """A file that a client uploaded."""

    __tablename__ = "data_imports"

    id = Column(Uuid, primary_key=True, default=uuid.uuid4)
    client_account_id = Column(Uuid, ForeignKey("client_accounts.id"), nullable=False)
    engagement_id = Column(Uuid, ForeignKey("engagements.id"), nullable=False, index=True)
    discovery_flow_id = Column(Uuid, ForeignKey("discovery_flows.id", ondelete="SET NULL"))
    filename = Column(String(255), nullable=False)
    status = Column(  # type: ignore[var-annotated]
        Enum("uploaded", "validating", "valid", "invalid", "committed", name="import_status"),
        nullable=False,
        server_default="uploaded",
    )
    row_count = Column(Integer, nullable=False, server_default=text("0"))
    uploaded_by = Column(Uuid, ForeignKey("users.id", ondelete="SET NULL"))
    created_at = Column(DateTime(timezone=True), nullable=False, server_default=func.now())
    integration_id = Column(Integer, ForeignKey("integrations.id", ondelete="SET NULL"))

    rows = relationship("ImportRow", back_populates="data_import", cascade="all, delete-orphan")
    mappings = relationship("FieldMapping", back_populates="data_import")


class ImportRow(Base):
    """One line of an uploaded file, as it came."""

    __tablename__ = "import_rows"
    __table_args__ = (
        UniqueConstraint("data_import_id", "row_number", name="uq_import_rows_number"),
        {"schema": "migration", "comment": "Lines of uploaded files, as they came"},
    )

    id = Column(BigInteger, primary_key=True, index=True)
    client_account_id = Column(
        Uuid, ForeignKey("client_accounts.id", ondelete="CASCADE"), nullable=False
    )
    engagement_id = Column(Uuid, ForeignKey("engagements.id", ondelete="CASCADE"), nullable=False)
    data_import_id = Column(
        Uuid,
        ForeignKey("migration.data_imports.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    )
    row_number = Column(Integer, nullable=False)
    payload = Column(JSONB, nullable=False)
    error = Column(Text)

    data_import = relationship("DataImport", back_populates="rows")


class FieldMapping(Base):
    """Which of our fields a column of an uploaded file becomes."""

    __tablename__ = "field_mappings"
    __table_args__ = (
        UniqueConstraint("data_import_id", "source_field", name="uq_field_mappings_source"),
    )

    id = Column(Uuid, primary_key=True, default=uuid.uuid4)
    client_account_id = Column(
        Uuid, ForeignKey("migration.client_accounts.id"), nullable=False, index=True
    )
    engagement_id = Column(Uuid, ForeignKey("migration.engagements.id"), nullable=False)
    data_import_id = Column(Uuid, ForeignKey("data_imports.id", ondelete="CASCADE"))
    source_field = Column(String(120), nullable=False)
    target_field = Column(String(120), nullable=False)
    confidence = Column(Integer, nullable=False, server_default=text("0"))
    approved = Column(Boolean, nullable=False, server_default=text("false"))

    data_import = relationship("DataImport", back_populates="mappings")
