"""What comes in from outside, whatever the door: kept as it came, taken by one flow, done or set aside with a reason.

Knows no flow and no source: a flow says in a ``registry.Flow`` what it takes and how. No Dagster here.
"""
