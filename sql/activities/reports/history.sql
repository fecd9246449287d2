-- What was done, the newest first: drops, pushes, roll-backs of either, and restores. records: loaded or sent, or the
-- rows of staging that went; failed: rejected rows, or records that HubSpot declined or whose outcome is unknown.
-- Grain: one drop, push, roll-back or restore. Parameters: row_limit.
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
    UNION ALL
    (
        SELECT
            b.rolled_back_at,
            CASE WHEN starts_with(b.scope, 'restore ') THEN 'restore' ELSE 'roll-back' END,
            regexp_replace(b.scope, '^restore ', ''),
            '',
            '',
            (SELECT coalesce(sum(t.count::bigint), 0)::bigint FROM jsonb_each_text(b.removed) AS t (name, count)),
            0,
            'done',
            ''
        FROM staging.ic_rollback AS b
        ORDER BY b.id DESC
        LIMIT %(row_limit)s
    )
) AS done
ORDER BY done.at DESC, done.kind ASC, done.name DESC
LIMIT %(row_limit)s
