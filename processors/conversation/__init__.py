"""The conversations of one State, driven by what is read and by time. Pure: no broker, no clock.

- `conversation_processor`: rulings, drafts, messages of other States and what is due, as events of either side.
- `receiving`: what a message of another State is; `room`: whether too much of that State is waiting.
- `item_rulings`: what a ruling does to the items that it names.
- `covering`: answers that cover later Asks.
- `steps`: what events do to one item, and the acts that record it; `keeping`: either everything that changes is stored,
  or nothing.
- `sending`, `message_building`, `amending`: what is written for other States and the gate; `release_terms`: the legal
  terms for that.
- `conversation_result`: what became of each record of a batch, and whether all of it is accounted for.
- `expected_messages`: which record each effect must have, stated separately for that check.
- `kept_law`: the law in force for a stored item, and whether a ruling fits an Ask about it.
- `draft_reading`: what a draft of the gate says.
- `batch_driver`: a batch of the loop, part by part; `batch_work`: its inputs and its result.
"""
