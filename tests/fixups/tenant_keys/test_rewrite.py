"""What the rewrite does with models of all kinds; no database is needed to see it."""

from __future__ import annotations

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

from alembic_fixups.fixups.tenant_keys.inference import infer
from alembic_fixups.fixups.tenant_keys.rewrite import CompositeKey, rewrite
from alembic_fixups.fixups.tenant_keys.settings import LevelSettings, TenantKeysSettings
from alembic_fixups.settings import SettingsError
from alembic_fixups.target import Target, UnresolvedReference

LEVELS = (
    LevelSettings(table="clients", column="client_id"),
    LevelSettings(table="engagements", column="engagement_id"),
)
# Most of the models below are too small to say by a foreign key what the column refers to.
SAID = (LEVELS[0], LEVELS[1].model_copy(update={"key": "id"}))


def client(nullable: bool = False) -> Column[int]:
    """The column that names the client."""
    return Column("client_id", ForeignKey("clients.id"), nullable=nullable)


def models(*tables: tuple[object, ...]) -> MetaData:
    """The two levels, and more tables: each a name and what it is made of."""
    metadata = MetaData()
    Table("clients", metadata, Column("id", Integer, primary_key=True))
    Table("engagements", metadata, Column("id", Integer, primary_key=True), client())
    for name, *items in tables:
        Table(name, metadata, Column("id", Integer, primary_key=True), *items)  # type: ignore[arg-type]
    return metadata


def keys(metadata: MetaData, **settings: object) -> tuple[tuple[CompositeKey, ...], Target]:
    """The keys, and the target with its findings."""
    target = Target(metadata)
    levels = SAID if "id" in metadata.tables["engagements"].c else LEVELS
    chosen = TenantKeysSettings.model_validate(
        {"levels": [level.model_dump() for level in levels], **settings}
    )
    return rewrite(target, chosen, 16), target


def codes(target: Target) -> list[tuple[str, str]]:
    """What the findings are about."""
    return [(finding.code, finding.table) for finding in target.findings]


def test_a_table_with_both_columns_gets_the_key() -> None:
    engagement = Column("engagement_id", ForeignKey("engagements.id"), nullable=False)
    [key], target = keys(models(("assets", client(), engagement)))
    assert key.columns == ("client_id", "engagement_id")
    assert key.parent_columns == ("client_id", "id")
    assets, engagements = target.table("assets"), target.table("engagements")
    assert sorted(c.column_keys for c in assets.foreign_key_constraints) == [
        ["client_id"],
        ["client_id", "engagement_id"],
    ]
    assert [index.name for index in assets.indexes] == ["ix_assets_client_id_engagement_id"]
    assert [c.name for c in engagements.constraints if isinstance(c, UniqueConstraint)] == [
        "uq_engagements_client_id_id"
    ]


def test_a_column_without_a_foreign_key_gets_it_too() -> None:
    [key], _ = keys(models(("assets", client(), Column("engagement_id", Integer))))
    assert key.child == "assets"


def test_the_type_that_only_a_foreign_key_gave_stays() -> None:
    metadata = MetaData()
    Table("clients", metadata, Column("id", Uuid, primary_key=True))
    Table("engagements", metadata, Column("id", String(36), primary_key=True), client())
    Table(
        "assets",
        metadata,
        Column("id", Integer, primary_key=True),
        client(),
        Column("engagement_id", ForeignKey("engagements.id")),
    )
    _, target = keys(metadata)
    assert repr(target.table("assets").c.engagement_id.type) == "String(length=36)"


def test_one_foreign_key_on_the_column_leads_elsewhere() -> None:
    found, target = keys(
        models(
            ("archive", Column("note", String)),
            ("assets", client(), Column("engagement_id", ForeignKey("archive.id"))),
        )
    )
    assert found == ()
    assert codes(target) == [("other-target", "assets")]
    assert len(target.table("assets").foreign_key_constraints) == 2


def test_types_that_cannot_be_compared_are_refused() -> None:
    found, target = keys(models(("assets", client(), Column("engagement_id", Uuid))))
    assert found == ()
    assert codes(target) == [("other-type", "assets")]
    assert target.findings[0].severity == "refused"


def test_on_update_set_null_is_refused() -> None:
    reference = ForeignKey("engagements.id", onupdate="SET NULL")
    found, target = keys(models(("assets", client(), Column("engagement_id", reference))))
    assert found == ()
    assert codes(target) == [("on-update-set", "assets")]


@pytest.mark.parametrize("action", ["SET NULL", "set default"])
def test_set_null_is_limited_to_the_own_column(action: str) -> None:
    reference = ForeignKey("engagements.id", ondelete=action)
    [key], _ = keys(models(("assets", client(), Column("engagement_id", reference))))
    assert key.on_delete == f"{action.upper()} (engagement_id)"


