-- What can refuse a row: table, kind, name, columns (NULL: those whose names the text has), text.
SELECT conrelid::bigint, 'check', conname::text,
       ARRAY(SELECT attname::text FROM pg_catalog.pg_attribute
              WHERE attrelid = conrelid AND attnum = ANY (conkey) ORDER BY attnum),
       pg_catalog.pg_get_constraintdef(oid)
  FROM pg_catalog.pg_constraint
 WHERE contype = 'c' AND conrelid <> 0
 UNION ALL
SELECT indrelid::bigint,
       -- A key WITHOUT OVERLAPS is one that excludes (PostgreSQL 18, CREATE TABLE).
       CASE WHEN indisexclusion THEN 'exclusion' WHEN indisprimary THEN 'primary'
            WHEN indexprs IS NULL AND indpred IS NULL THEN 'key' ELSE 'unique' END,
       relname::text,
       ARRAY(SELECT attname::text FROM pg_catalog.pg_attribute
              WHERE attrelid = indrelid
                AND (attnum = ANY ((indkey::int2[])[0:indnkeyatts - 1])
                     OR (indexprs IS NOT NULL AND EXISTS (
                         SELECT FROM pg_catalog.pg_depend
                          WHERE refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                            AND refobjid = indrelid AND refobjsubid = attnum
                            AND (classid, objid) IN (
                                SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, indexrelid
                                 UNION ALL
                                SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, oid
                                  FROM pg_catalog.pg_constraint WHERE conindid = indexrelid))))
              ORDER BY attnum),
       pg_catalog.pg_get_indexdef(indexrelid)
  FROM pg_catalog.pg_index
  JOIN pg_catalog.pg_class ON pg_class.oid = indexrelid
 WHERE indisunique OR indisexclusion
 UNION ALL
-- tgtype: 1 is FOR EACH ROW, 4 is INSERT (catalog/pg_trigger.h).
SELECT tgrelid::bigint, 'trigger', tgname::text, NULL, prosrc
  FROM pg_catalog.pg_trigger
  JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid
 WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 5 = 5
 UNION ALL
SELECT adrelid::bigint, 'generated', attname::text,
       ARRAY(SELECT source.attname::text FROM pg_catalog.pg_depend
               JOIN pg_catalog.pg_attribute AS source
                 ON source.attrelid = refobjid AND source.attnum = refobjsubid
              WHERE classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
                AND objid = pg_attrdef.oid AND refobjid = adrelid AND refobjsubid <> adnum
              ORDER BY source.attnum),
       pg_catalog.pg_get_expr(adbin, adrelid)
  FROM pg_catalog.pg_attrdef
  JOIN pg_catalog.pg_attribute AS made ON made.attrelid = adrelid AND made.attnum = adnum
 WHERE attgenerated <> ''
 UNION ALL
SELECT partrelid::bigint, 'partition', '', NULL,
       pg_catalog.pg_get_partkeydef(partrelid) || ' ' || coalesce((
           SELECT pg_catalog.string_agg(
                      pg_catalog.pg_get_expr(relpartbound, oid), ' ' ORDER BY relname)
             FROM pg_catalog.pg_partition_tree(partrelid) AS tree
             JOIN pg_catalog.pg_class ON pg_class.oid = tree.relid
            WHERE tree.relid <> partrelid), '')
  FROM pg_catalog.pg_partitioned_table
