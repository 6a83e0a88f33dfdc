"""Passkeys of officers (W3C Web Authentication): what the register keeps of one, and whether one has signed something.

Pure: keys, challenges and answers of authenticators are arguments. `sharing.officers` keeps passkeys in the register;
`sharing.rulings` accepts a ruling that a passkey has signed.

- `faults`: why an answer of an authenticator is refused.
- `origin`: the origin of a desk, and the host name to which its passkeys are bound.
- `cose_key`: the public keys of the two algorithms, in their one form.
- `passkey`: a passkey, as the register keeps it.
- `browser_json`: the parts of what a browser sends.
- `client_data`: what the browser says: for what, on which page.
- `authenticator_data`: what the authenticator says: for which host name, and that its user was present and verified.
- `assertion`: what an authenticator signs with a passkey, and whether it counts.
- `registration`: a new passkey, as an authenticator has made it.
- `sign_in`: what an officer's passkey signs to sign in.
"""
