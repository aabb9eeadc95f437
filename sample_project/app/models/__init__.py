"""All models of the application; importing this package fills ``Base.metadata``."""

from app.database import Base
from app.models.agents import AgentDiscoveredPattern, AgentRun, PatternFeedback
from app.models.assessments import Assessment, AssessmentFinding, SixRDecision
from app.models.assets import Asset, AssetDependency, Tag, asset_tags
from app.models.audit import AuditLog, Notification
from app.models.collection import Questionnaire, QuestionnaireResponse
from app.models.costs import CloudProvider, CostEstimate
from app.models.features import FeatureFlag, FeatureRegistry
from app.models.flows import DiscoveryFlow, FlowEvent, FlowPhase
from app.models.imports import DataImport, FieldMapping, ImportRow
from app.models.integrations import Integration, IntegrationEvent
from app.models.planning import PlanningWave, WaveAsset
from app.models.reports import LLMUsageLog, ReportSnapshot
from app.models.tenancy import ClientAccount, Engagement
from app.models.users import Role, User, UserRole

__all__ = [
    "AgentDiscoveredPattern",
    "AgentRun",
    "Assessment",
    "AssessmentFinding",
    "Asset",
    "AssetDependency",
    "AuditLog",
    "Base",
    "ClientAccount",
    "CloudProvider",
    "CostEstimate",
    "DataImport",
    "DiscoveryFlow",
    "Engagement",
    "FeatureFlag",
    "FeatureRegistry",
    "FieldMapping",
    "FlowEvent",
    "FlowPhase",
    "ImportRow",
    "Integration",
    "IntegrationEvent",
    "LLMUsageLog",
    "Notification",
    "PatternFeedback",
    "PlanningWave",
    "Questionnaire",
    "QuestionnaireResponse",
    "ReportSnapshot",
    "Role",
    "SixRDecision",
    "Tag",
    "User",
    "UserRole",
    "WaveAsset",
    "asset_tags",
]
