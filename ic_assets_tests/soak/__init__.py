"""The proof harness of the push: seeded schedules of faults, kills, restarts and corrections, checked against what the
local HubSpot holds afterwards. ``python -m ic_assets_tests.soak --help``; what it proves: ``docs/soak.md``.
"""
