"""The number of every advisory lock of the project, so that no two share one. What each guards is said here; who takes
one takes it in SQL, in the transaction or session that it is to live as long as.

PostgreSQL keeps locks of one 64-bit number apart from those of two 32-bit numbers.
"""

# One number.
LANDING = 0x1CA55E70
"""Drops land one at a time, so that each sees what the earlier ones left. Whoever takes rows away holds it too."""
SCHEMA = 0x1CA55E75
"""One upgrade of the schema at a time: two commands started together would both find an empty database."""
LOAD = 0x1CA55E79
"""Held, shared, by `ic-assets load` while it works: it brings its months up to date itself, and the sensors wait."""
REPLAY = 0x1CA55E7A
"""One replay at a time builds tables in the schema ic_replay."""

DAGSTER_TABLES = 0x1CA55E7D
"""In Dagster's own database or schema: who makes its tables, and in a database of the user's the schema for them."""

# Two numbers; what the second one is, is said.
WORKER = 0x1CA55E70
"""The push run's id: its process lives. A session lock, so not through a transaction-pooling proxy."""
ROLLBACK_RECORD = 0x1CA55E71
"""0: one writer of the roll-back's record at a time."""
PORTAL_SETUP = 0x1CA55E72
"""The portal id's hash: properties are created in a portal by one process at a time."""
RATE_BUDGET = 0x1CA55E75
"""The hash of portal id and kind: who takes the next slot."""
RULES = 0x1CA55E7
"""The hash of a rule file's name: who reads it and brings it to the database."""
FIGURES = 0x1CA55E8
"""The hash of the source's name: who counts it."""
INBOX = 0x1CA55E9
"""The hash of a flow's name: who takes its events out of the inbox, or puts its tables anew."""
COMPANY = 0x1CA55EA
"""The hash of a company's key: who computes its payments."""
MONTH = 0x1CA55F0
"""The month's number: one stage writes it. MONTH + 1 + n is the same for the n-th activity type alone."""
