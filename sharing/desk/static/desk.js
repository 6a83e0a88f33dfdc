// What every page does: it keeps what was typed when a session has ended, hears of changes, and takes keys.
import { readSession, readToken, request, signIn, signInAgain } from "./session.js";

const words = document.getElementById("desk-words")?.dataset ?? {};
const pageTitle = document.title;
const SENDING_MS = 5_000; // the answer may be a file, with which this page stays

// An emergency stands in the title, where it is seen from another tab.
function showEmergencies() {
  const banner = document.querySelector("#desk-broker [data-emergencies]");
  const count = Number(banner?.dataset.emergencies ?? 0);
  document.title = count > 0 ? `(${count}) ${words.emergency} – ${pageTitle}` : pageTitle;
}

// The zone of the browser, told once: times are shown in it from the next page on.
async function tellZone() {
  const known = document.querySelector('meta[name="desk-zone"]')?.content;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!known || !zone || known === zone) return;
  await request("/time-zone", { method: "POST", form: new URLSearchParams({ zone }) });
}

function showNotice(text) {
  const notice = document.getElementById("desk-notice");
  notice.replaceChildren();
  if (!text) return;
  const box = document.createElement("p");
  box.className = "error-summary";
  box.textContent = text;
  notice.append(box);
  notice.scrollIntoView({ block: "nearest" });
}

// A form is sent once the session is known to be alive. So what was typed is still on the page if it is not.
async function sendForm(form, submitter) {
  if (form.dataset.sending) return;
  form.dataset.sending = "true";
  try {
    const session = await readSession();
    if (session.officer === null && !(await signInAgain())) {
      showNotice(words.ended);
      return;
    }
    if (session.officer !== null && session.officer !== document.getElementById("sign-in-dialog").dataset.officer) {
      showNotice(words.other);
      return;
    }
    form.dataset.checked = "true";
    form.requestSubmit(submitter);
  } catch (error) {
    showNotice(error.message || words.failed);
  } finally {
    if (!form.dataset.checked) delete form.dataset.sending;
  }
}

function onSubmit(event) {
  const form = event.target;
  const isOwn = form.method === "post" && !form.matches("[data-no-resume], [data-ruling], [data-kept], [hx-post]");
  if (!isOwn || !document.getElementById("sign-in-dialog") || event.defaultPrevented) return;
  if (form.dataset.checked) {
    delete form.dataset.checked; // it goes out now; `sending` stays for a while, so a second click sends nothing twice
    setTimeout(() => delete form.dataset.sending, SENDING_MS);
    return;
  }
  event.preventDefault();
  sendForm(form, event.submitter ?? undefined);
}

// The page on which an officer signs in, and the page that keeps a form of a session that has ended.
function offerSignIn(button, message, then) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    message.hidden = false;
    message.textContent = words.signing;
    try {
      await signIn();
      message.hidden = true;
      then();
    } catch (error) {
      message.textContent = error.message || words.failed;
    } finally {
      button.disabled = false;
    }
  });
}

function findRows() {
  return [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
}

function findCurrentRow() {
  return document.activeElement?.closest?.("[data-row]") ?? document.querySelector("[data-row].row-current");
}

function moveTo(step) {
  const rows = findRows();
  if (!rows.length) return;
  const place = rows.indexOf(findCurrentRow());
  const row = rows[Math.min(Math.max(place + step, 0), rows.length - 1)] ?? rows[0];
  for (const each of rows) each.classList.toggle("row-current", each === row);
  const target = row.matches("a, button, [tabindex]") ? row : row.querySelector("a, button, input, [tabindex]");
  (target ?? row).focus();
  row.scrollIntoView({ block: "nearest" });
}

function press(key) {
  const row = findCurrentRow();
  const selector = `[data-key="${CSS.escape(key)}"]`;
  const target = row?.querySelector(selector) ?? document.querySelector(`main ${selector}, dialog[open] ${selector}`);
  if (!target) return false;
  if (target.matches("input, select, textarea")) target.focus();
  else target.click();
  return true;
}

function onKey(event) {
  const isTyping = event.target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "j") moveTo(1);
  else if (event.key === "k") moveTo(-1);
  else if (event.key === "?") document.getElementById("keys-dialog")?.showModal();
  else if (event.key === "Enter" && event.target.matches("[data-row]")) event.target.querySelector("a")?.click();
  else if (event.key.length !== 1 || !press(event.key)) return;
  event.preventDefault();
}

function listenToHtmx() {
  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRF-Token"] = readToken();
  });
  document.addEventListener("htmx:afterSettle", showEmergencies);
  document.addEventListener("htmx:responseError", async (event) => {
    const { xhr, requestConfig, elt, target } = event.detail;
    if (xhr.status !== 401 || !(await signInAgain())) return;
    const values = Object.fromEntries(requestConfig.formData?.entries?.() ?? []);
    delete values.csrf;
    window.htmx.ajax(requestConfig.verb, requestConfig.path, { source: elt, target: requestConfig.target ?? target, values });
  });
  document.addEventListener("htmx:sendError", () => showNotice(words.failed));
  document.addEventListener("sse:session", () => signInAgain());
}

function start() {
  const signInButton = document.getElementById("sign-in-button");
  if (signInButton) {
    const next = signInButton.dataset.next;
    offerSignIn(signInButton, document.getElementById("sign-in-message"), () => location.assign(next));
  }
  const kept = document.querySelector("[data-kept]");
  if (kept) {
    offerSignIn(kept.querySelector("[data-sign-in-and-send]"), kept.querySelector("[data-message]"), () => kept.submit());
  }
  for (const button of document.querySelectorAll("dialog [data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  document.addEventListener("submit", onSubmit);
  document.addEventListener("keydown", onKey);
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.forms) delete form.dataset.sending; // the page was left and has come back
    readSession().catch(() => {});
  });
  listenToHtmx();
  showEmergencies();
  document.querySelector("[data-focus]")?.focus();
  tellZone().catch(() => {});
}

if (!document.documentElement.dataset.deskStarted) {
  document.documentElement.dataset.deskStarted = "true"; // a second import of this module does nothing
  start();
}
