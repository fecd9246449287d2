"""What the words of one language consist of. Each module of this room holds one language's; `phrases` mixes them.

Persons and companies are invented. Sentences may hold the slots {product} {qty} {price} {week} {days} {no}
{city} {person}.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """One language's vocabulary. ``subjects`` and ``sentences`` are by kind of communication: call, email,
    meeting, note, task, message, letter, case; ``asides`` fit any of them."""

    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    trades: tuple[str, ...]
    legal_forms: tuple[str, ...]
    cities: tuple[str, ...]
    products: tuple[str, ...]
    greeting: str
    closing: str
    subjects: dict[str, tuple[str, ...]]
    sentences: dict[str, tuple[str, ...]]
    asides: tuple[str, ...]