def test_the_level_whose_key_column_has_the_same_name_does_not_refer_to_itself() -> None:
    metadata = MetaData()
    Table("clients", metadata, Column("client_id", Integer, primary_key=True))
    Table(
        "engagements",
        metadata,
        Column("engagement_id", Integer, primary_key=True),
        Column("client_id", ForeignKey("clients.client_id"), nullable=False),
    )
    Table(
        "assets",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("client_id", ForeignKey("clients.client_id"), nullable=False),
        Column("engagement_id", ForeignKey("engagements.engagement_id")),
    )
    [key], _ = keys(metadata)
    assert (key.child, key.parent_columns) == ("assets", ("client_id", "engagement_id"))


def test_a_parent_whose_primary_key_is_the_key_needs_no_other() -> None:
    metadata = MetaData()
    Table("clients", metadata, Column("id", Integer, primary_key=True))
    Table(
        "engagements",
        metadata,
        Column("client_id", ForeignKey("clients.id"), primary_key=True),
        Column("id", Integer, primary_key=True),
    )
    Table(
        "assets",
        metadata,
        Column("id", Integer, primary_key=True),
        client(),
        Column("engagement_id", Integer),
    )
    [key], target = keys(metadata)
    assert key.unique.name is None
    assert len(target.table("engagements").constraints) == 2


def test_an_index_that_begins_with_the_key_serves() -> None:
    [key], target = keys(
        models(
            (
                "assets",
                client(),
                Column("engagement_id", Integer),
                Index("covering", "engagement_id", "client_id", "id"),
            )
        )
    )
    assert key.index.name is None
    assert [index.name for index in target.table("assets").indexes] == ["covering"]


@pytest.mark.parametrize("options", [{"postgresql_where": "id > 0"}, {"postgresql_using": "hash"}])
def test_an_index_that_does_not_serve_every_look_up_does_not_count(
    options: dict[str, str],
) -> None:
    from sqlalchemy import text

    if "postgresql_where" in options:
        options = {"postgresql_where": text(options["postgresql_where"])}  # type: ignore[dict-item]
    index = Index("partial", "client_id", "engagement_id", **options)  # type: ignore[arg-type]
    [key], _ = keys(models(("assets", client(), Column("engagement_id", Integer), index)))
    assert key.index.added


def test_two_tables_that_would_give_an_index_one_name() -> None:
    metadata = models(
        ("a", client(), Column("engagement_id", Integer)),
        ("b", Index("ix_a_client_id_engagement_id", "id")),
    )
    [key], _ = keys(metadata)
    assert key.index.name is not None
    assert key.index.name.startswith("ix_a_client_id_engagement_id_")


def test_another_foreign_key_on_the_same_column_is_not_lost() -> None:
    both = Column("engagement_id", ForeignKey("engagements.id"), ForeignKey("extras.id"))
    found, target = keys(models(("extras",), ("assets", client(), both)))
    assert codes(target) == [("other-target", "assets")]
    assert found == ()


def test_all_carries_the_tenant_between_tables() -> None:
    engagement = lambda: Column("engagement_id", Integer, nullable=False)  # noqa: E731
    metadata = models(
        ("flows", client(), engagement(), Column("parent_id", ForeignKey("flows.id"))),
        ("assets", client(), engagement(), Column("flow_id", ForeignKey("flows.id"))),
        ("lookups", Column("name", String)),
        ("tags", client(), engagement(), Column("lookup_id", ForeignKey("lookups.id"))),
    )
    found, _ = keys(metadata, scope="all")
    assert [(key.child, key.columns) for key in found if key.parent == "flows"] == [
        ("assets", ("client_id", "engagement_id", "flow_id")),
        ("flows", ("client_id", "engagement_id", "parent_id")),
    ]
    assert not [key for key in found if key.parent == "lookups"]


def test_all_carries_what_two_levels_share() -> None:
    """A table of an engagement that refers to one of the client alone: the client is carried."""
    metadata = models(
        ("users", client()),
        ("assets", client(), Column("engagement_id", Integer), Column("u", ForeignKey("users.id"))),
        ("reverse", client(), Column("asset_id", ForeignKey("assets.id"))),
    )
    found, _ = keys(metadata, scope="all")
    assert [(key.child, key.columns) for key in found if key.parent in ("users", "assets")] == [
        ("assets", ("client_id", "u"))
    ]


