"use strict";
// Leafing through cases one at a time: filters, a search, two buttons, the keys ← and →, and an
// address for each. ids: of the cases; fits(index, name, value): whether a case passes a filter;
// text(index): what the search looks through; show(index): shows one case, -1 none of them.
const leafThrough = ({ ids, fits, text, show }) => {
  const viewer = document.getElementById("viewer");
  const form = document.getElementById("filters");
  const where = document.getElementById("where");
  const none = document.getElementById("none");
  const buttons = [...viewer.querySelectorAll("button[data-step]")];
  const fold = (words) => words.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const texts = new Map();
  const textOf = (index) => {
    if (!texts.has(index)) texts.set(index, fold(text(index)));
    return texts.get(index);
  };
  const everything = ids.map((_, index) => index);
  const count = (number) => number.toLocaleString("en");
  let found = everything;
  let at = 0;

  const go = (place, link = true) => {
    at = Math.max(0, Math.min(place, found.length - 1));
    const index = found.length ? found[at] : -1;
    show(index);
    none.hidden = found.length > 0;
    where.textContent = found.length ? `${count(at + 1)} of ${count(found.length)}` : "0 of 0";
    for (const button of buttons) {
      // Not `disabled`: a button that is disabled under the finger loses the keyboard's focus.
      button.setAttribute("aria-disabled", String(found[at + Number(button.dataset.step)] === undefined));
    }
    if (index >= 0 && link) history.replaceState(null, "", "#" + encodeURIComponent(ids[index]));
  };

  const filter = () => {
    const current = found[at];
    const fields = [...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
    const words = fields.filter(([name]) => name === "search").flatMap(([, value]) => fold(value).split(/\s+/));
    const others = fields.filter(([name]) => name !== "search");
    found = everything.filter((index) =>
      others.every(([name, value]) => fits(index, name, value)) && words.every((word) => textOf(index).includes(word)));
    go(Math.max(0, found.indexOf(current)));
  };

  const seen = () => {
    const box = viewer.getBoundingClientRect();
    return box.top < innerHeight && box.bottom > 0;
  };

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  for (const button of buttons) button.addEventListener("click", () => go(at + Number(button.dataset.step)));
  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || !seen()) return;
    if (event.target.closest("input, select, textarea, .scroll")) return;
    event.preventDefault();
    go(at + step);
  });
  // A link out of a table: only the cases that it counts.
  for (const link of document.querySelectorAll("a[data-filter]")) {
    link.addEventListener("click", () => {
      form.reset();
      for (const [name, value] of new URLSearchParams(link.dataset.filter)) form.elements[name].value = value;
      setTimeout(filter);
    });
  }

  viewer.classList.add("live");
  let linked = -1;
  try {
    linked = ids.indexOf(decodeURIComponent(location.hash.slice(1)));
  } catch {
    // Not an address of this page's making.
  }
  for (const part of viewer.querySelectorAll("[data-live]")) part.hidden = false;
  // The address of the page stays as it is until somebody leafs.
  go(linked, false);
  if (linked >= 0) viewer.scrollIntoView();
};
