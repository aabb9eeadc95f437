"""``alembic-fixups init``: what becomes of env.py and of pyproject.toml."""

import os
import textwrap
import tomllib
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from alembic_fixups import cli, init
from alembic_fixups.project import ProjectError

PLUGINS = 'autogenerate_plugins=["alembic.autogenerate.*", "alembic_fixups"]'

# Each case: env.py before and after.
EDITS = {
    "one line": (
        """
        from alembic import context

        def online(connection):
            context.configure(connection=connection, target_metadata=target_metadata)
        """,
        f"""
        from alembic import context

        def online(connection):
            context.configure(
                connection=connection,
                target_metadata=target_metadata,
                {PLUGINS},
            )
        """,
    ),
    "one line with a comment": (
        """
        from alembic import context
        context.configure(connection, target_metadata=m)  # the models
        """,
        f"""
        from alembic import context
        context.configure(
            connection,
            target_metadata=m,
            {PLUGINS},
        )  # the models
        """,
    ),
    "indented once, without a trailing comma": (
        """
        from alembic import context

        with connectable.connect() as connection:
            context.configure(
                connection=connection, target_metadata=target_metadata
            )
        """,
        f"""
        from alembic import context

        with connectable.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=target_metadata,
                {PLUGINS},
            )
        """,
    ),
    "one argument a line": (
        """
        from alembic import context
        context.configure(
            connection=connection,
            include_schemas=True,
        )
        """,
        f"""
        from alembic import context
        context.configure(
            connection=connection,
            include_schemas=True,
            {PLUGINS},
        )
        """,
    ),
    "no trailing comma": (
        """
        from alembic import context
        context.configure(
            connection=connection,
            include_schemas=True
        )
        """,
        f"""
        from alembic import context
        context.configure(
            connection=connection,
            include_schemas=True,
            {PLUGINS}
        )
        """,
    ),
    "a single argument on its line": (
        """
        from alembic import context
        context.configure(
            connection=connection,
        )
        """,
        f"""
        from alembic import context
        context.configure(
            connection=connection,
            {PLUGINS},
        )
        """,
    ),
    "aligned with the parenthesis": (
        """
        from alembic import context
        context.configure(connection=connection,
                          target_metadata=target_metadata)
        """,
        f"""
        from alembic import context
        context.configure(connection=connection,
                          target_metadata=target_metadata,
                          {PLUGINS})
        """,
    ),
    "comments keep their arguments": (
        """
        from alembic import context
        context.configure(  # noqa: X
            connection=connection,  # one
            # about two
            include_schemas=True  # two
            # the end
        )
        """,
        f"""
        from alembic import context
        context.configure(  # noqa: X
            connection=connection,  # one
            # about two
            include_schemas=True,  # two
            # the end
            {PLUGINS}
        )
        """,
    ),
    "before **kwargs": (
        """
        from alembic import context
        context.configure(
            connection=connection,
            target_metadata=get_metadata(),  # theirs
            **current_app.extensions["migrate"].configure_args
        )
        """,
        f"""
        from alembic import context
        context.configure(
            connection=connection,
            target_metadata=get_metadata(),  # theirs
            {PLUGINS},
            **current_app.extensions["migrate"].configure_args
        )
        """,
    ),
    "only **kwargs": (
        """
        from alembic import context
        if context.is_offline_mode():
            context.configure(url=url, **options)
        else:
            context.configure(**options)
        """,
        f"""
        from alembic import context
        if context.is_offline_mode():
            context.configure(url=url, **options)
        else:
            context.configure(
                {PLUGINS},
                **options,
            )
        """,
    ),
    "aliases": (
        """
        import alembic.context
        from alembic import context as ctx
        from alembic.context import configure as conf
        alembic.context.configure(
            connection=a,
        )
        ctx.configure(
            connection=b,
        )
        conf(
            connection=c,
        )
        other.configure(connection=d)
        """,
        f"""
        import alembic.context
        from alembic import context as ctx
        from alembic.context import configure as conf
        alembic.context.configure(
            connection=a,
            {PLUGINS},
        )
        ctx.configure(
            connection=b,
            {PLUGINS},
        )
        conf(
            connection=c,
            {PLUGINS},
        )
        other.configure(connection=d)
        """,
    ),
    "EnvironmentContext": (
        """
        from alembic.runtime.environment import EnvironmentContext
        with EnvironmentContext(config, script) as env:
            env.configure(
                connection=connection,
            )
        later = EnvironmentContext(config, script)
        later.configure(
            connection=connection,
        )
        def third(given: EnvironmentContext, logging):
            logging.configure(connection=1)
            given.configure(
                connection=connection,
            )
        """,
        f"""
        from alembic.runtime.environment import EnvironmentContext
        with EnvironmentContext(config, script) as env:
            env.configure(
                connection=connection,
                {PLUGINS},
            )
        later = EnvironmentContext(config, script)
        later.configure(
            connection=connection,
            {PLUGINS},
        )
        def third(given: EnvironmentContext, logging):
            logging.configure(connection=1)
            given.configure(
                connection=connection,
                {PLUGINS},
            )
        """,
    ),
    "imported in a try": (
        """
        try:
            from alembic import context
        except ImportError:
            context = None
        context.configure(
            connection=connection,
        )
        """,
        f"""
        try:
            from alembic import context
        except ImportError:
            context = None
        context.configure(
            connection=connection,
            {PLUGINS},
        )
        """,
    ),
    "offline by dialect_name": (
        """
        from alembic import context
        def offline():
            context.configure(dialect_name="postgresql", literal_binds=True)
        def online(options):
            context.configure(
                **options
            )
        """,
        f"""
        from alembic import context
        def offline():
            context.configure(dialect_name="postgresql", literal_binds=True)
        def online(options):
            context.configure(
                {PLUGINS},
                **options
            )
        """,
    ),
    "a list that is there": (
        """
        from alembic import context
        context.configure(connection=c, autogenerate_plugins=["alembic.autogenerate.*"])
        """,
        """
        from alembic import context
        context.configure(connection=c, autogenerate_plugins=["alembic.autogenerate.*", "alembic_fixups"])
        """,
    ),
    "a list over several lines": (
        """
        from alembic import context
        context.configure(
            connection=c,
            autogenerate_plugins=[
                'alembic.autogenerate.*',  # stock
                'alembic.ext.checkconstraint_byname',  # checks
            ],
        )
        """,
        """
        from alembic import context
        context.configure(
            connection=c,
            autogenerate_plugins=[
                'alembic.autogenerate.*',  # stock
                'alembic.ext.checkconstraint_byname',  # checks
                'alembic_fixups',
            ],
        )
        """,
    ),
    "a list of one on its own line": (
        """
        from alembic import context
        context.configure(
            connection=c,
            autogenerate_plugins=[
                "alembic.autogenerate.*"
            ],
        )
        """,
        """
        from alembic import context
        context.configure(
            connection=c,
            autogenerate_plugins=[
                "alembic.autogenerate.*",
                "alembic_fixups"
            ],
        )
        """,
    ),
    "an empty list": (
        """
        from alembic import context
        context.configure(connection=c, autogenerate_plugins=[])
        """,
        """
        from alembic import context
        context.configure(connection=c, autogenerate_plugins=["alembic_fixups"])
        """,
    ),
    "tabs": (
        "from alembic import context\ndef f(c):\n\tcontext.configure(connection=c)\n",
        "from alembic import context\ndef f(c):\n\tcontext.configure(\n\t\tconnection=c,\n"
        f"\t\t{PLUGINS},\n\t)\n",
    ),
}