def test_all_leaves_references_to_shared_rows_alone() -> None:
    metadata = models(
        ("users", client(nullable=True)),
        ("assets", client(), Column("u", ForeignKey("users.id"))),
    )
    found, target = keys(metadata, scope="all")
    assert found == ()
    assert codes(target) == [("shared-parent", "assets")]


def test_all_widens_a_composite_key_that_lacks_a_level() -> None:
    metadata = models(
        ("flows", client(), Column("engagement_id", Integer, nullable=False)),
        (
            "steps",
            client(),
            Column("engagement_id", Integer, nullable=False),
            Column("flow_id", Integer),
            ForeignKeyConstraint(["flow_id", "client_id"], ["flows.id", "flows.client_id"]),
        ),
    )
    metadata.tables["flows"].append_constraint(UniqueConstraint("id", "client_id"))
    found, target = keys(metadata, scope="all")
    [key] = [key for key in found if key.parent == "flows"]
    assert key.columns == ("client_id", "engagement_id", "flow_id")
    assert len(target.table("steps").foreign_key_constraints) == 3


def test_all_does_not_use_a_tenant_column_for_something_else() -> None:
    metadata = models(
        ("flows", client(), Column("old_client_id", Integer)),
        (
            "steps",
            client(),
            Column("flow_id", Integer),
            ForeignKeyConstraint(["flow_id", "client_id"], ["flows.id", "flows.old_client_id"]),
        ),
    )
    found, target = keys(metadata, scope="all")
    assert found == ()
    assert codes(target) == [("tenant-column-elsewhere", "steps")]


def test_columns_with_another_key_are_found_by_their_name() -> None:
    metadata = models(
        (
            "assets",
            Column("client_id", ForeignKey("clients.id"), key="client", nullable=False),
            Column("engagement_id", ForeignKey("engagements.id"), key="engagement"),
        )
    )
    [key], target = keys(metadata)
    assert key.columns == ("client_id", "engagement_id")
    again, _ = keys(target.metadata)  # type: ignore[arg-type]
    assert [(item.columns, item.parent_columns) for item in again] == [
        (key.columns, key.parent_columns)
    ]


def test_several_metadata_that_refer_to_each_other() -> None:
    first, second = MetaData(), MetaData()
    clients = Table("clients", first, Column("id", Integer, primary_key=True))
    engagements = Table("engagements", first, Column("id", Integer, primary_key=True), client())
    Table(
        "assets",
        second,
        Column("id", Integer, primary_key=True),
        Column("client_id", ForeignKey(clients.c.id), nullable=False),
        Column("engagement_id", ForeignKey(engagements.c.id)),
    )
    target = Target([first, second])
    [key] = rewrite(target, TenantKeysSettings(levels=LEVELS), 16)
    assert key.child == "assets"
    assert isinstance(target.metadata, list)
    assert [sorted(one.tables) for one in target.metadata] == [
        ["clients", "engagements"],
        ["assets"],
    ]
    for constraint in target.table("assets").foreign_key_constraints:
        assert constraint.referred_table.name in ("clients", "engagements")
    assert len(second.tables["assets"].foreign_key_constraints) == 2


def test_a_reference_that_leads_nowhere_is_named() -> None:
    metadata = models(("assets", client(), Column("engagement_id", ForeignKey("engagement.id"))))
    with pytest.raises(UnresolvedReference, match=r"assets\.engagement_id.*engagement\.id"):
        keys(metadata)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([("client", "client_id"), ("engagements", "engagement_id")], "no table 'client'"),
        ([("clients", "client_id"), ("lookups", "lookup_id")], "no column 'client_id'"),
        ([("clients", "client_id"), ("pairs", "pair_id")], "has to be one column"),
        ([("a.b.clients", "client_id"), ("engagements", "engagement_id")], "no table"),
        ([("clients", "client_id"), ("engagments", "x")], "did you mean 'engagements'"),
        ([("clients", "client_id"), ("engagements", "engagment_id")], "no table has a column"),
        ([("clients", "client_id"), ("engagements", "id")], "no foreign key of the models says"),
        ([("clients", "client_id"), ("engagements", "client_id")], "is a level already"),
        ([("clients", "client_id"), ("clients", "other_id")], "is a level already"),
    ],
)
def test_levels_that_cannot_be(levels: list[tuple[str, str]], message: str) -> None:
    metadata = models(("lookups",))
    Table(
        "pairs",
        metadata,
        Column("a", Integer, primary_key=True),
        Column("b", Integer, primary_key=True),
        client(),
    )
    with pytest.raises(SettingsError, match=message):
        keys(metadata, levels=[{"table": table, "column": column} for table, column in levels])


