"""What each table and column of schema ``inbox`` is, in words, for the data dictionary (``core/dictionary.py``)."""

from __future__ import annotations

from ic_assets.core.dictionary import Words

TABLES = {
    "inbox.event": "One event of one source, as it came.",
    "inbox.duplicate": "One other content that came under a known id.",
    "inbox.event_file": "One load of one file of events; the newest of a door and name stands.",
    "inbox.rejected_line": "One line of a file that is no event.",
    "inbox.refused_request": "The requests of one source that the receiver refused in one minute for one reason.",
}

_COLUMNS = {
    "inbox.event": {
        "id": "Surrogate key; rises about in the order in which events came",
        "source": "Where it came from: chargebee, hubspot, site, …",
        "topic": "What kind of event it is; empty where none could be read",
        "event_id": "The id that the source gave; sha256: and a digest of the body where there is none",
        "occurred_at": "When it happened, as the source says; empty where that could not be read",
        "received_at": "When it came in",
        "verified_by": "Which proof it came with: a verifier of the receiver, file, api",
        "body": "What came; text of JSON where a value cannot be held (U+0000, half a surrogate pair, a huge number)",
        "state": "Whether a flow has dealt with it",
        "reason": "Why it was set aside, or what was special about it",
        "done_at": "When a flow dealt with it",
    },
    "inbox.duplicate": {
        "event": "The event whose id it came under",
        "digest": "SHA-256 of the body's text",
        "topic": "As in inbox.event",
        "occurred_at": "As in inbox.event",
        "received_at": "When it came in",
        "verified_by": "Which proof it came with",
        "body": "What came",
        "state": "new: not compared yet; kept: another content stands; set_aside: a flow could not read it",
        "reason": "Why it was set aside",
    },
    "inbox.event_file": {
        "file_id": "Surrogate key",
        "door": "The door that it was loaded through",
        "file_name": "Name of the file",
        "identity": "Size, modification time and inode",
        "digest": "SHA-256 of its content, unpacked; empty until its end was reached",
        "lines": "Lines with something in them, without a header",
        "stored": "Events that were new",
        "duplicates": "Events that were known",
        "differing": "Events of a known id with another content",
        "set_aside": "Of the new ones, those that lack an id, a time or a topic",
        "rejected": "Lines that are no event",
        "started_at": "When the load began",
        "loaded_at": "When its end was reached",
    },
    "inbox.rejected_line": {
        "file_id": "The load",
        "line_number": "Physical line of the file on which it starts",
        "reason": "What is wrong with it",
        "raw_line": "The line as it was in the file, at most 8,000 characters of it",
    },
    "inbox.refused_request": {
        "source": "The source of the endpoint; none where there is no such endpoint",
        "minute": "The minute in which they were counted",
        "status": "What was answered",
        "reason": "Why",
        "requests": "How many",
    },
}

WORDS = Words(("inbox",), TABLES, _COLUMNS)
