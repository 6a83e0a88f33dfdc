"""The conversation about an item between States: who is asked what, and what an answer or silence does. Pure.

`provider` is the providing State's side, `receiver` the receiving State's. Each is a value and a function
`advance(state, event, now, …) → (state, effects)`; the caller stores the value and carries out the effects in one
transaction. `due(state)` is the next instant at which time alone changes something. Modules named `received_…` are the
receiver's: `events` and `effects` are the provider's, and `received_events` has both.
"""
