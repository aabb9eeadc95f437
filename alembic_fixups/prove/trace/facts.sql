SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS began,
       pg_backend_pid() AS pid,
       held.transaction,
       extract(epoch FROM transaction_timestamp())::float8 * 1000 AS transaction_began,
       held.locks::text AS locks,
       coalesce(counted.counters, '[]')::text AS counters,
       coalesce(stored.files, '[]')::text AS files
  FROM (
      SELECT max(virtualtransaction) AS transaction,
             coalesce(
                 jsonb_agg(jsonb_build_array(relation::bigint, mode)) FILTER (WHERE is_ours), '[]'
             ) AS locks,
             array_agg(relation) FILTER (WHERE is_ours) AS relations,
             array_agg(relation) FILTER (WHERE is_ours AND mode = 'AccessExclusiveLock') AS rewritable
        FROM (
            SELECT *,
                   -- What initdb made is below FirstNormalObjectId (access/transam.h).
                   locktype = 'relation' AND granted AND relation >= 16384::oid
                   AND database = (
                       SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()
                   ) AS is_ours
              FROM pg_catalog.pg_locks
             WHERE pid = pg_backend_pid()
        ) AS lock
  ) AS held,
  LATERAL (
      SELECT jsonb_agg(
                 jsonb_build_array(oid::bigint, scans, returned, fetched, inserted, updated, deleted)
             ) AS counters
        FROM pg_catalog.pg_class,
             LATERAL (
                 SELECT pg_stat_get_{counted}numscans(oid) AS scans,
                        pg_stat_get_{counted}tuples_returned(oid) AS returned,
                        pg_stat_get_{counted}tuples_fetched(oid) AS fetched,
                        pg_stat_get_{counted}tuples_inserted(oid) AS inserted,
                        pg_stat_get_{counted}tuples_updated(oid) AS updated,
                        pg_stat_get_{counted}tuples_deleted(oid) AS deleted
             ) AS statistics
       WHERE {scope} AND relkind IN ('r', 'm')
         AND (scans, fetched, inserted, updated, deleted) <> (0, 0, 0, 0, 0)
  ) AS counted,
  LATERAL (
      -- Only who holds ACCESS EXCLUSIVE can have given a table another file.
      SELECT jsonb_agg(jsonb_build_array(oid::bigint, relfilenode::bigint)) AS files
        FROM pg_catalog.pg_class
       WHERE oid = ANY (held.rewritable) AND relkind IN ('r', 'm')
  ) AS stored
