// The page on which an invited officer makes a passkey.
import { createPasskey } from "./passkey.js";
import { request } from "./session.js";

const form = document.getElementById("enrol-invitation");
const invitation = document.getElementById("invitation");
const problem = document.getElementById("enrol-error");
let options = null;

function show(name) {
  document.getElementById(`enrol-${name}`).hidden = false;
  document.getElementById(`enrol-${name}-title`).focus();
}

async function post(path, fields) {
  const answer = await request(path, { method: "POST", form: new URLSearchParams(fields) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`${said.error} ${said.remedy}`);
  return said;
}

async function doOnce(button, work) {
  problem.hidden = true;
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    document.getElementById("enrol-message").textContent = error.message;
    problem.hidden = false;
    problem.focus();
  } finally {
    button.disabled = false;
  }
}

async function checkInvitation() {
  options = await post("/enrol/invitation", { invitation: invitation.value });
  document.getElementById("enrol-officer").textContent = options.officer;
  show("make");
}

async function makePasskey() {
  const credential = await createPasskey(options);
  const made = await post("/enrol/passkey", {
    invitation: invitation.value,
    credential: JSON.stringify(credential),
  });
  document.getElementById("enrol-file").value = made.file;
  document.getElementById("enrol-fingerprint").textContent = made.fingerprint;
  form.hidden = true;
  document.getElementById("enrol-make").hidden = true;
  show("done");
}

// The invitation of a link stays out of the history, and of what the browser tells the desk about addresses.
if (location.hash.length > 1) {
  invitation.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}
form.hidden = false;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  event.stopPropagation();
  doOnce(form.querySelector("button"), checkInvitation);
});

document.getElementById("enrol-make-button").addEventListener("click", (event) => {
  doOnce(event.currentTarget, makePasskey);
});
