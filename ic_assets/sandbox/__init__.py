"""The local HubSpot: the part of HubSpot's CRM API that this project uses, served on the loopback interface.

It holds no Dagster code, and its property lists and association ids are written down a second time on purpose:
what the product sends is checked against something that the product did not write.
"""
