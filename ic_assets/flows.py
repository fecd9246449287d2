"""The flows that take events out of the inbox. Commands, the receiver and the definitions read this list; a flow joins by
one line here."""

from ic_assets.inbox.registry import Registry

REGISTRY = Registry(flows=())
