"""The bodies of a slice that SQL cannot render, where the stage that writes its rows finds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.activities.engine.derivatives.bodies import needs_python, render_body
from ic_assets.activities.facts.activity_types import ActivityType
from ic_assets.activities.facts.hubspot_properties import MAX_LENGTH
from ic_assets.core.sql import statement


def render(
    connection: psycopg.Connection, activity: ActivityType, condition: sql.SQL, parameters: Mapping[str, Any]
) -> bool:
    """Fills the temporary table ic_rendered_body with the bodies of the slice that SQL cannot render. Returns whether
    any of them has continuations."""
    connection.execute(
        "CREATE TEMPORARY TABLE ic_rendered_body ("
        "ic_communication_master_id bigint, part integer, html text, text text, warning text, left_out text,"
        " PRIMARY KEY (ic_communication_master_id, part)) ON COMMIT DROP"
    )
    query = statement(
        "activities/derivatives/bodies_for_python",
        view=sql.Identifier(activity.view),
        body=sql.Identifier(activity.body),
        title=sql.SQL("v.{}").format(sql.Identifier(activity.title)) if activity.title else sql.SQL("NULL"),
        slice=condition,
        needs_python=needs_python(sql.SQL("v.{}").format(sql.Identifier(activity.body))),
    )
    has_parts = False
    # A server-side cursor: the slice may be a whole load. COPY needs the connection for itself, hence the batches.
    with connection.cursor(name="bodies") as cursor:
        cursor.execute(query, parameters)
        while rows := cursor.fetchmany(1000):
            with connection.cursor() as writer, writer.copy("COPY ic_rendered_body FROM STDIN") as copy:
                for master_id, body, title in rows:
                    rendered = render_body(body, title=title or activity.singular)
                    has_parts = has_parts or len(rendered.parts) > 1
                    # Where it fits, the body goes along as plain text as it was written.
                    fits = len(rendered.readable) <= MAX_LENGTH
                    as_written = None if rendered.readable == body else rendered.readable
                    for part in rendered.parts:
                        text = as_written if fits else part.text
                        warning = rendered.warning or (None, None) if part.part == 1 else (None, None)
                        copy.write_row((master_id, part.part, part.html, text, *warning))
    # Without statistics the planner takes it for a handful of rows: 362 s instead of 12 s on 141,000 e-mails.
    connection.execute("ANALYZE ic_rendered_body")
    connection.execute(statement("activities/derivatives/body_warnings"))
    return has_parts
