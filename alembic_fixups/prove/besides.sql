-- What pg_dump --schema-only does not say.
SELECT pg_catalog.format('the index %s is INVALID', indexrelid::pg_catalog.regclass)
  FROM pg_catalog.pg_index
 WHERE NOT indisvalid
   -- A partitioned index is, until it has one of each partition; pg_dump says that.
   AND EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = indexrelid AND relkind = 'i')
 UNION ALL
SELECT pg_catalog.format('the foreign key %I of %s is not enforced: its triggers are disabled',
                         conname, tgrelid::pg_catalog.regclass)
  FROM pg_catalog.pg_trigger
  JOIN pg_catalog.pg_constraint ON pg_constraint.oid = tgconstraint
 WHERE tgisinternal AND tgenabled <> 'O' AND contype = 'f'
 UNION ALL
SELECT pg_catalog.format('the materialized view %s is not populated', oid::pg_catalog.regclass)
  FROM pg_catalog.pg_class
 WHERE relkind = 'm' AND NOT relispopulated
 UNION ALL
SELECT pg_catalog.format('the extension %I has the version %s', extname, extversion)
  FROM pg_catalog.pg_extension
 UNION ALL
SELECT pg_catalog.format('%s large objects', count(*))
  FROM pg_catalog.pg_largeobject_metadata
HAVING count(*) > 0
 ORDER BY 1
