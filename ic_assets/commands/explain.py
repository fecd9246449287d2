"""``ic-assets explain``: how each figure of a company, contact or conversion came about, as each flow tells it."""

from datetime import UTC, datetime

from ic_assets.commands.looking import looking
from ic_assets.commands.terminal import emit_json, out
from ic_assets.core import parts
from ic_assets.core.explaining import Asked, Explainer
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings


def explain(kind: str, key: str, *, at: str | None = None, full: bool, as_json: bool) -> int:
    """Raises ``Refused`` for what no flow knows."""
    asked = Asked(key.strip(), None if at is None else _instant(at), full)
    explainers: list[Explainer] = [found[kind] for found in parts.brought(parts.EXPLAINERS) if kind in found]
    if not explainers:
        raise Refused(f"no flow that explains a {kind} is there yet")
    with looking(Settings.from_env()) as connection:
        sections = [section for each in explainers if (section := each(connection, asked)) is not None]
    if not sections:
        raise Refused(f"no {kind} {key!r} is known")
    if as_json:
        told = {section.flow: {"lines": list(section.lines), **section.data} for section in sections}
        emit_json({"kind": kind, "id": asked.key, "at": asked.at, "sections": told})
        return 0
    for section in sections:
        out.print(f"[bold]{section.flow}[/bold]")
        for line in section.lines:
            out.print(f"  {''.join(c if c.isprintable() else ' ' for c in line)}", markup=False)
    return 0


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"--at {text!r} is not a time; use ISO 8601, for example 2026-01-31T12:00:00Z") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