@pytest.mark.parametrize("before, after", EDITS.values(), ids=EDITS.keys())
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_env_py_is_edited_in_its_own_layout(before: str, after: str, newline: str) -> None:
    source, wanted = (
        textwrap.dedent(text).lstrip("\n").replace("\n", newline).encode()
        for text in (before, after)
    )

    edit = init.edit_env(source)

    assert edit.source.decode() == wanted.decode()
    assert edit.left == []
    assert init.edit_env(edit.source) == edit, "a second run changes something"


# Each case: env.py, and what is said of it.
LEFT_ALONE = {
    "dynamic": (
        "context.configure(connection=c, autogenerate_plugins=PLUGINS)",
        [(2, 'autogenerate_plugins is no literal list; add "alembic_fixups" to it')],
    ),
    "computed": (
        'context.configure(connection=c, autogenerate_plugins=["x"] + MORE)',
        [(2, 'autogenerate_plugins is no literal list; add "alembic_fixups" to it')],
    ),
    "dynamic, with the plugin": (
        'PLUGINS = ["alembic.autogenerate.*", "alembic_fixups"]\n'
        "context.configure(connection=c, autogenerate_plugins=PLUGINS)",
        [],
    ),
    "there already": (
        "context.configure(connection=c, autogenerate_plugins=['x', 'alembic_fixups'])",
        [],
    ),
    "through **": (
        'o = dict(autogenerate_plugins=["alembic.autogenerate.*"])\n'
        "context.configure(connection=c, **o)",
        [
            (
                3,
                "autogenerate_plugins seems to come with the ** argument; "
                'add "alembic_fixups" to it',
            )
        ],
    ),
    "through **, with the plugin": (
        'o = {"autogenerate_plugins": ["alembic_fixups"]}\ncontext.configure(connection=c, **o)',
        [],
    ),
    "switched off": (
        'context.configure(connection=c, autogenerate_plugins=["*", "~alembic_fixups"])',
        [(2, '"~alembic_fixups" switches the plugin off; write "alembic_fixups"')],
    ),
    "no call": (
        "from company.migrations import run\nrun()",
        [
            (
                1,
                f"no context.configure(connection=...) found; give it {PLUGINS}",
            )
        ],
    ),
    "offline only": (
        "context.configure(url=url)",
        [(1, f"no context.configure(connection=...) found; give it {PLUGINS}")],
    ),
}


@pytest.mark.parametrize("body, said", LEFT_ALONE.values(), ids=LEFT_ALONE.keys())
def test_what_is_not_clear_is_left_alone_and_named(body: str, said: list[tuple[int, str]]) -> None:
    source = f"from alembic import context\n{body}\n".encode()

    assert init.edit_env(source) == init.EnvEdit(source, said)


@pytest.mark.parametrize("template", ["generic", "async", "multidb", "pyproject"])
def test_templates_of_alembic(template: str) -> None:
    source = (Path(Config().get_template_directory()) / template / "env.py").read_bytes()

    edit = init.edit_env(source)

    assert edit.left == []
    assert edit.source.count(PLUGINS.encode()) == 1
    compile(edit.source, "env.py", "exec")
