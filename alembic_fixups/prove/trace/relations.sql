-- Toast tables stand and fall with their table, and nobody else sees a temporary one.
SELECT relation.oid::bigint,
       format('%I.%I', namespace.nspname, relation.relname),
       CASE relation.relkind
           WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'f' THEN 'foreign table'
           WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
           ELSE 'index'
       END,
       coalesce(pg_index.indrelid, 0)::bigint,
       CASE WHEN relation.relkind IN ('r', 'm') THEN relation.relfilenode ELSE 0 END::bigint
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
  LEFT JOIN pg_catalog.pg_index ON indexrelid = relation.oid
 WHERE relation.oid >= 16384::oid AND relation.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I')
   AND relation.relpersistence <> 't'
   AND namespace.nspname NOT IN ('pg_toast', 'alembic_fixups_trace')
