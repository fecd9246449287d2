"""All that talks to a HubSpot portal: client, ledger, set-up, sending, push. Knows no flow and no Dagster; flows call it."""
