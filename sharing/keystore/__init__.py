"""Files of a State's keys and of the roots that it has pinned. `sharing.trust` decides what they mean.

- `files`: files that are written completely or not at all.
- `private_key_file`: one private key, encrypted with a passphrase.
- `key_folder`: a State's roots, key statements and online private keys.
- `pin_file`: the pinned roots of other States.
- `backup`: seal keys, recoverable by m of n custodians.
"""
