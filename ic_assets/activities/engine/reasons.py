"""The reason codes of rejected rows and field warnings in words, with what to do about each."""

# Code -> what it means, what to do.
REJECTS = {
    "nul_byte": ("the row holds a NUL byte", "Export it again without the byte."),
    "field_count": ("more or fewer fields than the header", "Mend the quotes or delimiters on these lines."),
    "missing_required": ("a required value is empty", "Fill it in the source."),
    "unreadable_required": ("a required value cannot be read", "Correct it in the source; dates are YYYY-MM-DD."),
    "out_of_range": (
        "its date lies outside the months that are kept",
        "Correct the date, or set `IC_PARTITIONS_START` to an earlier month.",
    ),
    "deleted_in_source": (
        "the source has deleted it",
        "Nothing: it is taken out, and the next push removes its record from HubSpot.",
    ),
    "superseded_in_drop": ("the same id stands in the file again, newer", "Nothing: the newer row is loaded."),
    "stale": ("older than the version that is loaded", "Nothing: the newer version stays."),
}
# Rejected, and rightly so: the newer version is loaded, or the source wants none.
HARMLESS = ("deleted_in_source", "superseded_in_drop", "stale")
# Code -> what became of the field.
WARNINGS = {
    "unreadable": "the value cannot be read as its column's type; the field is empty",
    "not_an_address": "what is no e-mail address in it is not used as one; the rest of it is",
    "content_left_out": "HubSpot cannot show a part of it (such as an image inside the text); a placeholder says so",
    "html_as_text": "its HTML is too large or too entangled to be read safely; it is shown as text, tags included",
    "end_before_start": "the meeting ends before it begins; one hour was assumed",
}
