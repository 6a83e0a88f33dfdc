// Rulings: says what will be done, asks for the passkey, sends the signature once, and tells what became of it.
// A form with `data-ruling` is all that a page needs. Nothing that was typed is lost, whatever goes wrong.
import { getAssertion } from "./passkey.js";
import { request } from "./session.js";

const LOOK_MS = 2_000;
const LOOKS_MAX = 300;

class RulingError extends Error {
  constructor(answer, status) {
    super([answer.error, answer.remedy].filter(Boolean).join(" "));
    this.field = answer.field ?? "";
    this.again = Boolean(answer.again);
    this.words = answer.words ?? {};
    this.status = status;
  }
}

async function read(response) {
  const answer = await response.json().catch(() => ({ error: response.statusText || "?" }));
  if (!response.ok) throw new RulingError(answer, response.status);
  return answer;
}

async function post(url, form) {
  return read(await request(url, { method: "POST", form }));
}

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function makeList(lines) {
  return make("ul", {}, ...lines.map((line) => make("li", { textContent: line })));
}

function isBusy(form) {
  return form.getAttribute("aria-busy") === "true";
}

// Errors: a summary first, with a link to the field, and the same sentence at the field.

function clearErrors(form) {
  for (const element of form.querySelectorAll("[data-ruling-error]")) element.remove();
  for (const field of form.querySelectorAll(".field-wrong[data-ruling-wrong]")) {
    field.classList.remove("field-wrong");
    delete field.dataset.rulingWrong;
  }
  for (const control of form.querySelectorAll("[data-ruling-invalid]")) {
    control.removeAttribute("aria-invalid");
    const described = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id !== control.dataset.rulingInvalid);
    if (described.some(Boolean)) control.setAttribute("aria-describedby", described.join(" ").trim());
    else control.removeAttribute("aria-describedby");
    delete control.dataset.rulingInvalid;
  }
}

function findControl(form, name) {
  return name ? [...form.elements].find((each) => each.name === name && each.type !== "hidden") : undefined;
}

function markField(form, control, sentence) {
  const field = control.closest(".field") ?? control.parentElement;
  const id = `${control.id || control.name}-ruling-error`;
  const message = make("p", { className: "field-error", id, textContent: sentence });
  message.dataset.rulingError = "true";
  const label = field.querySelector("legend, label");
  if (label) label.after(message);
  else field.prepend(message);
  field.classList.add("field-wrong");
  field.dataset.rulingWrong = "true";
  control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-describedby", `${control.getAttribute("aria-describedby") ?? ""} ${id}`.trim());
  control.dataset.rulingInvalid = id;
}

function showError(form, error, sendAgain) {
  const control = findControl(form, error.field);
  const title = error.words?.problem ?? "";
  const box = make("div", { className: "error-summary", tabIndex: -1 });
  box.dataset.rulingError = "true";
  box.setAttribute("role", "alert");
  if (title) box.append(make("h2", { textContent: title }));
  if (control) {
    if (!control.id) control.id = `ruling-${control.name}-${Math.random().toString(36).slice(2)}`;
    box.append(make("p", {}, make("a", { href: `#${control.id}`, textContent: error.message })));
    markField(form, control, error.message);
  } else {
    box.append(make("p", { textContent: error.message }));
  }
  if (sendAgain) {
    const button = make("button", { type: "button", className: "button", textContent: error.words?.again ?? "↻" });
    button.addEventListener("click", () => run(form, sendAgain));
    box.append(make("p", {}, button));
  }
  (form.querySelector("[data-ruling-errors]") ?? form).prepend(box);
  box.focus();
}

// The dialog that says what will be done, before the passkey is asked for.

function confirmRuling(prepared) {
  const { words } = prepared;
  const dialog = make("dialog", { className: "ruling-dialog" });
  const heading = make("h2", { id: "ruling-dialog-title", textContent: words.title });
  const sign = make("button", { type: "button", className: "button", textContent: words.sign });
  const cancel = make("button", { type: "button", className: "button button-secondary", textContent: words.cancel });
  const payload = make("details", {}, make("summary", { textContent: words.payload }));
  payload.append(make("pre", { className: "typed", tabIndex: 0, textContent: JSON.stringify(prepared.payload, null, 2) }));
  dialog.setAttribute("aria-labelledby", heading.id);
  dialog.append(heading, makeList(prepared.summary), payload, make("div", { className: "actions" }, sign, cancel));
  document.body.append(dialog);
  return new Promise((resolve) => {
    const end = (result) => {
      dialog.remove();
      resolve(result);
    };
    sign.addEventListener("click", () => end(true));
    cancel.addEventListener("click", () => end(false));
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      end(false);
    });
    dialog.showModal();
    sign.focus();
  });
}

