"""Fill a fleetshift database at head with plausible rows.

Every run writes the same rows, apart from times that the database fills in.

    DATABASE_URL=postgresql://… python seed.py [--rows 4000] [--clean]

Unless ``--clean`` is given, a few rows break the tenant hierarchy in the way that real data
does: see ``VIOLATIONS``. Nothing points at those rows, and they point at nothing but their
client and engagement.
"""

import argparse
import os
import random
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

SCHEMA = "migration"

# How many rows break the hierarchy, by table. In assets and assessments the engagement belongs
# to another client; in llm_usage_logs, where no foreign key looks, it does not exist at all.
VIOLATIONS = {"assets": 7, "assessments": 2, "llm_usage_logs": 3}

CLIENTS = ["Northwind Freight", "Aurora Health", "Kestrel Bank", "Blue Harbor Foods"]
ENGAGEMENTS = ["Data centre exit", "SAP to the cloud", "Edge consolidation"]
PEOPLE = ["Ada Quist", "Ben Okoro", "Chloé Martin", "Dmitri Volkov", "Emi Sato", "Femi Ade"]
PHASES = ["import", "mapping", "cleansing", "inventory", "dependencies"]
ASSET_TYPES = ["server", "database", "application", "network", "storage", "container's host"]
ASSET_STATUSES = ["discovered", "confirmed", "in-scope", "migrated", "retired"]
STRATEGIES = ["REHOST", "REPLATFORM", "REFACTOR", "REARCHITECT", "RETAIN", "RETIRE"]
RISKS = ["low", "medium", "high", "critical"]
PATTERNS = {
    "naming": "Hostnames carry the site and the tier",
    "topology": "Two web servers share one database",
    "cost": "Idle machines on a licence that is paid by the core",
    "security": "Administration ports are open between sites",
}
START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
EMBEDDING_DIMENSIONS = 1536
MAX_PATTERNS = 400

Row = Sequence[Any]


@dataclass
class Tenant:
    """An engagement, its client, and the rows that others may point at."""

    client: uuid.UUID
    engagement: uuid.UUID
    users: list[uuid.UUID]
    tags: list[uuid.UUID]
    flows: list[uuid.UUID] = field(default_factory=list)
    assets: list[uuid.UUID] = field(default_factory=list)
    assessments: list[uuid.UUID] = field(default_factory=list)
    decisions: list[uuid.UUID] = field(default_factory=list)

    @property
    def keys(self) -> tuple[uuid.UUID, uuid.UUID]:
        """The values of the two tenant columns."""
        return self.client, self.engagement


