"""What may leave this process in a log line, an event, an error, an alert or JSON: no secret, no connection string with a
password, no content of a row. Values of the data that are shown on purpose, shortened, are
``reports/masked_values.py``'s.

Two ways, since neither is enough alone. ``without_rows`` takes the rows out of PostgreSQL's errors where they leave the
database (``core/session.py``, ``resources/postgres.py``). ``mask`` goes over every text at the doors: Dagster's event log
and ticks (``resources/dagster_events.py``), log lines (``core/logs.py``), alerts, what a command prints of an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from ic_assets.core.failures import Refused

MASK = "…"
# The whole value is the secret.
_SECRETS = ("HUBSPOT_TOKEN", "IC_ALERT_WEBHOOK_URL", "IC_SANDBOX_TOKEN", "PGPASSWORD")
# Each word of the list is one: they are rotated. Of ``user:password`` the password alone.
SECRET_LISTS = (
    "IC_CHARGEBEE_BASIC_AUTH",
    "IC_CHARGEBEE_WEBHOOK_SECRETS",
    "IC_HUBSPOT_CLIENT_SECRET",
    "IC_JIRA_WEBHOOK_SECRET",
    "IC_SITE_WEBHOOK_SECRETS",
    "IC_FORMS_WEBHOOK_SECRETS",
    "IC_MOBILE_WEBHOOK_SECRETS",
    "IC_CALLS_WEBHOOK_SECRETS",
    "IC_PRODUCT_WEBHOOK_SECRETS",
    "IC_SITE_WRITE_KEYS",
)
# Addresses with a password in them.
_ADDRESSES = ("IC_POSTGRES_URL", "IC_CELERY_BROKER", "IC_HTTPS_PROXY", "HUBSPOT_BASE_URL")
# Shorter ones may be words of any sentence.
_SHORTEST = 6
# user:password@, whatever the password holds; a port is no password.
_IN_ADDRESS = re.compile(r"""(://[^\s:/@]*:)(?!\d{1,5}(?:[/?\s,;.)'"]|$))[^\n]*@""")
_NAMED = re.compile(r"(?i)\b(password|passwd|sslpassword|client_secret|access_token)(=|%3D)('[^']*'|[^\s&'\"]+)")
_TOKEN = re.compile(r"\b(Bearer +)\S+|\b(pat-)[a-z0-9]+-[0-9a-f-]{8,}")
# Every token is looked at once: a match can only begin where a token does.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+")
# What PostgreSQL says beside the first line of an error, and SQLAlchemy of the values of a statement.
_ROWS = re.compile(
    r"\n(?:DETAIL|CONTEXT|QUERY):.*?(?=\n(?:\[SQL|\(Background|Traceback|During|The above|  File)|\Z)"
    r"|\[parameters: .*?\](?=\s*\n?\(Background|\s*\Z)",
    re.DOTALL,
)


def mask(text: str) -> str:
    """``text`` without secrets and rows. One that holds none comes back as it is."""
    for secret in _known():
        text = text.replace(secret, MASK)
    if "://" in text:
        text = _IN_ADDRESS.sub(rf"\1{MASK}@", text)
    text = _NAMED.sub(rf"\1\2{MASK}", text)
    text = _TOKEN.sub(lambda found: f"{found[1] or found[2]}{MASK}", text)
    return _ROWS.sub("", text)


def mask_addresses(text: str) -> str:
    """``text`` without readable e-mail addresses: ``a…@e….com``."""
    return _EMAIL.sub(lambda m: f"{m[0][0]}…@{m[0].rpartition('@')[2][:1]}….{m[0].rpartition('.')[2]}", text)


def mask_json(value: Any) -> Any:
    """``mask`` over every text in what JSON can hold."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list | tuple):
        return [mask_json(one) for one in value]
    return {name: mask_json(one) for name, one in value.items()} if isinstance(value, dict) else value


def _known() -> Iterator[str]:
    """The secrets of this process's environment, longest first, as written and as meant."""
    found = {os.environ.get(name, "").strip() for name in _SECRETS}
    for name in SECRET_LISTS:
        for word in words_of(name, os.environ.get(name, "")):
            found |= {word, word.partition(":")[2]}
    for name in _ADDRESSES:
        password = _password(os.environ.get(name, ""))
        found |= {password, unquote(password)}
    yield from sorted((secret for secret in found if len(secret) >= _SHORTEST), key=len, reverse=True)


def words_of(name: str, value: str) -> list[str]:
    """The secrets of one of ``SECRET_LISTS``: separated by blanks, or by commas where no password can hold one."""
    return (value if name == "IC_CHARGEBEE_BASIC_AUTH" else value.replace(",", " ")).split()


def _password(url: str) -> str:
    # By hand: the one that is to be masked may be what makes the address unreadable.
    return url.partition("://")[2].rpartition("@")[0].partition(":")[2]


def without_rows(error: BaseException) -> BaseException:
    """The same exception, and those that it was raised from, without DETAIL, CONTEXT and values in what PostgreSQL said."""
    import psycopg  # here: whoever only writes a line does without it

    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        if isinstance(one, psycopg.Error):
            said = one.diag.message_primary
            if said is not None:
                # Class 22, data exceptions, quote the value that could not be read.
                one.args = (
                    re.sub(r'".*"', f'"{MASK}"', said, flags=re.DOTALL)
                    if (one.sqlstate or "").startswith("22")
                    else said,
                )
        one = one.__cause__ or one.__context__
    return error


@contextmanager
def quiet() -> Iterator[None]:
    """What PostgreSQL says in the block leaves it ``without_rows``."""
    try:
        yield
    except Exception as error:
        without_rows(error)
        raise


def in_log_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For structlog: ``mask`` over every text of a line."""
    return {name: mask(value) if isinstance(value, str) else value for name, value in event.items()}


def checked_secret(name: str, value: str | None) -> str | None:
    """``value`` of the variable ``name`` if it can be one: a line break in it would cut a header in two and stand in the
    error about that. Raises ``Refused``, which does not repeat it."""
    if value is not None and not re.fullmatch(r"[!-~]+", value):
        raise Refused(f"{name} holds a space, a line break or another character that cannot be in it; copy it again")
    return value
