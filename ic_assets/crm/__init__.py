"""The company centre: the tables of schema ``crm`` that all flows meet in, the one way to write them, how a person's edit
stands against the machines, and how a change wakes who depends on it. Knows no flow and does not import Dagster.
"""
