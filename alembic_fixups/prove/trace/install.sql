CREATE SCHEMA alembic_fixups_trace;

CREATE TABLE alembic_fixups_trace.point (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    tag text NOT NULL,
    targets oid[] NOT NULL,
    context text NOT NULL,
    began float8 NOT NULL,
    pid integer NOT NULL,
    transaction text NOT NULL,
    transaction_began float8 NOT NULL,
    locks text NOT NULL,
    counters text NOT NULL,
    files text NOT NULL,
    ended float8 NOT NULL
);

-- SECURITY DEFINER, so that it works for whatever role a migration takes on. Not in SQL: PL/pgSQL
-- keeps the plan.
CREATE FUNCTION alembic_fixups_trace.note(
    in_kind text, in_tag text, in_targets oid[], in_context text
)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO alembic_fixups_trace.point (
      kind, tag, targets, context, began, pid, transaction, transaction_began,
      locks, counters, files, ended
  )
  -- The first line of the context is the trigger's own.
  SELECT in_kind, in_tag, in_targets,
         substr(in_context, strpos(in_context || chr(10), chr(10)) + 1), fact.*,
         extract(epoch FROM clock_timestamp())::float8 * 1000
    FROM (
{facts}
    ) AS fact;
END
$$;

CREATE FUNCTION alembic_fixups_trace.row_statement() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  context text;
BEGIN
  GET DIAGNOSTICS context = PG_CONTEXT;
  PERFORM alembic_fixups_trace.note(
    CASE TG_WHEN WHEN 'BEFORE' THEN 'start' ELSE 'end' END, TG_OP, ARRAY[TG_RELID], context
  );
  RETURN NULL;
END
$$;

CREATE FUNCTION alembic_fixups_trace.watch(relation regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  at_once text := CASE WHEN (SELECT relkind FROM pg_class WHERE oid = relation) = 'f'
                       THEN '' ELSE 'OR TRUNCATE' END;
  timing text;
BEGIN
  FOREACH timing IN ARRAY ARRAY['BEFORE', 'AFTER'] LOOP
    EXECUTE format(
      'CREATE TRIGGER alembic_fixups_trace_%s %s INSERT OR UPDATE OR DELETE %s ON %s '
      'FOR EACH STATEMENT EXECUTE FUNCTION alembic_fixups_trace.row_statement()',
      lower(timing), timing, at_once, relation
    );
    EXECUTE format(
      'ALTER TABLE %s ENABLE ALWAYS TRIGGER alembic_fixups_trace_%s', relation, lower(timing)
    );
  END LOOP;
END
$$;

CREATE FUNCTION alembic_fixups_trace.ddl_start() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  context text;
BEGIN
  GET DIAGNOSTICS context = PG_CONTEXT;
  -- DROP INDEX CONCURRENTLY must be what first writes in its transaction, and is top-level.
  IF coalesce(current_setting('alembic_fixups_trace.watching', true), '') <> ''
     OR (TG_TAG = 'DROP INDEX' AND strpos(context, chr(10)) = 0) THEN
    RETURN;
  END IF;
  PERFORM alembic_fixups_trace.note('start', TG_TAG, '{{}}', context);
END
$$;

CREATE FUNCTION alembic_fixups_trace.ddl_end() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  context text;
  made regclass;
BEGIN
  GET DIAGNOSTICS context = PG_CONTEXT;
  IF coalesce(current_setting('alembic_fixups_trace.watching', true), '') <> '' THEN
    RETURN;
  END IF;
  PERFORM alembic_fixups_trace.note(
    'end', TG_TAG,
    ARRAY(SELECT objid FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass),
    context
  );
  FOR made IN
    SELECT DISTINCT command.objid
      FROM pg_event_trigger_ddl_commands() AS command
      JOIN pg_class AS relation ON relation.oid = command.objid
     WHERE command.classid = 'pg_class'::regclass AND NOT command.in_extension
       AND relation.relkind IN ('r', 'p', 'f') AND relation.relpersistence <> 't'
       -- A migration may alter every table that it finds.
       AND relation.relnamespace <> 'alembic_fixups_trace'::regnamespace
       AND NOT EXISTS (
           SELECT FROM pg_trigger
            WHERE tgrelid = relation.oid
              AND tgfoid = 'alembic_fixups_trace.row_statement()'::regprocedure)
  LOOP
    PERFORM set_config('alembic_fixups_trace.watching', 'on', true);
    PERFORM alembic_fixups_trace.watch(made);
    PERFORM set_config('alembic_fixups_trace.watching', '', true);
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA alembic_fixups_trace TO PUBLIC;
GRANT SELECT ON alembic_fixups_trace.point TO PUBLIC;

SELECT alembic_fixups_trace.watch(relation.oid)
  FROM pg_class AS relation
  JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE relation.relkind IN ('r', 'p', 'f') AND relation.relpersistence <> 't'
   AND relation.oid >= 16384::oid AND namespace.nspname <> 'alembic_fixups_trace';

CREATE EVENT TRIGGER alembic_fixups_trace_start ON ddl_command_start
  EXECUTE FUNCTION alembic_fixups_trace.ddl_start();
CREATE EVENT TRIGGER alembic_fixups_trace_end ON ddl_command_end
  EXECUTE FUNCTION alembic_fixups_trace.ddl_end();
ALTER EVENT TRIGGER alembic_fixups_trace_start ENABLE ALWAYS;
ALTER EVENT TRIGGER alembic_fixups_trace_end ENABLE ALWAYS;
