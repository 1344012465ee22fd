// The keys of a list: they move the focus to the link of a row, and nothing else. The browser does the rest.

const KEYS_OFF = "keys of lists are off";

function keysAreOn() {
  return localStorage.getItem(KEYS_OFF) === null;
}

function isTypedInto(element) {
  return element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button])");
}

function rowsOf(table) {
  return [...table.tBodies].flatMap((body) => [...body.rows]).filter((row) => linkOf(row));
}

function linkOf(row) {
  return row.querySelector("th[scope=row] a[href]");
}

function moveBy(table, step) {
  const rows = rowsOf(table);
  const here = rows.indexOf(document.activeElement.closest?.("tbody tr"));
  const next = here < 0 ? (step > 0 ? 0 : rows.length - 1) : here + step;
  if (next >= 0 && next < rows.length) linkOf(rows[next]).focus(); // which scrolls it into view
  return rows.length > 0;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = event.target;
  if (isTypedInto(at) || document.querySelector("dialog[open], :popover-open") || at.closest("details.menu[open]")) return;
  let done = false;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const table = at.closest("[data-list] tbody tr")?.closest("table"); // elsewhere, arrows scroll
    done = !event.shiftKey && table != null && moveBy(table, event.key === "ArrowDown" ? 1 : -1);
  } else if (keysAreOn() && (event.key === "j" || event.key === "k")) {
    const table = (at.closest("[data-list]") ?? document.querySelector("[data-list]"))?.querySelector("table");
    done = table != null && moveBy(table, event.key === "j" ? 1 : -1);
  } else if (keysAreOn() && event.key === "/") {
    const field = document.querySelector("[data-search]");
    field?.focus();
    field?.select();
    done = field != null;
  }
  if (done) event.preventDefault();
});

// The help is shown where there are scripts, and is where the keys are switched off: some people speak to their computer.
function showKeys() {
  for (const help of document.querySelectorAll("[data-keys]")) {
    help.hidden = false;
    help.querySelector("[data-keys-on]").checked = keysAreOn();
  }
}
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-keys-on]")) return;
  if (event.target.checked) localStorage.removeItem(KEYS_OFF);
  else localStorage.setItem(KEYS_OFF, "yes");
});
document.addEventListener("htmx:load", showKeys);
showKeys();
