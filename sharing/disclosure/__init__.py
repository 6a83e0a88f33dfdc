"""The bridge between the law and the conversation: what the law says about an item, as the conversation compares it.

- `terms`: the terms on which a State may have an item.
- `missing_facts`: the facts that people can supply where the law withholds an item only because they are unknown.
- `law_in_force`: the law, evaluated again at the instant at which something is about to be sent.
- `decided`: the gate's decision, as the event with which a conversation begins or continues.
- `amendments`: what an officer supplies, corrects or withdraws, applied to the record of an item.

Pure: law, directory and time are arguments.
"""
