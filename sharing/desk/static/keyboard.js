// Keeps an officer's place in the list of Asks when its rows are fetched again. The keys themselves are in desk.js.
const LIST = "ask-rows";
let place = null;
let isWaiting = false;

function findRows() {
  return [...document.querySelectorAll(`#${LIST} [data-row]`)];
}

// Rows are not replaced under a ruling that is being signed: they are fetched again when it is done.
function isRuling() {
  return document.querySelector(`#${LIST} form[aria-busy="true"], dialog.ruling-dialog[open]`) !== null;
}

function remember() {
  const active = document.activeElement;
  const row = active?.closest?.("[data-row]") ?? document.querySelector(`#${LIST} .row-current`);
  if (!row) return null;
  const hasFocus = row.contains(active);
  return { ask: row.dataset.ask, index: findRows().indexOf(row), key: hasFocus ? (active.dataset.key ?? "") : null, hasFocus };
}

function restore({ ask, index, key, hasFocus }) {
  const rows = findRows();
  const row = rows.find((each) => each.dataset.ask === ask) ?? rows[Math.min(index, rows.length - 1)];
  if (!row) return;
  row.classList.add("row-current");
  if (!hasFocus) return;
  const target = (key && row.querySelector(`[data-key="${CSS.escape(key)}"]`)) || row.querySelector("a");
  target?.focus({ preventScroll: true });
}

function isList(event) {
  return event.detail.target?.id === LIST;
}

document.addEventListener("htmx:beforeSwap", (event) => {
  if (!isList(event)) return;
  if (isRuling()) {
    event.detail.shouldSwap = false;
    isWaiting = true;
    return;
  }
  place = remember();
});

document.addEventListener("htmx:afterSettle", () => {
  if (place) restore(place);
  place = null;
});

document.addEventListener("ruling:end", () => {
  if (!isWaiting) return;
  isWaiting = false;
  window.htmx?.trigger(`#${LIST}`, "refresh");
});
