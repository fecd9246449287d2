"""A second database, for states that have to be equal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ic_assets_tests.conftest import fresh_database


@pytest.fixture
def other_database(superuser_url: str, postgres_url: str, _template: str) -> Iterator[str]:
    yield from fresh_database(superuser_url, postgres_url, _template)
