// Every page of the form works without this: it adds a quicker way out, suggestions, and saving while one writes.
import { initAll } from "./vendor/govuk-frontend.min.js";

const WAIT_MS = 400;
const AUTOSAVE_MS = 5000;
const PRESSES = 3;
const PRESS_MS = 5000;
const FEWEST_LETTERS = 3;

initAll();
prepareLeaving(document.querySelector("[data-leave]"));
for (const form of document.querySelectorAll("[data-autosave]")) prepareAutosave(form);
for (const box of document.querySelectorAll("[data-services]")) prepareServices(box);

// Out at once: the page is hidden first, and this page's place in the history is taken by the other one.
function prepareLeaving(link) {
  if (!link) return;
  const status = document.querySelector("[data-leave-status]");
  let presses = 0;
  let timer = 0;
  const leave = () => {
    document.title = " ";
    document.body.className += " form-leaving";
    window.location.replace(link.href);
  };
  link.addEventListener("click", (event) => {
    event.preventDefault();
    leave();
  });
  const forget = () => {
    presses = 0;
    status.textContent = "";
  };
  let isCapital = false;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Shift") return;
    // Shift with another key is a capital letter, and any other key begins the count anew.
    isCapital = event.shiftKey;
    forget();
  });
  document.addEventListener("keyup", (event) => {
    if (event.key !== "Shift") return;
    if (isCapital) {
      isCapital = false;
      return;
    }
    presses += 1;
    window.clearTimeout(timer);
    timer = window.setTimeout(forget, PRESS_MS);
    if (presses >= PRESSES) {
      status.textContent = link.dataset.leaving;
      leave();
    } else {
      status.textContent = presses === 1 ? link.dataset.twoMore : link.dataset.oneMore;
    }
  });
  // A page that comes back from the browser's memory after leaving must not show what was written.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });
}

function send(address, values) {
  return fetch(address, { method: "POST", body: new URLSearchParams(values), credentials: "same-origin" });
}

function tokenOf(form) {
  return form.querySelector("input[name=token]").value;
}

function prepareAutosave(form) {
  const note = form.querySelector("[data-saved]");
  let timer = 0;
  let isSending = false;
  const save = async () => {
    if (isSending) return;
    const values = Object.fromEntries([...new FormData(form)].filter(([, value]) => typeof value === "string"));
    try {
      const answer = await send(form.dataset.autosave, { ...values, step: form.dataset.step });
      note.textContent = answer.ok ? note.dataset.saved : "";
    } catch {
      note.textContent = "";
    }
  };
  form.addEventListener("input", () => {
    note.textContent = "";
    window.clearTimeout(timer);
    timer = window.setTimeout(save, AUTOSAVE_MS);
  });
  form.addEventListener("submit", () => {
    isSending = true;
    window.clearTimeout(timer);
  });
}

// A combobox after the ARIA Authoring Practices: the field keeps the focus, arrows choose, Escape closes.
function prepareServices(box) {
  const input = box.querySelector("input");
  const list = document.createElement("ul");
  const status = document.createElement("p");
  let timer = 0;
  let asked = 0;
  let current = -1;
  list.id = "service-list";
  list.className = "form-services__list";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", box.dataset.label);
  status.className = "govuk-visually-hidden";
  status.setAttribute("role", "status");
  box.append(list, status);
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");

  const close = () => {
    list.hidden = true;
    current = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = (option) => {
    input.value = option.textContent;
    status.textContent = "";
    close();
  };
  const mark = (number) => {
    current = number;
    [...list.children].forEach((option, place) => option.setAttribute("aria-selected", String(place === number)));
    input.setAttribute("aria-activedescendant", list.children[number].id);
    list.children[number].scrollIntoView({ block: "nearest" });
  };
  const show = (services) => {
    list.replaceChildren(...services.map((service, number) => {
      const option = document.createElement("li");
      option.id = `service-${number}`;
      option.className = "form-services__option";
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.textContent = [service.name, service.town].filter(Boolean).join(", ");
      // Before the field loses the focus, which would close the list.
      option.addEventListener("mousedown", (event) => {
        event.preventDefault();
        choose(option);
      });
      return option;
    }));
    close();
    list.hidden = services.length === 0;
    input.setAttribute("aria-expanded", String(services.length > 0));
    status.textContent = services.length === 0 ? box.dataset.none
      : services.length === 1 ? box.dataset.one : box.dataset.many.replace("%{count}", String(services.length));
  };
  const ask = async () => {
    const words = input.value.trim();
    const number = ++asked;
    if (words.length < FEWEST_LETTERS) {
      close();
      return;
    }
    try {
      const answer = await send(box.dataset.services, { q: words, token: tokenOf(input.form) });
      // Only the answer to the latest question counts, and none once the field was left.
      if (answer.ok && number === asked && document.activeElement === input) show((await answer.json()).services);
    } catch {
      close();
    }
  };
  input.addEventListener("input", () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(ask, WAIT_MS);
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const count = list.hidden ? 0 : list.children.length;
    if (event.key === "Escape") {
      // Nor may an answer that is on its way open the list again.
      window.clearTimeout(timer);
      asked += 1;
      close();
    }
    else if (event.key === "Enter" && count && current >= 0) choose(list.children[current]);
    else if (event.key === "ArrowDown" && count) mark((current + 1) % count);
    else if (event.key === "ArrowUp" && count) mark(current <= 0 ? count - 1 : current - 1);
    else return;
    if (event.key !== "Escape") event.preventDefault();
  });
}
