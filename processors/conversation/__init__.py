"""The providing State's side of conversations, driven by what is read and by time. Pure: no broker, no clock.

- `conversation_processor`: rulings, drafts and what is due, as events; the states that are kept, and the acts.
- `conversation_result`: what became of each record of a batch, and whether all of it is accounted for.
- `steps`: what events do to one item, and the acts that say so.
- `kept_law`: the law in force about an item that is kept, and whether a ruling fits an Ask about it.
- `draft_reading`: what a draft of the gate says.

It is not yet part of a worker. **What leaves the State is not written here.** An effect that sends something (a notice,
a recall, an offer, the result of a reply, a withdrawn Ask, an amendment for the gate) is in the result as `pending`,
with its act: both are to be written in the transaction that keeps the state. Replies of other States and later items
that an earlier ruling covers (`covers_until`) are not processed yet, nor are rulings about the items of other States:
here their Asks are unknown.
"""
