-- Months outside a slice into which communications of the slice moved. Landing has put them out of date already; what
-- resolution and derivatives made of them does not cover these communications, so the gates leave them out until then.
-- Parameters: departed (bigint[], ids), window_start, window_end.
UPDATE staging.ic_month_stage AS done
SET change_number = -1
FROM staging.ic_communication_master AS m
WHERE
    m.comm_communicationid = any(%(departed)s)
    AND NOT (m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s)
    AND done.comm_month = date_trunc('month', m.comm_datetime)::date
    AND done.stage <> 'master'
