// Enhancements: the dialog, closing menus, and guards on irreversible actions. All pages also work without scripts.

// What this script says, in the page's language. English needs no catalogue.
const texts = JSON.parse(document.getElementById("texts")?.textContent ?? "{}");
const say = (text, values = {}) =>
  Object.entries(values).reduce((said, [name, value]) => said.replace(`{${name}}`, () => value), texts[text] ?? text);
const counted = (count) => count.toLocaleString(document.documentElement.lang);

// A link with data-dialog opens its page in the dialog.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (!link || !window.htmx || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  link.closest("details")?.removeAttribute("open");
  const dialog = document.getElementById("dialog");
  dialog.innerHTML =
    `<h2 id="dialog-title">${say("Reset course progress")}</h2><p class="loading" role="status">${say("Counting records …")}</p>` +
    `<p class="actions"><button type="button" data-close autofocus>${say("Cancel")}</button></p>`;
  if (!dialog.open) dialog.returnTo = link.closest("details")?.querySelector("summary") ?? link;
  if (!dialog.open) dialog.showModal();
  htmx.ajax("GET", link.href, { target: "#dialog", swap: "innerHTML" });
});

// Focus in a dialog that has just loaded: never the button that resets.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "dialog") return;
  const field = event.detail.target.querySelector("[autofocus]");
  field?.focus({ preventScroll: !field.hasAttribute("aria-invalid") }); // what is wrong is brought into view
  event.detail.target.scrollTop = 0; // on a small screen, the focused button is below the text to read first
});

// The same for the form on its own page: browsers scroll to the focused element, past the text to read first, perhaps
// before this script has loaded.
const cancel = document.querySelector("main form[data-irreversible] [autofocus]");
if (cancel) {
  cancel.focus({ preventScroll: true });
  scrollTo(0, 0);
}

// The dialog shows refusals, and requests without a response, in place of its content.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "dialog") return;
  if (event.detail.xhr.status >= 400 && event.detail.xhr.getResponseHeader("content-type")?.startsWith("text/html")) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});
for (const never of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(never, (event) => {
  if (event.detail.target.id !== "dialog") return;
  const asked = event.detail.requestConfig.verb === "post";
  event.detail.target.innerHTML =
    `<h2 id="dialog-title">${say("No response")}</h2><p>` +
    (asked
      ? say('The server did not respond. Check <a href="/resets">Resets</a> before you try again: the reset may have been requested.')
      : say("The server did not respond. Nothing was changed.")) +
    `</p><p class="actions"><button type="button" data-close>${say("Close")}</button></p>`;
  event.detail.target.querySelector("[data-close]").focus();
});

document.addEventListener("click", (event) => {
  const dialog = event.target.closest("[data-close]")?.closest("dialog");
  if (!dialog) return; // on a page of its own, Cancel is a link back
  event.preventDefault();
  dialog.close();
});

// The page of a reset keeps its content while the server does not respond, and keeps polling.
for (const [kind, away] of [["htmx:responseError", true], ["htmx:sendError", true], ["htmx:afterSwap", false]]) {
  document.addEventListener(kind, (event) => {
    if (event.detail.target?.id === "live" || event.detail.elt?.id === "live")
      document.getElementById("no-answer")?.toggleAttribute("hidden", !away);
  });
}

// The table of learners is replaced while a reset runs: it stays where the reader has scrolled it to.
let scrolled = 0;
document.addEventListener("htmx:oobBeforeSwap", () => {
  scrolled = document.getElementById("learners-table")?.scrollLeft ?? 0;
});
document.addEventListener("htmx:oobAfterSwap", () => {
  const table = document.getElementById("learners-table");
  if (table && scrolled) table.scrollLeft = scrolled;
});

// Announce the end of a reset once, not at each poll.
let announced = document.querySelector("#live [data-announce]")?.dataset.announce ?? "";
document.addEventListener("htmx:load", () => {
  const words = document.querySelector("#live [data-announce]")?.dataset.announce ?? "";
  if (words && words !== announced) announce(words);
  announced = words;
});

document.getElementById("dialog")?.addEventListener("close", (event) => {
  event.target.innerHTML = "";
  event.target.returnTo?.focus();
});

// Enter never triggers an irreversible action, not even on its button.
document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.("form[data-irreversible]");
  if (event.target.form && event.target.form !== form) return; // whom it is for, which belongs to another form
  if (event.key !== "Enter" || !form || event.target.matches("textarea, summary, select, a[href], [data-close]")) return;
  event.preventDefault();
  if (event.target.matches("button")) announce(form.dataset.irreversible || say("Enter has no effect here. Press Space to reset."));
});

// One request per click. A form sent by htmx gets a new button with its response.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button) return;
  setTimeout(() => { button.disabled = true; button.setAttribute("aria-busy", "true"); });
});
window.addEventListener("pageshow", () => {
  document.querySelectorAll("button[aria-busy]").forEach((button) => {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  });
});

// Enable the reset button once the code is typed; without this script, the server reports what is missing.
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-irreversible]");
  if (form) arm(form);
});
document.addEventListener("htmx:load", () => document.querySelectorAll("form[data-irreversible]").forEach(arm));