class Seeder:
    """Makes rows from a fixed random seed and copies them in."""

    def __init__(self, connection: psycopg.Connection, rows: int, clean: bool) -> None:
        self.connection = connection
        self.rows = rows
        self.clean = clean
        self.random = random.Random(20260105)
        self.counts: dict[str, int] = {}

    def run(self) -> dict[str, int]:
        """Fill all tables; the number of rows written, by table."""
        tenants = self.tenancy()
        self.flows(tenants)
        self.assets(tenants)
        self.assessments(tenants)
        self.imports(tenants)
        self.agents(tenants)
        self.planning(tenants)
        self.collection(tenants)
        self.logs(tenants)
        self.integrations(tenants)
        self.connection.execute("REFRESH MATERIALIZED VIEW migration.mv_asset_inventory")
        return self.counts

    # -- helpers --------------------------------------------------------------------------

    def new_id(self) -> uuid.UUID:
        """The next primary key."""
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def moment(self) -> datetime:
        """Some minute of the first half of 2026."""
        return START + timedelta(minutes=self.random.randrange(200 * 24 * 60))

    def share(self, part: float, tenants: Sequence[Tenant]) -> int:
        """How many rows one engagement gets of a table that takes this part of all rows."""
        return max(2, round(self.rows * part / len(tenants)))

    def copy(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        """COPY rows into a table; ``columns`` are names with spaces between."""
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns.split()))
        )
        written = 0
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
                written += 1
        self.counts[table] = self.counts.get(table, 0) + written

    # -- one method for each part of the application -----------------------------------------

    def tenancy(self) -> list[Tenant]:
        """Clients, their people, tags and engagements."""
        clients: list[Row] = []
        users: list[Row] = []
        tags: list[Row] = []
        engagements: list[Row] = []
        tenants: list[Tenant] = []
        grants: list[Row] = []
        roles: dict[str, int] = dict(
            self.connection.execute("SELECT name, id FROM migration.roles").fetchall()
        )
        for client_name in CLIENTS:
            client, slug = self.new_id(), client_name.lower().replace(" ", "-")
            clients.append((client, client_name, slug, Jsonb({"currency": "EUR"})))
            people = [self.new_id() for _ in PEOPLE]
            for person, name in zip(people, PEOPLE, strict=True):
                mail = f"{name.split()[0]}@{slug}.example"
                users.append((person, client, mail, name))
            labels = [self.new_id() for _ in range(3)]
            tags += [
                (label, client, name)
                for label, name in zip(labels, ["core", "legacy", "pci"], strict=True)
            ]
            grants.append((self.new_id(), people[0], roles["client_admin"], client, None))
            for name in ENGAGEMENTS:
                tenant = Tenant(client, self.new_id(), people, labels)
                tenants.append(tenant)
                status = self.random.choice(["PLANNING", "ACTIVE", "ACTIVE", "COMPLETED"])
                engagements.append((tenant.engagement, client, name, status, "aws"))
                grants += [
                    (self.new_id(), person, roles["analyst"], *tenant.keys)
                    for person in people[1:4]
                ]
        users.append((self.new_id(), None, "staff@fleetshift.example", "Platform Staff"))
        self.copy("client_accounts", "id name slug settings", clients)
        self.copy("users", "id client_account_id email full_name", users)
        self.copy("tags", "id client_account_id name", tags)
        self.copy("engagements", "id client_account_id name status target_cloud", engagements)
        self.copy("user_roles", "id user_id role_id client_account_id engagement_id", grants)
        feature = self.connection.execute(
            "SELECT id FROM migration.feature_registries WHERE key = 'wave-planner'"
        ).fetchone()
        assert feature is not None, "the migrations seed the feature registry"
        flags: list[Row] = [(feature[0], tenants[0].client, None, True, 100)]
        flags += [(feature[0], *tenant.keys, True, 50) for tenant in tenants[3:6]]
        self.copy(
            "feature_flags",
            "feature_id client_account_id engagement_id enabled rollout_percent",
            flags,
        )
        return tenants

    def flows(self, tenants: list[Tenant]) -> None:
        """Four discovery flows an engagement, the later ones children of the first."""
        flows: list[Row] = []
        phases: list[Row] = []
        for tenant in tenants:
            tenant.flows = [self.new_id() for _ in range(4)]
            for number, flow in enumerate(tenant.flows):
                parent = tenant.flows[0] if number else None
                user = self.random.choice(tenant.users)
                state = Jsonb({"step": number})
                flows.append((flow, *tenant.keys, parent, user, f"Flow {number + 1}", state))
                phases += [
                    (self.new_id(), *tenant.keys, flow, name, position, "pending")
                    for position, name in enumerate(PHASES)
                ]
        self.copy(
            "discovery_flows",
            "id client_account_id engagement_id parent_flow_id created_by name state",
            flows,
        )
        self.copy(
            "flow_phases", "id client_account_id engagement_id flow_id name position status", phases
        )
        # By UPDATE, so that the trigger writes flow_events.
        for status, names in {
            "running": ["Flow 1", "Flow 2"],
            "waiting for approval": ["Flow 2"],
            "completed": ["Flow 1"],
        }.items():
            events = self.connection.execute(
                "UPDATE migration.discovery_flows SET status = %s, started_at = %s"
                " WHERE name = ANY(%s)",
                (status, START, names),
            ).rowcount
            self.counts["flow_events"] = self.counts.get("flow_events", 0) + events

    def assets(self, tenants: list[Tenant]) -> None:
        """The inventory; an application hangs on a server of the same engagement now and then."""
        rows: list[Row] = []
        dependencies: list[Row] = []
        tagged: list[Row] = []
        for tenant in tenants:
            for number in range(self.share(0.22, tenants)):
                parent = self.random.choice(tenant.assets) if number % 5 == 4 else None
                flow = self.random.choice(tenant.flows)
                asset = self.asset_row(*tenant.keys, f"{number:05d}", flow, parent)
                rows.append(asset)
                tenant.assets.append(asset[0])
            pairs = {
                tuple(self.random.sample(tenant.assets, 2))
                for _ in range(self.share(0.14, tenants))
            }
            dependencies += [
                (self.new_id(), *tenant.keys, *pair, self.random.choice(["network", "data"]))
                for pair in sorted(pairs)
            ]
            tagged += [
                (asset, self.random.choice(tenant.tags))
                for asset in tenant.assets[: self.share(0.08, tenants)]
            ]
        if not self.clean:
            for number in range(VIOLATIONS["assets"]):
                client, foreign = self.mismatch(tenants, number)
                rows.append(self.asset_row(client, foreign, f"x{number}", None, None))
        self.copy(
            "assets",
            "id client_account_id engagement_id discovery_flow_id parent_asset_id name hostname"
            " asset_type status criticality environment operating_system ip_address cpu_cores"
            " memory_gb storage_gb annual_cost attributes created_at",
            rows,
        )
        self.copy(
            "asset_dependencies",
            "id client_account_id engagement_id asset_id depends_on_asset_id dependency_type",
            dependencies,
        )
        self.copy("asset_tags", "asset_id tag_id", tagged)

    def asset_row(
        self,
        client: uuid.UUID,
        engagement: uuid.UUID,
        name: str,
        flow: uuid.UUID | None,
        parent: uuid.UUID | None,
    ) -> Row:
        """The values of one asset, its id first."""
        kind = self.random.choice(ASSET_TYPES)
        return (
            self.new_id(),
            client,
            engagement,
            flow,
            parent,
            f"{kind} {name}",
            None if kind == "application" else f"Host-{name}.example",
            kind,
            self.random.choice(ASSET_STATUSES),
            self.random.choice([None, *RISKS]),
            self.random.choice(["production", "staging", "test", None]),
            self.random.choice(["Debian 12", "Windows Server 2019", "AIX 7.2", None]),
            f"10.{self.random.randrange(256)}.{self.random.randrange(256)}.7",
            self.random.choice([None, 2, 4, 8, 64]),
            self.random.choice([4, 16, 256]),
            self.random.randrange(10, 4000),
            self.random.randrange(100, 90_000),
            Jsonb({"rack": self.random.randrange(40), "note": "100% ours: o'clock"}),
            self.moment(),
        )

    def mismatch(self, tenants: list[Tenant], number: int) -> tuple[uuid.UUID, uuid.UUID]:
        """A client, and an engagement of another client."""
        tenant = tenants[number % len(tenants)]
        foreign = [other for other in tenants if other.client != tenant.client]
        return tenant.client, self.random.choice(foreign).engagement

    def assessments(self, tenants: list[Tenant]) -> None:
        """Two assessments an engagement, with findings, decisions and their costs."""
        rows: list[Row] = []
        findings: list[Row] = []
        decisions: list[Row] = []
        costs: list[Row] = []
        for tenant in tenants:
            for name in ["First look", "Deep dive"]:
                assessment = self.new_id()
                tenant.assessments.append(assessment)
                flow = self.random.choice(tenant.flows)
                rows.append((assessment, *tenant.keys, flow, name, "in_progress", 71.25))
            for _ in range(self.share(0.08, tenants)):
                targets = self.random.choice(tenant.assessments), self.random.choice(tenant.assets)
                risk, done = self.random.choice(RISKS), self.random.random() < 0.3
                findings.append(
                    (self.new_id(), *tenant.keys, *targets, risk, "Unsupported system", done)
                )
            for asset in tenant.assets[: self.share(0.08, tenants)]:
                decision = self.new_id()
                strategy, *others = self.random.sample(STRATEGIES, 3)
                user = self.random.choice(tenant.users)
                engagement = tenant.engagement if self.random.random() < 0.95 else None
                assessment_id = self.random.choice(tenant.assessments) if engagement else None
                decisions.append(
                    (decision, tenant.client, engagement, asset, assessment_id)
                    + (strategy, others, round(self.random.random(), 3), user)
                )
                if engagement:
                    costs += [
                        (self.new_id(), *tenant.keys, decision, provider)
                        + (self.random.randrange(900), self.random.randrange(90), 12)
                        for provider in ["aws", "azure"][: self.random.randrange(1, 3)]
                    ]
        if not self.clean:
            for number in range(VIOLATIONS["assessments"]):
                client, foreign = self.mismatch(tenants, number)
                rows.append((self.new_id(), client, foreign, None, "Moved by hand", "draft", None))
        self.copy(
            "assessments",
            "id client_account_id engagement_id discovery_flow_id name status overall_score",
            rows,
        )
        self.copy(
            "assessment_findings",
            "id client_account_id engagement_id assessment_id asset_id severity title resolved",
            findings,
        )
        self.copy(
            "sixr_decisions",
            "id client_account_id engagement_id asset_id assessment_id strategy alternatives"
            " confidence decided_by",
            decisions,
        )
        self.copy(
            "cost_estimates",
            "id client_account_id engagement_id sixr_decision_id provider_code"
            " compute storage licences",
            costs,
        )

    def imports(self, tenants: list[Tenant]) -> None:
        """One uploaded file an engagement, with its rows and field mappings."""
        files: list[Row] = []
        lines: list[Row] = []
        mappings: list[Row] = []
        for tenant in tenants:
            upload, count = self.new_id(), self.share(0.12, tenants)
            user = self.random.choice(tenant.users)
            files.append(
                (upload, *tenant.keys, tenant.flows[0], "cmdb.csv", "committed", count, user)
            )
            lines += [
                (*tenant.keys, upload, number, Jsonb({"Host": f"Host-{number:05d}", "OS": None}))
                for number in range(1, count + 1)
            ]
            mappings += [
                (self.new_id(), *tenant.keys, upload, source, target, 90, True)
                for source, target in [("Host", "hostname"), ("OS", "operating_system")]
            ]
        self.copy(
            "data_imports",
            "id client_account_id engagement_id discovery_flow_id filename status row_count"
            " uploaded_by",
            files,
        )
        self.copy(
            "import_rows",
            "client_account_id engagement_id data_import_id row_number payload",
            lines,
        )
        self.copy(
            "field_mappings",
            "id client_account_id engagement_id data_import_id source_field target_field"
            " confidence approved",
            mappings,
        )

    def agents(self, tenants: list[Tenant]) -> None:
        """Agent runs and the patterns they found; every tenth has no embedding yet."""
        runs: list[Row] = []
        patterns: list[Row] = []
        feedback: list[Row] = []
        count = min(self.share(0.03, tenants), MAX_PATTERNS // len(tenants))
        for tenant in tenants:
            run = self.new_id()
            runs.append((run, *tenant.keys, tenant.flows[0], "pattern scout", "completed", 4200))
            for number in range(count):
                pattern, kind = self.new_id(), self.random.choice(list(PATTERNS))
                patterns.append(
                    (pattern, *tenant.keys, run, f"{kind} {number}", PATTERNS[kind], kind)
                    + (self.random.choice(RISKS), round(self.random.random(), 3))
                    + (None if number % 10 == 9 else self.vector(),)
                )
                if number % 3 == 0:
                    verdict = self.random.choice(["right", "wrong", "can't tell"])
                    user = self.random.choice(tenant.users)
                    feedback.append((self.new_id(), *tenant.keys, pattern, user, verdict))
        self.copy(
            "agent_runs",
            "id client_account_id engagement_id discovery_flow_id agent_name status tokens_used",
            runs,
        )
        self.copy(
            "agent_discovered_patterns",
            "id client_account_id engagement_id agent_run_id pattern_name description"
            " pattern_type severity confidence embedding",
            patterns,
        )
        self.copy(
            "pattern_feedback",
            "id client_account_id engagement_id pattern_id user_id verdict",
            feedback,
        )

    def vector(self) -> str:
        """A random embedding, as pgvector reads it."""
        values = (round(self.random.uniform(-1, 1), 4) for _ in range(EMBEDDING_DIMENSIONS))
        return "[" + ",".join(map(str, values)) + "]"

    def planning(self, tenants: list[Tenant]) -> None:
        """Three waves an engagement; no asset moves twice."""
        waves: list[Row] = []
        members: list[Row] = []
        for tenant in tenants:
            for position in range(1, 4):
                wave, starts = self.new_id(), date(2026, 2 * position, 1)
                ends = starts + timedelta(days=20)
                waves.append((wave, *tenant.keys, f"Wave {position}", position, starts, ends))
                members += [
                    (wave, asset, *tenant.keys, order)
                    for order, asset in enumerate(tenant.assets[position - 1 : 30 : 3])
                ]
        self.copy(
            "planning_waves",
            "id client_account_id engagement_id name position starts_on ends_on",
            waves,
        )
        self.copy(
            "wave_assets", "wave_id asset_id client_account_id engagement_id move_order", members
        )

    def collection(self, tenants: list[Tenant]) -> None:
        """One questionnaire an engagement, answered by two people."""
        forms: list[Row] = []
        answers: list[Row] = []
        for tenant in tenants:
            form = self.new_id()
            questions = Jsonb([{"ask": "Who owns it?"}])
            forms.append((form, *tenant.keys, tenant.assessments[0], "Owners", questions, "SENT"))
            answers += [
                (self.new_id(), *tenant.keys, form, user, Jsonb({"owner": "IT"}), self.moment())
                for user in tenant.users[:2]
            ]
        self.copy(
            "questionnaires",
            "id client_account_id engagement_id assessment_id title questions status",
            forms,
        )
        self.copy(
            "questionnaire_responses",
            "id client_account_id engagement_id questionnaire_id respondent_id answers"
            " submitted_at",
            answers,
        )

    def logs(self, tenants: list[Tenant]) -> None:
        """What grows without end: audit rows, notifications, model usage; and reports."""
        audit: list[Row] = []
        notes: list[Row] = []
        usage: list[Row] = []
        reports: list[Row] = []
        for tenant in tenants:
            for number in range(self.share(0.06, tenants)):
                user = self.random.choice(tenant.users)
                engagement = tenant.engagement if number % 4 else None
                details = Jsonb({"note": "50% done: see\\below"})
                audit.append(
                    (tenant.client, engagement, user, "update", "asset", details, self.moment())
                )
            for number in range(self.share(0.03, tenants)):
                user, channel = self.random.choice(tenant.users), ("in_app", "email")[number % 2]
                engagement = tenant.engagement if number % 4 else None
                notes.append(
                    (
                        self.new_id(),
                        tenant.client,
                        engagement,
                        user,
                        channel,
                        "A flow waits for you",
                    )
                )
            usage += [
                (
                    self.new_id(),
                    *tenant.keys,
                    "small-model",
                    self.random.randrange(5000),
                    300,
                    0.0021,
                )
                for _ in range(self.share(0.04, tenants))
            ]
            reports.append((self.new_id(), tenant.engagement, "Summary", Jsonb({"pages": 3})))
        if not self.clean:
            usage += [
                (self.new_id(), tenants[number].client, self.new_id(), "small-model", 10, 1, 0)
                for number in range(VIOLATIONS["llm_usage_logs"])
            ]
        audit.append((None, None, None, "login", "user", None, START))
        self.copy(
            "audit_log",
            "client_account_id engagement_id actor_id action entity details created_at",
            audit,
        )
        self.copy("notifications", "id client_account_id engagement_id user_id channel body", notes)
        self.copy(
            "llm_usage_logs",
            "id client_account_id engagement_id model_name prompt_tokens completion_tokens"
            " cost_usd",
            usage,
        )
        self.copy("report_snapshots", "id engagement_id title body", reports)

    def integrations(self, tenants: list[Tenant]) -> None:
        """Two integrations an engagement, what the job did there, and the files that it fetched."""
        self.copy(
            "integrations",
            "client_account_id engagement_id kind name settings",
            [
                (*tenant.keys, kind, f"{kind} {number}", Jsonb({"every": "15 min"}))
                for tenant in tenants
                for number, kind in enumerate(["cmdb", "ticketing"], 1)
            ],
        )
        integrations = self.connection.execute("SELECT id FROM integrations ORDER BY id").fetchall()
        events: list[Row] = [
            (integration, "fetched", Jsonb({"rows": self.random.randrange(900)}), self.moment())
            for (integration,) in integrations
            for _ in range(self.share(0.02, tenants) // 2)
        ]
        self.copy("integration_events", "integration_id message payload created_at", events)
        self.connection.execute(
            "UPDATE data_imports d SET integration_id = i.id FROM integrations i"
            " WHERE i.engagement_id = d.engagement_id AND i.kind = 'cmdb'"
        )


def seed(database_url: str, rows: int = 4000, clean: bool = False) -> dict[str, int]:
    """Fill an empty database at head in one transaction; rows written, by table."""
    with psycopg.connect(_plain(database_url)) as connection:
        # The application's own path: it finds the tables in public, too.
        connection.execute("SET search_path TO migration, public")
        taken = connection.execute("SELECT count(*) FROM migration.client_accounts").fetchone()
        if taken and taken[0]:
            raise SystemExit(f"the database already has {taken[0]} client accounts; seed it empty")
        return Seeder(connection, rows, clean).run()


def count_violations(database_url: str) -> dict[str, int]:
    """Rows whose engagement is not one of their client's, by table, as they are now."""
    query = sql.SQL(
        "SELECT count(*) FROM {table} t WHERE NOT EXISTS (SELECT FROM migration.engagements e"
        " WHERE e.id = t.engagement_id AND e.client_account_id = t.client_account_id)"
    )
    with psycopg.connect(_plain(database_url)) as connection:
        found = {}
        for table in VIOLATIONS:
            statement = query.format(table=sql.Identifier(SCHEMA, table))
            row = connection.execute(statement).fetchone()
            found[table] = row[0] if row else 0
        return found


def _plain(database_url: str) -> str:
    """The URL without SQLAlchemy's driver name."""
    scheme, separator, rest = database_url.partition("://")
    return scheme.partition("+")[0] + separator + rest


def main() -> None:
    """Read the command line and seed the database that DATABASE_URL names."""
    parser = argparse.ArgumentParser(description="Fill a fleetshift database with rows.")
    parser.add_argument("--rows", type=int, default=4000, help="about how many rows in all")
    parser.add_argument("--clean", action="store_true", help="seed no violating rows")
    arguments = parser.parse_args()
    database_url = os.environ.get("DATABASE_URL")
    if not database_url:
        raise SystemExit("set DATABASE_URL to the database to fill")
    counts = seed(database_url, arguments.rows, arguments.clean)
    print(f"{sum(counts.values())} rows in {len(counts)} tables")
    for table, count in ({} if arguments.clean else VIOLATIONS).items():
        print(f"  {count} of {counts[table]} rows in {table} break the tenant hierarchy")


if __name__ == "__main__":
    main()
