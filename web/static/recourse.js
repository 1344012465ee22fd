// What pages do beyond HTML: the dialog, menus that close, and guards on what cannot be undone. Everything works without.

// A link with data-dialog opens its page's content in the dialog, in place of going there.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (!link || !window.htmx || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  link.closest("details")?.removeAttribute("open");
  const dialog = document.getElementById("dialog");
  dialog.innerHTML =
    '<h2 id="dialog-title">Reset course progress</h2><p class="loading" role="status">Counting what would go …</p>' +
    '<p class="actions"><button type="button" data-close autofocus>Cancel</button></p>';
  if (!dialog.open) dialog.returnTo = link.closest("details")?.querySelector("summary") ?? link;
  if (!dialog.open) dialog.showModal();
  htmx.ajax("GET", link.href, { target: "#dialog", swap: "innerHTML" });
});

// What has the focus in a dialog that has just come: never the button that does it.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "dialog") return;
  event.detail.target.querySelector("[autofocus]")?.focus({ preventScroll: true });
  event.detail.target.scrollTop = 0; // on a small screen, the button is below what is to be read first
});

// On a page of its own as well: the browser scrolls to what has the focus, past what is to be read first. It may have
// done so already, where the page was painted before this script came.
const cancel = document.querySelector("main form[data-irreversible] [autofocus]");
if (cancel) {
  cancel.focus({ preventScroll: true });
  scrollTo(0, 0);
}

// In the dialog a refusal is shown where the answer would have been; so is an answer that never came.
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
    '<h2 id="dialog-title">No answer</h2><p>The server did not answer. ' +
    (asked ? 'Look at <a href="/resets">Resets</a> whether it was written down before you try again.' : "Nothing was changed.") +
    '</p><p class="actions"><button type="button" data-close>Close</button></p>';
  event.detail.target.querySelector("[data-close]").focus();
});

document.addEventListener("click", (event) => {
  const dialog = event.target.closest("[data-close]")?.closest("dialog");
  if (!dialog) return; // on a page of its own, Cancel is a link that leads back
  event.preventDefault();
  dialog.close();
});

// A reset's page keeps what it shows while nobody answers, and goes on asking.
for (const [kind, away] of [["htmx:responseError", true], ["htmx:sendError", true], ["htmx:afterSwap", false]]) {
  document.addEventListener(kind, (event) => {
    if (event.detail.target?.id === "live" || event.detail.elt?.id === "live")
      document.getElementById("no-answer")?.toggleAttribute("hidden", !away);
  });
}

// The end of a reset is said once, not at each look.
let said = document.querySelector("#live [data-announce]")?.dataset.announce ?? "";
document.addEventListener("htmx:load", () => {
  const words = document.querySelector("#live [data-announce]")?.dataset.announce ?? "";
  if (words && words !== said) announce(words);
  said = words;
});

document.getElementById("dialog")?.addEventListener("close", (event) => {
  event.target.innerHTML = "";
  event.target.returnTo?.focus();
});

// Enter never triggers what cannot be undone, not even on the button itself.
document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.("form[data-irreversible]");
  if (event.key !== "Enter" || !form || event.target.matches("textarea, summary, select, a[href], [data-close]")) return;
  event.preventDefault();
  if (event.target.matches("button")) announce(`Enter does nothing here. Press Space to ${form.dataset.irreversible || "reset"}.`);
});

// One click, one request. What htmx sends itself is answered in place, with a new button.
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

// The button that resets is usable once the code is typed; without this script the server says what is missing.
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

// A file that is too large is told before it is sent, which can take minutes. The server looks again.
document.addEventListener("change", (event) => {
  const field = event.target.closest?.("input[data-most-mb]");
  if (!field) return;
  const tooLarge = (field.files[0]?.size ?? 0) > Number(field.dataset.mostMb) * 1_000_000;
  field.setCustomValidity(tooLarge ? field.dataset.tooLarge : ""); // the browser sends no form with such a field
  if (tooLarge) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
  let told = field.parentElement.querySelector("[role=alert]");
  if (!told) {
    told = document.createElement("span");
    told.className = "hint wrong";
    told.setAttribute("role", "alert");
    field.after(told);
  }
  told.textContent = tooLarge ? field.dataset.tooLarge : "";
});

// What was written is kept in this tab until it has arrived: a sign-in may have ended meanwhile, or a line gone.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("form[action='/sign-out']")) sessionStorage.clear();
  if (form.matches("form[data-draft]")) sessionStorage.setItem(draftOf(form), form.elements.body.value);
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
  if (document.getElementById("error")) continue; // which is said first
  const section = form.closest("section");
  const note = document.createElement("p");
  note.className = "note warn";
  note.tabIndex = -1;
  note.append("What you wrote did not arrive, and is back in its field. ");
  const link = document.createElement("a");
  link.href = `#${section.id}`;
  link.textContent = `Go to “${section.querySelector("h2").textContent}”`;
  note.append(link, ".");
  document.getElementById("content").prepend(note);
  note.focus();
}

// Menus close on Escape, and when one goes elsewhere.
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

function announce(words) {
  const announcer = document.querySelector("dialog[open] [role=status]") ?? document.getElementById("announcer");
  announcer.textContent = "";
  setTimeout(() => { announcer.textContent = words; });
}
