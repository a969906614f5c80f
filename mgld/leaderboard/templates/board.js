"use strict";
// The leaderboard: filters, a search, sorting, a view's address, and two rows picked to compare.
(() => {
  const form = document.getElementById("filters");
  const where = document.getElementById("where");
  const tray = document.getElementById("tray");
  const fold = (words) => words.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const count = (number) => number.toLocaleString("en");
  const FIELDS = ["judge", "data", "prompt", "q"];
  // What is large stands first at the first click on these.
  const LARGE_FIRST = new Set(["levels", "accuracy", "unscored", "date"]);
  const KEYS = ["rank", "name", "levels", "accuracy", "unscored", "judge", "date"];
  const letters = new Intl.Collator("en", { numeric: true });

  const boards = [...document.querySelectorAll("section.board")].map((section) => ({
    section,
    body: section.querySelector("tbody"),
    heads: [...section.querySelectorAll("th[data-key]")],
    none: section.querySelector(".none"),
    ranked: section.id !== "reported",
    rows: [...section.querySelectorAll("tbody tr")].map((row) => ({ row, text: fold(row.children[1].textContent) })),
  }));
  const total = boards.reduce((sum, board) => sum + (board.ranked ? board.rows.length : 0), 0);
  let sort = { key: "rank", down: false };

  const value = (row, column) => {
    const cell = row.children[column];
    const data = cell.querySelector("data");
    return data ? Number(data.value) : cell.textContent;
  };
  const order = () => {
    const column = KEYS.indexOf(sort.key);
    for (const board of boards) {
      // The paper's rows have no rank: they stand as it prints them.
      const rows = board.rows.map((each, place) => ({ row: each.row, place, value: value(each.row, column) }));
      const sign = sort.down ? -1 : 1;
      rows.sort((a, b) => {
        const step = typeof a.value === "number" ? a.value - b.value : letters.compare(a.value, b.value);
        return sign * step || a.place - b.place;
      });
      board.body.append(...rows.map((each) => each.row));
      for (const head of board.heads) {
        if (head.dataset.key === sort.key && (board.ranked || sort.key !== "rank")) head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      }
    }
  };

  const filter = () => {
    const wanted = Object.fromEntries(FIELDS.map((name) => [name, form.elements[name].value.trim()]));
    const words = wanted.q ? fold(wanted.q).split(/\s+/) : [];
    let shown = 0;
    let reported = 0;
    for (const board of boards) {
      const { judge, data, prompt } = board.section.dataset;
      const fits = [[wanted.judge, judge], [wanted.data, data], [wanted.prompt, prompt]].every(([want, has]) => !want || want === has);
      board.section.hidden = !fits;
      if (!fits) continue;
      let here = 0;
      for (const each of board.rows) {
        const found = words.every((word) => each.text.includes(word));
        each.row.hidden = !found;
        if (found) here += 1;
      }
      board.none.hidden = here > 0;
      if (board.ranked) shown += here;
      else reported += here;
    }
    where.textContent = `${count(shown)} of ${count(total)} submissions` + (reported ? `, and ${count(reported)} of the paper's rows` : "");
  };

  // The view stands in the address, so that it can be sent to somebody.
  let waiting = 0;
  const remember = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const state = new URLSearchParams();
      for (const name of FIELDS) if (form.elements[name].value.trim()) state.set(name, form.elements[name].value.trim());
      if (sort.key !== "rank" || sort.down) state.set("sort", (sort.down ? "-" : "") + sort.key);
      history.replaceState(null, "", String(state) ? "#" + state : location.pathname + location.search);
    }, 250);
  };
  const recall = () => {
    if (!location.hash.includes("=")) return;
    const state = new URLSearchParams(location.hash.slice(1));
    for (const name of FIELDS) form.elements[name].value = state.get(name) ?? "";
    const key = (state.get("sort") ?? "rank").replace(/^-/, "");
    if (KEYS.includes(key)) sort = { key, down: (state.get("sort") ?? "").startsWith("-") };
    order();
    filter();
  };

  form.addEventListener("input", () => { filter(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { filter(); remember(); }));
  addEventListener("hashchange", recall);
  for (const board of boards) {
    for (const head of board.heads) {
      const button = head.querySelector("button");
      button.disabled = false;
      button.addEventListener("click", () => {
        const key = head.dataset.key;
        sort = { key, down: sort.key === key ? !sort.down : LARGE_FIRST.has(key) };
        order();
        remember();
      });
    }
  }

  // Two rows of one board, to compare: a third takes the place of the first, another board's of both.
  let picked = [];
  const name = (row) => row.children[1].querySelector("a bdi").textContent;
  const show = () => {
    tray.hidden = picked.length === 0;
    const [first, second] = picked.map((box) => box.closest("tr"));
    const words = document.createElement("bdi");
    const go = document.getElementById("go");
    const line = document.getElementById("picked");
    line.replaceChildren();
    if (!first) return;
    words.textContent = name(first);
    line.append(words);
    if (second) {
      const other = document.createElement("bdi");
      other.textContent = name(second);
      line.append(" and ", other);
      go.href = "compare.html#" + new URLSearchParams({ a: first.dataset.slug, b: second.dataset.slug });
    } else {
      line.append(": choose a second one of the same board");
      go.removeAttribute("href");
    }
  };
  for (const board of boards) {
    board.body.addEventListener("change", (event) => {
      const box = event.target;
      if (box.type !== "checkbox") return;
      if (box.checked) {
        for (const other of picked) if (!board.body.contains(other)) other.checked = false;
        picked = [...picked.filter((other) => other.checked), box];
        if (picked.length > 2) picked.shift().checked = false;
      } else picked = picked.filter((other) => other !== box);
      show();
    });
  }
  document.getElementById("drop").addEventListener("click", () => {
    const last = picked.at(-1);
    for (const box of picked) box.checked = false;
    picked = [];
    show();
    last?.focus();
  });

  document.body.classList.add("live");
  for (const part of document.querySelectorAll("[data-live]")) part.hidden = part === tray;
  filter();
  recall();
})();
