// Asks the browser for a passkey: to sign something with one, or to make one. Bytes are base64url in JSON.

// One sentence, in the language of the page where it has one.
function say(name, sentence) {
  return document.getElementById("desk-words")?.dataset[name] || sentence;
}

class PasskeyError extends Error {
  constructor(reason, sentence) {
    super(say(reason, sentence));
    this.name = "PasskeyError";
    this.reason = reason;
  }
}

function requireSupport() {
  if (!window.PublicKeyCredential || !navigator.credentials) {
    throw new PasskeyError("noPasskeys", "This browser has no passkeys. Use another browser, or another device.");
  }
}

function toBytes(text) {
  const padded = text.replace(/-/g, "+").replace(/_/g, "/").padEnd(Math.ceil(text.length / 4) * 4, "=");
  return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
}

function toText(buffer) {
  const characters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(characters).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function toDescriptors(ids) {
  return ids.map((id) => ({ type: "public-key", id: toBytes(id) }));
}

function toJson(credential, response) {
  return { id: credential.id, rawId: toText(credential.rawId), type: credential.type, response };
}

// A browser says the same of a passkey that is missing, one that took too long and one that was cancelled, on purpose.
async function ask(wait) {
  try {
    return await wait();
  } catch (error) {
    if (error.name === "InvalidStateError") {
      throw new PasskeyError("known", "This device has a passkey of this desk already. Use another device.");
    }
    if (error.name === "SecurityError") {
      throw new PasskeyError("otherHost", "The page is not under the name that passkeys are for. Open the desk's own address.");
    }
    throw new PasskeyError("cancelled", "The passkey was not used: you cancelled, it took too long, or this device has no passkey for this desk. Try again.");
  }
}

// Signs a challenge with a passkey. `credentials`: ids of those that may be used; none for any of this desk.
export async function getAssertion({ challenge, rp_id, credentials = [], signal }) {
  requireSupport();
  const publicKey = {
    challenge: toBytes(challenge),
    rpId: rp_id,
    allowCredentials: toDescriptors(credentials),
    userVerification: "required",
    timeout: 120000,
  };
  const credential = await ask(() => navigator.credentials.get({ publicKey, signal }));
  return toJson(credential, {
    clientDataJSON: toText(credential.response.clientDataJSON),
    authenticatorData: toText(credential.response.authenticatorData),
    signature: toText(credential.response.signature),
  });
}

// Makes a passkey. `algorithms`: COSE numbers, the preferred one first; `known`: credentials that the user has already.
export async function createPasskey({ challenge, rp_id, rp_name, user_id, user_name, algorithms, known = [] }) {
  requireSupport();
  const publicKey = {
    challenge: toBytes(challenge),
    rp: { id: rp_id, name: rp_name },
    user: { id: toBytes(user_id), name: user_name, displayName: user_name },
    pubKeyCredParams: algorithms.map((alg) => ({ type: "public-key", alg })),
    excludeCredentials: toDescriptors(known),
    authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
    attestation: "none",
    timeout: 300000,
  };
  const credential = await ask(() => navigator.credentials.create({ publicKey }));
  return toJson(credential, {
    clientDataJSON: toText(credential.response.clientDataJSON),
    attestationObject: toText(credential.response.attestationObject),
  });
}
