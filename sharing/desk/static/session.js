// The session of this browser: who is signed in, the token of its requests, and signing in again within a page.
import { getAssertion } from "./passkey.js";

const words = document.getElementById("desk-words")?.dataset ?? {};

export function readToken() {
  return document.querySelector('meta[name="desk-csrf"]')?.content ?? "";
}

// The officer whose page this is; undefined on a page of nobody. What it shows, another officer may not see or do.
const owner = document.getElementById("sign-in-dialog")?.dataset.officer;

function replaceToken(token, officer) {
  if (owner && officer && officer !== owner) return; // forms of this page are not sent as somebody else
  const meta = document.querySelector('meta[name="desk-csrf"]');
  if (meta) meta.content = token;
  for (const field of document.querySelectorAll('input[name="csrf"]')) field.value = token;
}

async function send(url, { method = "GET", json, form, headers = {} } = {}) {
  const all = { Accept: "application/json", ...headers };
  if (method !== "GET") all["X-CSRF-Token"] = readToken();
  let body = form;
  if (json !== undefined) {
    all["Content-Type"] = "application/json";
    body = JSON.stringify(json);
  }
  try {
    return await fetch(url, { method, headers: all, body, credentials: "same-origin", redirect: "follow" });
  } catch {
    throw new Error(words.failed);
  }
}

async function readError(response) {
  try {
    const told = await response.json();
    return [told.error, told.remedy].filter(Boolean).join(" ");
  } catch {
    return words.failed;
  }
}

// Returns {officer, csrf}: officer is null if nobody is signed in.
export async function readSession() {
  const response = await send("/session");
  if (!response.ok) throw new Error(await readError(response));
  const session = await response.json();
  replaceToken(session.csrf, session.officer);
  return session;
}

// Signs in with a passkey of this desk; returns the id of the officer. Throws an Error whose message is a sentence.
export async function signIn() {
  await readSession();
  const asked = await send("/sign-in/challenge", { method: "POST" });
  if (!asked.ok) throw new Error(await readError(asked));
  const challenge = await asked.json();
  const assertion = await getAssertion({ challenge: challenge.challenge, rp_id: challenge.rp_id, credentials: [] });
  const language = document.documentElement.lang; // as this page is, also if the session is a new one
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const answer = await send("/sign-in", { method: "POST", json: { id: challenge.id, assertion, language, zone } });
  if (!answer.ok) throw new Error(await readError(answer));
  const session = await answer.json();
  replaceToken(session.csrf, session.officer);
  return session.officer;
}

let waiting = null;

// Shows the dialog to sign in again, once however many ask. Resolves to true if the same officer has signed in.
export function signInAgain() {
  waiting ??= ask().finally(() => { waiting = null; });
  return waiting;
}

function ask() {
  const dialog = document.getElementById("sign-in-dialog");
  if (!dialog?.showModal) return Promise.resolve(false);
  const message = dialog.querySelector("[data-message]");
  const button = dialog.querySelector("[data-sign-in]");
  const say = (text) => { message.textContent = text; message.hidden = !text; };
  say("");
  return new Promise((resolve) => {
    const end = (result) => {
      button.removeEventListener("click", tryOnce);
      dialog.removeEventListener("close", onClose);
      if (dialog.open) dialog.close();
      resolve(result);
    };
    const onClose = () => end(false);
    const tryOnce = async () => {
      button.disabled = true;
      say(words.signing);
      try {
        const officer = await signIn();
        if (officer === dialog.dataset.officer) end(true);
        else say(words.other);
      } catch (error) {
        say(error.message);
      } finally {
        button.disabled = false;
      }
    };
    button.addEventListener("click", tryOnce);
    dialog.addEventListener("close", onClose);
    dialog.showModal();
    button.focus();
  });
}

// Sends a request as a page of the desk. If the session has ended, asks to sign in again and then repeats it.
export async function request(url, options = {}) {
  const response = await send(url, options);
  if (response.status !== 401 || !(await signInAgain())) return response;
  return send(url, options);
}