def test_a_bare_name_that_means_two_tables() -> None:
    metadata = models()
    Table("clients", metadata, Column("id", Integer, primary_key=True), schema="other")
    with pytest.raises(SettingsError, match="several tables"):
        keys(metadata)
    named = [
        {"table": "public.clients", "column": "client_id"},
        {"table": "engagements", "column": "engagement_id", "key": "id"},
    ]
    assert keys(metadata, levels=named)[0] == ()


class TestInference:
    """The hierarchy is found where it is beyond doubt, and nowhere else."""

    def test_two_levels(self) -> None:
        tables = [
            (name, client(), Column("engagement_id", ForeignKey("engagements.id")))
            for name in ("a", "b", "c")
        ]
        found = infer(Target(models(*tables)))
        assert found is not None
        assert found["levels"] == [
            {"table": "clients", "column": "client_id"},
            {"table": "engagements", "column": "engagement_id"},
        ]

    def test_three_levels(self) -> None:
        level = (
            "projects",
            client(),
            Column("engagement_id", ForeignKey("engagements.id"), nullable=False),
        )
        tables = [
            (
                name,
                client(),
                Column("engagement_id", ForeignKey("engagements.id"), nullable=False),
                Column("project_id", ForeignKey("projects.id")),
            )
            for name in ("a", "b", "c", "d")
        ]
        found = infer(Target(models(level, *tables)))
        assert found is not None
        assert [item["table"] for item in found["levels"]] == ["clients", "engagements", "projects"]

    def test_no_hierarchy(self) -> None:
        assert infer(Target(models(("lookups",)))) is None
        metadata = MetaData()
        assert infer(Target(metadata)) is None

    def test_who_wrote_it_is_no_tenant(self) -> None:
        """Users and posts: rows that carry both columns do not belong to the post's author."""
        metadata = MetaData()
        Table("users", metadata, Column("id", Integer, primary_key=True))
        user = lambda: Column("user_id", ForeignKey("users.id"), nullable=False)  # noqa: E731
        post = lambda: Column("post_id", ForeignKey("posts.id"), nullable=False)  # noqa: E731
        Table("posts", metadata, Column("id", Integer, primary_key=True), user())
        for name in ("likes", "bookmarks"):
            Table(name, metadata, Column("id", Integer, primary_key=True), user(), post(),
                  UniqueConstraint("user_id", "post_id"))  # fmt: skip
        Table("comments", metadata, Column("id", Integer, primary_key=True), user(), post())
        assert infer(Target(metadata)) is None

    def test_two_that_are_as_good(self) -> None:
        metadata = models(
            ("projects", client()),
            *(
                (
                    name,
                    client(),
                    Column("engagement_id", ForeignKey("engagements.id")),
                    Column("project_id", ForeignKey("projects.id")),
                )
                for name in ("a", "b", "c", "d")
            ),
        )
        assert infer(Target(metadata)) is None


def test_a_column_that_only_looks_right_is_refused() -> None:
    """Another identifier of the same table: the keys would refer to the wrong column."""
    metadata = models(("assets", client(), Column("engagement_permanent_id", Integer)))
    levels = [
        {"table": "clients", "column": "client_id"},
        {"table": "engagements", "column": "engagement_permanent_id"},
    ]
    with pytest.raises(SettingsError, match='If it does, say so: key = "id"'):
        keys(metadata, levels=levels)
    levels[1]["key"] = "permanent_id"
    with pytest.raises(SettingsError, match="no column 'permanent_id'"):
        keys(metadata, levels=levels)
    metadata.tables["engagements"].append_column(Column("permanent_id", Integer))
    [key], _ = keys(metadata, levels=levels)
    assert key.parent_columns == ("client_id", "permanent_id")


def test_two_keys_on_the_same_columns_have_two_names() -> None:
    both = Column("ref", ForeignKey("a.id"), ForeignKey("b.id"))
    found, _ = keys(models(("a", client()), ("b", client()), ("c", client(), both)), scope="all")
    assert sorted(key.name for key in found) == ["fk_c_client_id_ref", "fk_c_client_id_ref_b"]


def test_a_declared_match_full_is_kept() -> None:
    metadata = models(
        (
            "assets",
            client(),
            Column("engagement_id", Integer),
            ForeignKeyConstraint(
                ["client_id", "engagement_id"],
                ["engagements.client_id", "engagements.id"],
                match="FULL",
            ),
        )
    )
    [key], _ = keys(metadata)
    assert key.match == "FULL"


def test_the_hint_names_what_there_is() -> None:
    from alembic_fixups.fixups.tenant_keys.inference import hint

    metadata = models(("a", client()), ("b", client()))
    assert "clients by client_id, from 3 tables" in hint(Target(metadata))
    assert hint(Target(MetaData())) == "no hierarchy in these models."
