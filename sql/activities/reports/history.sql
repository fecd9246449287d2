-- What was done, the newest first: drops, pushes and roll-backs of pushes. records: loaded or sent; failed: rejected
-- rows, or records that HubSpot declined or whose outcome is unknown. Grain: one drop or push. Parameters: row_limit.
SELECT
    done.at::timestamp(0) AS at,
    done.kind,
    done.name,
    done.mode,
    done.by_whom,
    done.records,
    done.failed,
    done.result,
    done.reason
FROM (
    (
        SELECT
            d.landed_at AS at,
            'drop' AS kind,
            d.drop_key AS name,
            'load' AS mode,
            '' AS by_whom,
            d.inserted + d.updated AS records,
            d.rejected AS failed,
            d.state AS result,
            coalesce(d.error_message, '') AS reason
        FROM staging.ic_drop AS d
        ORDER BY d.drop_id DESC
        LIMIT %(row_limit)s
    )
    UNION ALL
    (
        SELECT
            r.started_at,
            'push',
            r.push_id::text,
            r.mode,
            coalesce(r.approved_by, ''),
            coalesce((r.counts ->> 'sent')::bigint, (r.counts ->> 'archived')::bigint, 0),
            coalesce((r.counts ->> 'rejected')::bigint, (r.counts ->> 'failed')::bigint, 0)
            + coalesce((r.counts ->> 'unknown')::bigint, 0),
            r.result,
            coalesce(r.stopped_reason, '')
        FROM hubspot.push_run AS r
        ORDER BY r.push_id DESC
        LIMIT %(row_limit)s
    )
) AS done
ORDER BY done.at DESC, done.kind ASC, done.name DESC
LIMIT %(row_limit)s
