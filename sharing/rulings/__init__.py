"""What officers rule, what two workers tell each other, and the record of what was done. Pure.

- `ruling`: what an officer signs; `facts` and `vocabulary` have its closed lists.
- `signing`: the signed record, and whether it is valid.
- `alikeness`: whether an Ask is what a ruling says about all the Asks that it answers.
- `mapping`: a ruling as events of `sharing.conversation`.
- `reply`: answers, results, receipts and withdrawals between two workers, and their events.
- `reply_making`: the replies that the effects of a conversation ask for.
- `act`: the record of an effect, and by whom it was caused.
"""
