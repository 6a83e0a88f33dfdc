"""Trust between States: roots that others pin, the online keys that a root names, and signatures.

Pure: randomness and time are arguments, and documents are bytes. `sharing.keystore` has the files.

- `canonical`: the canonical form of every signed document.
- `public_keys`: algorithms, roles, ids of keys.
- `key_pairs`: the public key of a private key.
- `signatures`: what exactly is signed, and the one interface of a private key.
- `documents`: a signed document: its content and its signatures.
- `root`: the root of a State, and the chain from a pinned root to the newest one.
- `online_key`: an online key as it is stated, and its revocation.
- `key_statement`: the online keys that a root names, their successors and revocations.
- `readers`: the programs that may open a State's inbox.
- `verification`: whether an object was signed by a key that was named for such objects.
- `ceremonies`: what a State's own root holders make: new roots, key statements, revocations.
"""
