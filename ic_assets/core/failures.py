"""The exceptions that end a command with one clear line, and what each means for the caller.

Every foreseeable error is one of these; anything else is a defect and may show a traceback.
"""

from __future__ import annotations


class Refused(Exception):
    """The request cannot be carried out: bad arguments, a bad file, an unreachable service (exit code 2).

    The message is one line for a person: what is wrong, where, and what to do.
    """


class DropRefused(Refused):
    """A dropped file as a whole cannot be loaded. Nothing of it is."""


class Unavailable(Refused):
    """A service (PostgreSQL, HubSpot) cannot be reached or does not let us in."""
