"""Moves a legacy CRM's communications into HubSpot, exactly once, as a Dagster asset graph."""

__version__ = "0.1.0"
