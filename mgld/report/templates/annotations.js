"use strict";
(() => {
  const viewer = document.getElementById("viewer");
  if (!viewer) return;
  const cards = [...viewer.querySelectorAll("article")];
  const form = document.getElementById("filters");
  const where = document.getElementById("where");
  const none = document.getElementById("none");
  const buttons = [...viewer.querySelectorAll("button[data-step]")];
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const texts = new Map();
  const textOf = (card) => {
    if (!texts.has(card)) texts.set(card, fold(card.dataset.name + " " + card.textContent));
    return texts.get(card);
  };
  let found = cards;
  let at = 0;

  const fits = (card, fields) =>
    fields.every(([name, value]) => {
      if (value === "") return true;
      if (name === "search") return fold(value).split(/\s+/).every((word) => textOf(card).includes(word));
      if (name === "label" || name === "gldv2") return value === card.dataset[name];
      return card.dataset[name].split(" ").includes(value);
    });

  const show = (index, link = true) => {
    at = Math.max(0, Math.min(index, found.length - 1));
    const current = found[at];
    for (const card of cards) card.hidden = card !== current;
    none.hidden = found.length > 0;
    where.textContent = current ? `${(at + 1).toLocaleString("en")} of ${found.length.toLocaleString("en")}` : "0 of 0";
    for (const button of buttons) {
      // Not `disabled`: a button that is disabled under the finger loses the keyboard's focus.
      button.setAttribute("aria-disabled", String(!found[at + Number(button.dataset.step)]));
    }
    if (current && link) history.replaceState(null, "", "#" + current.id);
  };

  const filter = () => {
    const current = found[at];
    const fields = [...new FormData(form)].map(([name, value]) => [name, value.trim()]);
    found = cards.filter((card) => fits(card, fields));
    show(Math.max(0, found.indexOf(current)));
  };

  const seen = () => {
    const box = viewer.getBoundingClientRect();
    return box.top < innerHeight && box.bottom > 0;
  };

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  for (const button of buttons) button.addEventListener("click", () => show(at + Number(button.dataset.step)));
  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || !seen()) return;
    if (event.target.closest("input, select, textarea, .scroll")) return;
    event.preventDefault();
    show(at + step);
  });
  // A link out of a table: only its label's records, or those of a pair of labels.
  for (const link of document.querySelectorAll("a[data-filter]")) {
    link.addEventListener("click", () => {
      form.reset();
      for (const [name, value] of new URLSearchParams(link.dataset.filter)) form.elements[name].value = value;
      setTimeout(filter);
    });
  }

  viewer.classList.add("live");
  const linked = cards.findIndex((card) => "#" + card.id === location.hash);
  for (const part of viewer.querySelectorAll("[data-live]")) part.hidden = false;
  // The address of the page stays as it is until somebody leafs.
  show(linked, false);
  if (linked >= 0) viewer.scrollIntoView();
})();
