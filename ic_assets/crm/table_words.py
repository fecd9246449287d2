"""What each table and column of schema ``crm`` is, in words, for the data dictionary (``core/dictionary.py``)."""

from __future__ import annotations

from ic_assets.core.catalog import Reference
from ic_assets.core.dictionary import Words
from ic_assets.crm.owners import columns

_CENTRE = "crm.company_profile_meta_data"

TABLES = {
    _CENTRE: "One company, as all flows see it. Each column has one flow that writes it.",
    "crm.company_profile_arr_range": "One company and its annual recurring revenue.",
    "crm.company_change_log": "One change of one field of one company, in the order of id.",
    "crm.user_profile": "One user of the product.",
    "crm.contact_profile_metadata": "One contact.",
    "crm.company_profile_usage": "One company and how it uses the product.",
    "crm.user_usage": "One user and how he uses the product.",
    "crm.user_bi_data": "One user and what analysts know of him.",
    "crm.contact_bi_data": "One contact and what analysts know of him.",
    "crm.field_lock": "One field of one company that a person has locked.",
    "crm.field_edit": "One field of one company that a person has edited or released.",
    "crm.business_cases": "One business case of a company.",
    "crm.country_alias": "One way to write a country that ISO 3166 does not know.",
}

_COMPANY = "The product's company id"
_UPDATED = "When it was written last"
_ADDRESS = {
    "email": "Address as it was written",
    "email_normalised": "The same trimmed and in lower case; empty where it is no address",
}
_COLUMNS = {
    _CENTRE: {
        "company": _COMPANY,
        **{column.name: f"{column.holds}. Written by {column.flow}" for column in columns().values()},
        "status": "payment_status, else site_status",
        "cs_stage_lock_expiration": "Until when no flow changes cs_stage",
        "cs_manager_lock_expiration": "Until when no flow changes customer_success_manager",
        "updated_at": "When a column was changed last",
    },
    "crm.company_profile_arr_range": {
        "company": _COMPANY,
        "arr_usd": "12 times effective_mrr",
        "arr_range": "Its range; empty for nothing",
        "changed_at": "Since when it is in this range",
    },
    "crm.company_change_log": {
        "id": "Surrogate key, in the order of the changes of a company",
        "company": _COMPANY,
        "field": f"Column of {_CENTRE}",
        "old_value": "Value before, as text",
        "new_value": "Value after, as text",
        "changed_by": "flow:rule, or hubspot:user id",
        "cause": "The event's id, or clock:what for what time did",
        "changed_at": "When it was written",
    },
    "crm.user_profile": {
        "user_id": "The product's user id",
        "company": _COMPANY,
        **_ADDRESS,
        "client_id": "Browser that signed up",
        "role": "Role in the product",
        "created_at": "When the user came",
    },
    "crm.contact_profile_metadata": {
        "contact_id": "The product's contact id",
        **_ADDRESS,
        "company": _COMPANY,
        "phone_number": "As it was written",
        "first_name": "Given name",
        "last_name": "Family name",
        "country": "ISO 3166 alpha-2 code",
        "region": "As it was written",
        "hubspot_contact_id": "Id of the record in HubSpot",
        "created_at": "When the contact came",
    },
    "crm.company_profile_usage": {"company": _COMPANY, "metrics": "Figures by name", "updated_at": _UPDATED},
    "crm.user_usage": {
        "user_id": "The product's user id",
        "company": _COMPANY,
        "metrics": "Figures by name",
        "updated_at": _UPDATED,
    },
    "crm.user_bi_data": {"user_id": "The product's user id", "data": "Values by name", "updated_at": _UPDATED},
    "crm.contact_bi_data": {"contact_id": "The product's contact id", "data": "Values by name", "updated_at": _UPDATED},
    "crm.field_lock": {
        "company": _COMPANY,
        "field": f"Column of {_CENTRE}",
        "locked_until": "The lock is active before this time",
        "changed_by": "Who locked it",
        "cause": "The event's id, or the command",
        "changed_at": "When it was written",
    },
    "crm.field_edit": {
        "company": _COMPANY,
        "field": f"Column of {_CENTRE}",
        "occurred_at": "When the newest edit was made in HubSpot",
        "turn": "What decides between two edits of one instant",
        "cause": "The newest edit's event id",
        "is_taken": "Whether the newest edit was taken over",
        "released_at": "When a person gave the field back to its flow; edits made before then lock nothing",
    },
    "crm.business_cases": {
        "id": "Surrogate key",
        "company": _COMPANY,
        "kind": "Kind of case",
        "opened_at": "When it was opened",
        "closed_at": "When it was closed",
    },
    "crm.country_alias": {"alias": "Trimmed, in small letters", "country": "ISO 3166 alpha-2 code"},
}

WORDS = Words(
    schemas=("crm",),
    tables=TABLES,
    columns=_COLUMNS,
    references=(
        *(
            Reference(f"crm.{table}", ("company",), _CENTRE, ("company",), is_declared=False)
            for table in (
                "company_profile_arr_range",
                "company_change_log",
                "user_profile",
                "contact_profile_metadata",
                "company_profile_usage",
                "user_usage",
                "field_lock",
                "field_edit",
                "business_cases",
            )
        ),
        *(
            Reference(f"crm.{table}", (key,), f"crm.{target}", (key,), is_declared=False)
            for table, key, target in (
                ("user_usage", "user_id", "user_profile"),
                ("user_bi_data", "user_id", "user_profile"),
                ("contact_bi_data", "contact_id", "contact_profile_metadata"),
            )
        ),
    ),
)
