"""The fixed sets of values, and the database types that several tables share."""

import enum

from sqlalchemy import Enum


class EngagementStatus(enum.Enum):
    """Where a client's engagement stands; stored by member name."""

    PLANNING = "planning"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"


class FlowStatus(enum.StrEnum):
    """State of a flow, of one of its phases, or of an agent's run; stored by value."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting for approval"
    FAILED = "failed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class AssetStatus(enum.StrEnum):
    """Life cycle of an asset in the inventory; stored by value."""

    DISCOVERED = "discovered"
    CONFIRMED = "confirmed"
    IN_SCOPE = "in-scope"
    MIGRATED = "migrated"
    RETIRED = "retired"


class RiskLevel(enum.IntEnum):
    """How bad it is; stored by lower-case name, in rising order."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class SixRStrategy(enum.Enum):
    """The six ways to treat an application in a migration; stored by member name."""

    REHOST = "rehost"
    REPLATFORM = "replatform"
    REFACTOR = "refactor"
    REARCHITECT = "rearchitect"
    RETAIN = "retain"
    RETIRE = "retire"


class QuestionnaireStatus(enum.Enum):
    """Progress of a questionnaire; the type's name is SQLAlchemy's default."""

    DRAFT = "draft"
    SENT = "sent"
    ANSWERED = "answered"


def member_values(members: type[enum.Enum]) -> list[str]:
    """The values of a Python enum, for ``values_callable``."""
    return [member.value for member in members]


# One type for discovery_flows, flow_phases, flow_events and agent_runs.
flow_status_type = Enum(FlowStatus, name="flow_status", values_callable=member_values)

# One type for assets, assessment_findings and agent_discovered_patterns.
risk_level_type = Enum(
    RiskLevel,
    name="risk_level",
    values_callable=lambda members: [member.name.lower() for member in members],
)
