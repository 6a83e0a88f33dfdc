"""Sealed messages: a notice or an offer that only one State can open and only its sender can have made.

Pure: randomness and time are arguments (the ephemeral keys of HPKE are `cryptography`'s own).

- `envelope`: the unencrypted part of a message, and its bytes, which are authenticated with the content.
- `sealed_record`: the parts of a sealed message, and their bytes (`schemas/sealed_message.avsc`).
- `padding`: classes of lengths.
- `hpke`: sealing a data key to a State, by named suites.
- `data_keys`: one key for each recipient and epoch.
- `message_keys`: the key of one message, the encryption under it, and the commitment to it.
- `sealing`: what a gate does with the messages of a batch.
- `opening`: what a receiving State does with a message.
- `indicators`, `indicator_record`, `opened_data_key`: what an agency publishes, sealed to the gate of its own State.
- `message_content`: the opened notice or offer, and whether it is what the envelope says.
- `message_proof`: proving one message to a court.
- `sequences`: the numbers of messages, and what is missing.
- `counts`: the hourly statement of how many were sent.
- `faults`: why something is refused.
"""