function arm(form) {
  const code = form.querySelector("[data-expected]");
  const button = form.querySelector("button.danger");
  const reason = form.querySelector("[name=reason]");
  const ready = (!code || code.value === code.dataset.expected) && (!reason || reason.value.trim() !== "");
  button.setAttribute("aria-disabled", String(!ready));
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[aria-disabled=true]");
  if (!button) return;
  event.preventDefault();
  const form = button.closest("form");
  const missing = [...form.querySelectorAll("[name=reason], [data-expected]")].find((field) =>
    field.dataset.expected ? field.value !== field.dataset.expected : field.value.trim() === "");
  missing?.focus();
  announce(missing?.dataset.missing ?? "");
});

// Report a file that is too large before sending it, which can take minutes. The server checks again.
document.addEventListener("change", (event) => {
  const field = event.target.closest?.("input[data-most-mb]");
  if (!field) return;
  const tooLarge = (field.files[0]?.size ?? 0) > Number(field.dataset.mostMb) * 1_000_000;
  field.setCustomValidity(tooLarge ? field.dataset.tooLarge : ""); // browsers do not submit a form with an invalid field
  if (tooLarge) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
  let message = field.parentElement.querySelector("[role=alert]");
  if (!message) {
    message = document.createElement("span");
    message.className = "hint wrong";
    message.setAttribute("role", "alert");
    field.after(message);
  }
  message.textContent = tooLarge ? field.dataset.tooLarge : "";
});

// Keep text in this tab until the server has it: the session may have expired, or the connection been lost.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("form[action='/sign-out']")) sessionStorage.clear();
  if (form.matches("form[data-draft]")) sessionStorage.setItem(draftOf(form), form.elements.body.value);
});

const SELECTED = "selected users of "; // and the id of the person who selected them

// A reset was asked for: the next selection of users begins with nobody.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-irreversible]")) return;
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(SELECTED)) sessionStorage.removeItem(key);
});

function draftOf(form) {
  return `draft ${form.dataset.draft} ${new URL(form.action).pathname}`;
}

for (const form of document.querySelectorAll("form[data-draft]")) {
  const arrived = new URLSearchParams(location.search).has("done") && form.closest(`[id="${location.hash.slice(1)}"]`);
  if (arrived) sessionStorage.removeItem(draftOf(form));
  const words = sessionStorage.getItem(draftOf(form));
  if (!words || form.elements.body.value) continue;
  form.elements.body.value = words;
  if (document.getElementById("error")) continue; // which comes first
  const section = form.closest("section");
  const note = document.createElement("p");
  note.className = "note warn";
  note.tabIndex = -1;
  note.append(say("Your text was not saved; it is back in its field."), " ");
  const link = document.createElement("a");
  link.href = `#${section.id}`;
  link.textContent = say("Go to “{title}”", { title: section.querySelector("h2").textContent });
  note.append(link, ".");
  document.getElementById("content").prepend(note);
  note.focus();
}

// Close menus on Escape, and on a click or focus elsewhere.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details.menu[open]");
  if (!menu) return;
  menu.removeAttribute("open");
  menu.querySelector("summary").focus();
});
document.addEventListener("click", (event) => {
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (!menu.contains(event.target)) menu.removeAttribute("open");
  });
});
document.addEventListener("focusin", (event) => {
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (!menu.contains(event.target)) menu.removeAttribute("open");
  });
});

// Users selected in the list stay selected on its other pages, in this tab, until a reset is planned for them.
const selection = document.querySelector("form[data-selection]");
if (selection) {
  const key = SELECTED + selection.dataset.selection;
  const chosen = new Set(JSON.parse(sessionStorage.getItem(key) ?? "[]"));
  for (const id of selection.elements.elsewhere.value.split(",")) if (id) chosen.add(id);
  const boxes = [...document.querySelectorAll("input[name=user][form=selection]")];
  const whole = document.querySelector("[data-select-page]");
  const none = selection.querySelector("[data-select-none]");
  const everyone = selection.elements.everyone;
  whole.hidden = false;
  for (const box of boxes) box.checked = chosen.has(box.value);
  const show = () => {
    const here = boxes.filter((box) => box.checked).length;
    whole.checked = here === boxes.length;
    whole.indeterminate = here > 0 && here < boxes.length;
    none.hidden = chosen.size === 0;
    const [count, others] = [counted(chosen.size), counted(chosen.size - here)];
    selection.querySelector("[data-selected]").textContent = everyone.checked
      ? say("All users that match are selected.")
      : chosen.size > here ? say("{count} selected, {others} of them on other pages.", { count, others })
      : chosen.size ? say("{count} selected.", { count }) : say("Select users in the list, or all that match.");
    selection.elements.elsewhere.value = [...chosen].join(",");
    sessionStorage.setItem(key, JSON.stringify([...chosen]));
  };
  const set = (box, on) => {
    box.checked = on;
    if (on) chosen.add(box.value);
    else chosen.delete(box.value);
  };
  for (const box of boxes) box.addEventListener("change", () => { set(box, box.checked); show(); });
  whole.addEventListener("change", () => { for (const box of boxes) set(box, whole.checked); show(); });
  everyone.addEventListener("change", show);
  none.addEventListener("click", () => {
    chosen.clear();
    for (const box of boxes) box.checked = false;
    show();
    whole.focus();
  });
  show();
}

function announce(words) {
  const announcer = document.querySelector("dialog[open] [role=status]") ?? document.getElementById("announcer");
  announcer.textContent = "";
  setTimeout(() => { announcer.textContent = words; });
}
