"""The flow of communications: CSV drops to engagements in HubSpot."""

import warnings

# Dagster and dagster-pandas call these three beta, and would say so at every start; any other beta feature still warns.
for _feature in (
    "Parameter `backfill_policy`",
    "Class `PandasColumn`",
    "Function `create_dagster_pandas_dataframe_type`",
):
    warnings.filterwarnings("ignore", message=_feature)
