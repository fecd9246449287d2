"""Sample data for the demo and the tests: two CSV drops and the three reconciliation files that go with them.

The files are package data, written by `ic_assets.sample.generate`; every person, company and address in them
is invented (reserved domains, reserved telephone numbers).
"""

from __future__ import annotations

from pathlib import Path

SAMPLE_DIR = Path(__file__).resolve().parent
COMMUNICATIONS = SAMPLE_DIR / "communications.csv"
COMMUNICATIONS_DELTA = SAMPLE_DIR / "communications_delta.csv"
CONTACTS = SAMPLE_DIR / "contacts.csv"
COMPANIES = SAMPLE_DIR / "companies.csv"
DEALS = SAMPLE_DIR / "deals.csv"
