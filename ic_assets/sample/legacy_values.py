"""Types, actions, statuses and priorities as the legacy system's users typed them, the frequent spellings repeated.
Together they cover every entry of the classification and mapping tables, and some that no table knows. Data only; `export`
draws from it.
"""

from __future__ import annotations

# fmt: off
TYPES = {
    "call": (
        *["Call"] * 12, *["Phone"] * 5, "PhoneCall", "phonecall", "Telephone", "VoIP", "Zoom", "ZOOM", "call",
    ),
    "email": (*["Email"] * 14, *["E-mail"] * 5, "EMAIL", "email", "e-mail", "E-Mail"),
    "meeting": (*["Meeting"] * 9, *["Appointment"] * 3, "Visit", "visit", "Demo", "DEMO", "Presentation"),
    "note": (*["Note"] * 9, "NOTE", "Comment", "comment", "Annotation", "Memo", "memo"),
    "task": (*["Task"] * 8, "ToDo", "To-Do", "TODO", "Follow-up", "Follow-Up", "FollowUp", "Action", "task"),
    "message": (*["SMS"] * 5, "sms", "Text", "LinkedIn", "LINKEDIN", "linkedin", "WhatsApp", "WA", "Message"),
    "letter": (*["Letter"] * 4, "LETTER", "Postal", "postal"),
    "case": (*["Case"] * 5, "CASE", "case"),
    "other": (
        "Mail", "Mail", "mail", "Fax", "Fax", "FAX", "Site visit", "Newsletter", "Trade fair", "Phone call",
    ),
}
KINDS = (
    *["call"] * 26, *["email"] * 29, *["meeting"] * 12, *["note"] * 11, *["task"] * 10, *["message"] * 5,
    *["letter"] * 2, *["case"] * 3, *["other"] * 2,
)
ACTIONS = {
    "call": (
        *["Outbound"] * 8, *["Inbound"] * 5, "out", "In", "Incoming", "Outgoing", "Received", "Phone Out", "",
    ),
    "email": (
        *["Sent"] * 8, *["Received"] * 5, "Outgoing", "Incoming", "Out", "IN", "Inbound", "Email Out", "",
    ),
}
OTHER_ACTIONS = {
    "meeting": ("", "", "", "Meeting"),
    "task": ("", "", "", "ToDo", "To-Do"),
    "message": ("", "", "Out", "In"),
    "letter": ("", "", "LetterOut", "LetterIn"),
    "other": ("", "", "", "Misc"),
}
STATUSES = {
    "call": (
        *["Completed"] * 14, *["Done"] * 3, "Finished", *["Successful"] * 2, *["Missed"] * 3,
        *["No answer"] * 3, "NoAnswer", "Unanswered", *["Busy"] * 2, "Cancelled", "Canceled", "Failed",
        "Error", "In progress", "Ongoing", "Active", "Ringing", "Calling", "", "", "", "Left voicemail",
        "Left message", "Voicemail", "Wrong number", "Complete", "Pending", "Draft",
    ),
    "email": (
        *["Sent"] * 14, *["Delivered"] * 4, *["Completed"] * 3, "Successful", "Bounced", "Failed", "Error",
        "Scheduled", "Pending", "Sending", "In progress", "", "", "Complete", "Opened", "Draft",
    ),
    "meeting": (
        *["Completed"] * 10, *["Done"] * 2, "Finished", *["Attended"] * 3, "Cancelled", "Canceled", "No show",
        "NoShow", "Missed", "Rescheduled", "Postponed", "", "", "Complete", "Held",
    ),
    "task": (
        *["Completed"] * 10, *["Done"] * 3, "Finished", *["Closed"] * 3, "In progress", "Ongoing", "Active",
        "Started", "Waiting", "On hold", "Blocked", "Deferred", "Postponed", "", "Open", "Not started", "Complete",
        "Pending",
    ),
}
PLANNED_STATUSES = {
    "meeting": ("Scheduled", "Scheduled", "Planned", "Planned", "Upcoming", "Pending", ""),
    "task": ("Not started", "Open", "", "In progress", "Waiting", "Deferred"),
}
OTHER_STATUSES = ("Completed", "Completed", "Done", "", "Sent")
PRIORITIES = (
    *[""] * 8, *["Normal"] * 6, *["Medium"] * 2, *["High"] * 3, "Urgent", "Critical", *["Low"] * 2, "1", "2",
    "3", "Whenever",
)
