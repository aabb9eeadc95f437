-- Every ordinary or partitioned table, partitions too, with its columns in their order.
SELECT relation.oid::bigint,
       namespace.nspname,
       relation.relname,
       pg_catalog.format('%I.%I', namespace.nspname, relation.relname),
       relation.relkind = 'p',
       coalesce(pg_catalog.pg_partition_root(relation.oid), relation.oid)::bigint,
       EXISTS (
           SELECT FROM pg_catalog.pg_depend AS extension
            WHERE extension.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
              AND extension.objid = relation.oid AND extension.deptype = 'e'
       ),
       coalesce(own.columns, '[]')
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
  LEFT JOIN LATERAL (
       SELECT pg_catalog.jsonb_agg(
                  pg_catalog.jsonb_build_array(
                      attname, atttypid::bigint, atttypmod,
                      pg_catalog.format_type(atttypid, atttypmod),
                      attnotnull, attidentity, attgenerated,
                      pg_catalog.pg_get_expr(adbin, adrelid),
                      -- What a default calls stands in its stored tree (pg_attrdef.adbin): a
                      -- sequence, nothing that depends on the moment, or something else.
                      CASE WHEN adbin IS NULL OR attgenerated <> '' THEN 'none'
                           WHEN calls.sequence THEN 'sequence'
                           WHEN calls.steady
                            AND adbin::text !~ '\{(SQLVALUEFUNCTION|COERCEVIAIO)' THEN 'steady'
                           ELSE 'other' END
                  ) ORDER BY attnum
              ) AS columns
         FROM pg_catalog.pg_attribute
         LEFT JOIN pg_catalog.pg_attrdef ON adrelid = attrelid AND adnum = attnum
         LEFT JOIN LATERAL (
              SELECT coalesce(bool_or(called.oid = 'pg_catalog.nextval(regclass)'::regprocedure),
                              false) AS sequence,
                     coalesce(bool_and(called.provolatile = 'i'), true) AS steady
                FROM pg_catalog.regexp_matches(adbin::text, ':(?:op)?funcid (\d+)', 'g') AS found
                JOIN pg_catalog.pg_proc AS called ON called.oid = found[1]::oid
              ) AS calls ON true
        WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
       ) AS own ON true
 WHERE relation.relkind IN ('r', 'p')
   AND namespace.nspname <> 'information_schema' AND namespace.nspname !~ '^pg_'
