"""What single values of the CRM become, by the files as they are now and without a database: for who settles the mapping
before the first load. The database's own rules are the function and views of ``sql/schema``; a test holds both together."""

from __future__ import annotations

from dataclasses import dataclass

from ic_assets.activities.engine.staging.classification import (
    ANY,
    BLANK,
    CLASSIFICATION,
    DIRECTIONS,
    PRIORITIES,
    STATUS_VALUES,
    STATUSES,
)

_TASK_OF_A_CASE = ("high", "urgent", "critical")


@dataclass(frozen=True)
class Becomes:
    """``direction`` is None but for calls and e-mails, ``status`` where none is made of it, ``priority`` but for tasks.
    ``unnamed`` are the columns whose value no line names."""

    activity_type: str
    direction: str | None
    status: str | None
    disposition: str | None
    priority: str | None
    unnamed: tuple[str, ...]


class Mapping:
    """The four files. Raises ``Refused`` as they do."""

    def __init__(self) -> None:
        self._types = {row[:2]: row[2] for row in CLASSIFICATION.load().rows}
        self._directions = dict(DIRECTIONS.load().rows)
        self._statuses = {row[:2]: row[2:] for row in STATUSES.load().rows}
        self._priorities = dict(PRIORITIES.load().rows)
        self._known_types = {key[0] for key in self._types} - {ANY}
        self._known_actions = ({key[1] for key in self._types} | set(self._directions)) - {ANY}

    def becomes(self, comm_type: str, action: str, status: str, priority: str, *, has_case: bool) -> Becomes:
        type_key, action_key, status_key, priority_key = map(key, (comm_type, action, status, priority))
        activity_type = self._activity_type(type_key, action_key, priority_key, has_case)
        has_direction, has_status = activity_type in ("calls", "emails"), activity_type in STATUS_VALUES
        is_task = activity_type == "tasks"
        result, disposition = self._statuses.get(
            (activity_type, status_key), self._statuses.get((activity_type, ANY), (None, None))
        )
        known_actions = self._directions if has_direction else {*self._known_actions, BLANK}
        unnamed = {
            "comm_type": type_key not in self._known_types,
            "comm_action": action_key == ANY or action_key not in known_actions,
            "comm_status": has_status and (activity_type, status_key) not in self._statuses,
            "comm_priority": is_task and priority_key not in self._priorities,
        }
        return Becomes(
            activity_type,
            self._directions.get(action_key, self._directions.get(ANY)) if has_direction else None,
            result if has_status else None,
            disposition,
            self._priorities.get(priority_key, self._priorities.get(ANY)) if is_task else None,
            tuple(column for column, is_unnamed in unnamed.items() if is_unnamed),
        )

    def _activity_type(self, type_key: str, action_key: str, priority_key: str, has_case: bool) -> str:
        lines = ((type_key, action_key), (type_key, ANY), (ANY, action_key), (ANY, ANY))
        found = next((self._types[line] for line in lines if line in self._types), "notes")
        if found != "case":
            return found
        return "tasks" if has_case and priority_key in _TASK_OF_A_CASE else "notes"


def key(text: str) -> str:
    """``staging.ic_key``."""
    return text.strip().lower() or BLANK
