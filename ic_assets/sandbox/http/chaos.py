"""The misbehaviour that the local HubSpot can be told to show: random by seed, or scripted request by request."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import orjson

_STATUSES = (423, 429, 477, 500, 502, 503, 504, 521, 523, 524)
STATUS_FAULTS = tuple(f"http_{status}" for status in _STATUSES)
BEFORE = ("lost_before", *STATUS_FAULTS)
"""Nothing is written: the connection closes, or the status comes back."""
AFTER = (
    "lost_reply",  # the connection closes after the commit, without a byte
    "cut_reply",  # the connection closes in the middle of the body
    "late_commit",  # 504 at once, the commit `late` milliseconds afterwards
    "empty",  # 2xx without a body
    "short",  # 2xx with a part of the results
    "repeat",  # 2xx with some results twice
    "http_500_after",
    "http_502_after",
    "http_503_after",
    "http_504_after",
    "http_524_after",
)
"""The request has its effect, and the answer is wrong or missing."""
FAULTS = (*BEFORE, *AFTER)
EXTRAS = ("shuffle", "bad_record")
"""``shuffle`` mixes with the faults above; ``bad_record`` is the share of records refused, always the same ones."""
_NUMBERS = ("latency", "jitter", "index_lag", "late", "retry_after")


@dataclass
class Rule:
    """A scripted fault: the next ``times`` requests whose "METHOD /path" matches, after the first ``skip``.

    For ``bad_record``, ``contains`` names the record: an input whose JSON holds the text is refused.
    """

    match: str
    fault: str
    times: int = 1
    skip: int = 0
    contains: str = ""

    def __post_init__(self) -> None:
        if self.fault not in (*FAULTS, *EXTRAS):
            raise ValueError(f"{self.fault!r} is not a fault; there are {', '.join((*FAULTS, *EXTRAS))}")
        self.pattern = re.compile(self.match)

    def hits(self, request: str) -> bool:
        if self.times <= 0 or not self.pattern.search(request):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass
class Verdict:
    """What happens to one request."""

    fault: str | None = None
    shuffle: bool = False
    bad: list[str] = field(default_factory=list)
    """Texts that make an input a bad record."""


@dataclass
class Chaos:
    """Times are milliseconds (``retry_after`` seconds); ``rates`` maps faults to shares between 0 and 1.

    Latency is spent half before and half after the commit. ``index_lag`` is how long search does not see a
    creation or an archival. Faults draw from ``seed``, in the order in which requests arrive.
    """

    seed: int = 0
    latency: float = 0.0
    jitter: float = 0.0
    index_lag: float = 0.0
    late: float = 1000.0
    retry_after: float | None = None
    rates: dict[str, float] = field(default_factory=dict)
    script: list[Rule] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, rate in self.rates.items():
            if name not in (*FAULTS, *EXTRAS):
                raise ValueError(f"{name!r} is not a fault; there are {', '.join((*FAULTS, *EXTRAS))}")
            if not 0 <= rate <= 1:
                raise ValueError(f"{name}={rate} is not a share between 0 and 1")
        if sum(self.rates.get(name, 0.0) for name in FAULTS) > 1:
            raise ValueError("the rates of the faults add up to more than 1")
        # Two streams, so that switching a fault on does not change the waiting times.
        self._faults = random.Random(self.seed)  # noqa: S311 - repeatable on purpose
        self._waits = random.Random(self.seed + 1)  # noqa: S311

    @classmethod
    def parse(cls, spec: str) -> Chaos:
        """From ``seed=7,latency=200,lost_reply=0.02,http_503=0.05``. Raises ``ValueError`` naming what is wrong."""
        values: dict[str, Any] = {}
        for part in filter(None, (p.strip() for p in spec.split(","))):
            name, equals, value = part.partition("=")
            try:
                values[name.strip()] = float(value) if equals else 1.0
            except ValueError:
                raise ValueError(f"chaos: {part!r} is not name=number") from None
        return cls.from_json(values)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Chaos:
        """The same keys, plus ``script``: a list of rules (``match``, ``fault``, ``times``, ``skip``, ``contains``)."""
        if not isinstance(values, Mapping):
            raise TypeError("chaos: expected an object of names and numbers")
        known = {f.name for f in fields(Rule)}
        rules = []
        for rule in values.get("script") or []:
            if not isinstance(rule, Mapping) or set(rule) - known or {"match", "fault"} - set(rule):
                raise ValueError(f"chaos: a rule has match and fault, and may have {', '.join(sorted(known))}")
            rules.append(Rule(**rule))
        numbers = {k: float(v) for k, v in values.items() if k in _NUMBERS and v is not None}
        rates = {k: float(v) for k, v in values.items() if k not in (*_NUMBERS, "seed", "script")}
        return cls(
            seed=int(values.get("seed") or 0),
            script=rules,
            rates=rates,
            **numbers,
        )

    def wait(self) -> float:
        """Seconds that this request takes on top of its work."""
        return (self.latency + (self._waits.uniform(0, self.jitter) if self.jitter else 0.0)) / 1000

    def judge(self, request: str) -> Verdict:
        """What happens to ``METHOD /path``. Scripted rules first; one fault a request, shuffling besides."""
        verdict = Verdict()
        for rule in self.script:
            if rule.fault in FAULTS and verdict.fault is not None:
                continue
            if rule.hits(request):
                if rule.fault == "bad_record":
                    verdict.bad.append(rule.contains)
                elif rule.fault == "shuffle":
                    verdict.shuffle = True
                else:
                    verdict.fault = rule.fault
        drawn, shuffled = self._faults.random(), self._faults.random()
        if verdict.fault is None:
            for name in FAULTS:
                drawn -= self.rates.get(name, 0.0)
                if drawn < 0:
                    verdict.fault = name
                    break
        verdict.shuffle = verdict.shuffle or shuffled < self.rates.get("shuffle", 0.0)
        return verdict

    def is_bad(self, properties: Mapping[str, Any], texts: list[str]) -> bool:
        """Whether an input counts as the bad record; the same input is, or is not, every time."""
        rate = self.rates.get("bad_record", 0.0)
        if not rate and not texts:
            return False
        content = orjson.dumps(properties, option=orjson.OPT_SORT_KEYS)
        if rate and zlib.crc32(content, self.seed & 0xFFFFFFFF) / 0x1_0000_0000 < rate:
            return True
        return any(text.encode() in content for text in texts)

    def shuffled(self, results: list[Any]) -> list[Any]:
        return self._waits.sample(results, len(results))