// What became of it.

function findOutcomePlace(form) {
  const place = document.querySelector("[data-ruling-outcome]");
  if (place) return place;
  const made = make("div");
  made.dataset.rulingOutcome = "true";
  form.before(made);
  return made;
}

function showReport(panel, report) {
  panel.dataset.status = report.status;
  // What was open is not any more: until when it is to be answered, and by what.
  const isOver = report.status === "DONE" && panel.dataset.ends === "true";
  for (const each of document.querySelectorAll("[data-while-open]")) each.hidden = isOver;
  panel.classList.toggle("panel-refused", report.status === "REFUSED" || report.status === "PARTLY");
  const link = make("a", { href: report.url, textContent: report.words.follow });
  panel.replaceChildren(make("h2", { textContent: report.headline }), makeList(report.lines), make("p", {}, link));
}

async function follow(panel, report) {
  for (let look = 0; look < LOOKS_MAX && report.status === "WAITING" && panel.isConnected; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    try {
      const answer = await request(report.url, { headers: { "X-Desk-Background": "1" } });
      if (!answer.ok) continue; // the broker, or the session: the panel stays as it is
      const next = await answer.json();
      if (next.status !== report.status || next.lines.length !== report.lines.length) showReport(panel, next);
      report = next;
    } catch {
      // The desk cannot be reached for a moment.
    }
  }
}

function finish(form, report) {
  const panel = make("div", { className: "panel", tabIndex: -1 });
  panel.setAttribute("role", "status");
  findOutcomePlace(form).replaceChildren(panel);
  const group = form.closest("[data-ruling-group]");
  const stays = form.hasAttribute("data-ruling-stays"); // after a claim, the Ask can still be answered
  panel.dataset.ends = String(Boolean(group) && !stays);
  showReport(panel, report);
  if (!stays) (group ?? form).hidden = true; // a group has the other answers to the same Ask
  panel.focus();
  panel.scrollIntoView({ block: "nearest" });
  follow(panel, report);
}

async function prepareAndSign(form, submitter) {
  const prepared = await post("/rulings/prepare", new URLSearchParams(new FormData(form, submitter)));
  if (!(await confirmRuling(prepared))) return null;
  const assertion = await getAssertion(prepared);
  return { url: `/rulings/${encodeURIComponent(prepared.id)}`, assertion: JSON.stringify(assertion), next: prepared.next };
}

// One signature has room for some Asks only. The form stays as it was filled in, and goes on with the next ones.
function offerNext(form, next, words) {
  const text = `${words.next} (${next.left})`;
  const button = make("button", { type: "button", className: "button", textContent: text });
  button.addEventListener("click", () => {
    form.querySelector('input[name="ask"]').value = next.ask;
    form.querySelector('input[name="nonce"]').value = next.nonce;
    const group = form.closest("[data-ruling-group]");
    if (group) group.hidden = false; // what is wrong now is said in the form
    form.hidden = false;
    form.requestSubmit();
  });
  findOutcomePlace(form).append(make("p", {}, button));
}

async function send(form, url, fields, next) {
  try {
    const report = await post(url, new URLSearchParams(fields));
    finish(form, report);
    if (next) offerNext(form, next, report.words);
  } catch (error) {
    const base = url.replace(/\/again$/, "");
    // The same signed ruling goes out again: it counts once.
    showError(form, error, error.again ? () => send(form, `${base}/again`, {}, next) : undefined);
  }
}

async function run(form, work) {
  if (isBusy(form)) return;
  form.setAttribute("aria-busy", "true");
  clearErrors(form);
  try {
    await work();
  } catch (error) {
    showError(form, error);
  } finally {
    form.removeAttribute("aria-busy");
    document.dispatchEvent(new CustomEvent("ruling:end"));
  }
}

function onSubmit(event) {
  const form = event.target;
  if (!form.matches("form[data-ruling]")) return;
  event.preventDefault();
  run(form, async () => {
    const signed = await prepareAndSign(form, event.submitter ?? undefined);
    if (signed) await send(form, signed.url, { assertion: signed.assertion }, signed.next);
  });
}

if (!document.documentElement.dataset.rulingStarted) {
  document.documentElement.dataset.rulingStarted = "true"; // a second import of this module does nothing
  document.addEventListener("submit", onSubmit);
}
