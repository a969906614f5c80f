"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const make = (tag, text, cls) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (cls) element.className = cls;
    return element;
  };
  const NAMES = ["Strongly known", "Known", "Weakly unknown", "Unknown"];
  const MEANS = ["two or more identify it", "one identifies it", "none, but hints point right", "none, wrong or general"];
  const STORE = "mgld-labels-" + data.key;
  const items = data.items;
  const ids = new Map(items.map((item, k) => [item.id, k]));
  let state = { labels: {}, notes: {}, labeller: "", index: 0 };
  let history = [];
  let stored = true;
  let unsaved = false;

  const load = () => {
    try {
      const found = JSON.parse(localStorage.getItem(STORE) || "null");
      if (!found) return false;
      for (const [id, level] of Object.entries(found.labels || {}))
        if (ids.has(id) && data.levels.includes(level)) state.labels[id] = level;
      for (const [id, note] of Object.entries(found.notes || {}))
        if (ids.has(id) && typeof note === "string") state.notes[id] = note;
      state.labeller = typeof found.labeller === "string" ? found.labeller : "";
      state.index = Math.min(Math.max(0, found.index | 0), items.length - 1);
      return true;
    } catch { return false; }
  };
  const keep = () => {
    try { localStorage.setItem(STORE, JSON.stringify(state)); stored = true; }
    catch { stored = false; }
  };
  const say = (text) => { at("said").textContent = text; };
  const count = () => Object.keys(state.labels).length;

  const fact = (term, text) => {
    if (!text.length) return [];
    const value = make("dd");
    [].concat(text).forEach((each) => {
      const part = make("bdi", each);
      value.append(part);
    });
    return [make("dt", term), value];
  };

  const show = () => {
    const item = items[state.index];
    at("name").textContent = item.name;
    at("question").textContent = item.question;
    at("position").textContent = (state.index + 1) + " of " + items.length;
    at("facts").replaceChildren(
      ...fact("Also", item.aliases), ...fact("Where", item.places), ...fact("What", item.label ? [item.label] : []));
    at("reference").hidden = !item.reference;
    at("reference-text").textContent = item.reference;
    const figure = at("figure");
    figure.hidden = !item.image && !item.problem;
    figure.replaceChildren();
    if (item.image) {
      const image = make("img");
      image.alt = "The picture that was asked about";
      image.src = item.image;
      figure.append(image);
    } else if (item.problem) figure.append(make("p", item.problem, "note"));
    at("answers").replaceChildren(...item.answers.map((answer) => {
      const row = make("li");
      const text = make("p", answer.none || answer.text, answer.none ? "none" : "");
      text.dir = answer.none ? "ltr" : "auto";
      row.append(text);
      return row;
    }));
    at("note").value = state.notes[item.id] || "";
    at("previous").disabled = state.index === 0;
    at("next").disabled = state.index === items.length - 1;
    refresh();
  };
  const refresh = () => {
    const item = items[state.index];
    [...at("levels").children].forEach((button, k) =>
      button.setAttribute("aria-pressed", String(state.labels[item.id] === data.levels[k])));
    at("undo").disabled = !history.length;
    [...at("map").children].forEach((mark, k) => {
      const level = state.labels[items[k].id];
      mark.className = (level ? "l" + data.levels.indexOf(level) : "") + (k === state.index ? " here" : "");
    });
    at("done").textContent = count() + " of " + items.length + " labelled";
    document.title = count() + "/" + items.length + " Label answers";
    if (!stored) say("This browser keeps nothing: save the CSV before you close the page.");
  };
  const go = (index) => {
    if (index < 0 || index >= items.length) return;
    state.index = index;
    keep();
    show();
    window.scrollTo(0, 0);
  };
  const open = (from) => {
    for (let k = 0; k < items.length; k++) {
      const index = (from + k) % items.length;
      if (!state.labels[items[index].id]) return index;
    }
    return -1;
  };
  const label = (k) => {
    const item = items[state.index];
    history.push({ index: state.index, before: state.labels[item.id] });
    state.labels[item.id] = data.levels[k];
    unsaved = true;
    const next = open(state.index + 1);
    say((state.index + 1) + ": " + NAMES[k]);
    if (next < 0) {
      keep();
      refresh();
      say("All are labelled. Save the CSV.");
    } else go(state.index + 1 < items.length ? state.index + 1 : next);
  };
  const undo = () => {
    const last = history.pop();
    if (!last) return;
    const id = items[last.index].id;
    if (last.before) state.labels[id] = last.before; else delete state.labels[id];
    unsaved = true;
    go(last.index);
    say("Undone: " + (last.index + 1));
  };
  const jump = () => {
    const next = open(state.index + 1);
    if (next < 0) say("All are labelled. Save the CSV."); else go(next);
  };

  const cell = (text) => /[",;\r\n]|^\s|\s$/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  const csv = () => {
    const rows = items.filter((item) => state.labels[item.id] || state.notes[item.id]).map((item) => [
      item.id, state.labels[item.id] || "", state.labeller.trim(), state.notes[item.id] || "", item.answers_sha256]);
    return [data.columns, ...rows].map((row) => row.map(cell).join(",") + "\n").join("");
  };
  const save = () => {
    const link = make("a");
    const who = state.labeller.trim().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = "labels" + (who ? "-" + who : "") + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    unsaved = false;
    say("Saved " + count() + " labels.");
  };
  const parse = (text) => {
    const first = text.split("\n", 1)[0];
    const comma = (first.match(/;/g) || []).length > (first.match(/,/g) || []).length ? ";" : ",";
    const rows = [[""]];
    let quoted = false;
    for (let k = 0; k < text.length; k++) {
      const c = text[k];
      const row = rows[rows.length - 1];
      if (quoted) {
        if (c !== '"') row[row.length - 1] += c;
        else if (text[k + 1] === '"') { row[row.length - 1] += '"'; k++; }
        else quoted = false;
      } else if (c === '"') quoted = true;
      else if (c === comma) row.push("");
      else if (c === "\n") rows.push([""]);
      else if (c !== "\r") row[row.length - 1] += c;
    }
    return rows.filter((row) => row.some((value) => value.trim()));
  };
  const take = (text) => {
    const [header = [], ...rows] = parse(text.replace(/^\uFEFF/, ""));
    const column = Object.fromEntries(header.map((name, k) => [name.trim().toLowerCase(), k]));
    if (!("question_id" in column) || !("level" in column)) return say("No labels: the first line has no question_id and level.");
    let taken = 0;
    let left = 0;
    for (const row of rows) {
      const get = (name) => (row[column[name]] || "").trim();
      const item = items[ids.get(get("question_id")) ?? -1];
      const said = get("level").toLowerCase().replace(/[\s-]+/g, "_");
      const level = said === "partially_known" ? "weakly_unknown" : said;
      const about = get("answers_sha256");
      if (!item || (level && !data.levels.includes(level)) || (about && about !== item.answers_sha256)) { left++; continue; }
      if (level) { state.labels[item.id] = level; taken++; }
      if (get("note")) state.notes[item.id] = get("note");
      if (!state.labeller && get("labeller")) at("labeller").value = state.labeller = get("labeller");
    }
    history = [];
    keep();
    show();
    say("Imported " + taken + " labels." + (left ? " Not of this page, or no level: " + left + " rows." : ""));
  };

  const help = () => {
    at("help").showModal();
    at("help").scrollTop = 0; // its focused button is at the end
  };
  NAMES.forEach((name, k) => {
    const button = make("button", undefined, "level l" + k);
    button.type = "button";
    button.append(make("kbd", String(k + 1)), make("b", name), make("span", MEANS[k]));
    button.addEventListener("click", () => label(k));
    at("levels").append(button);
  });
  at("map").append(...items.map(() => make("i")));
  at("map").addEventListener("click", (event) => {
    if (!event.detail) return jump();
    const box = at("map").getBoundingClientRect();
    go(Math.min(items.length - 1, Math.floor((event.clientX - box.left) / box.width * items.length)));
  });
  at("title").textContent = data.title;
  at("previous").addEventListener("click", () => go(state.index - 1));
  at("next").addEventListener("click", () => go(state.index + 1));
  at("undo").addEventListener("click", undo);
  at("export").addEventListener("click", save);
  at("import").addEventListener("click", () => at("file").click());
  at("help-open").addEventListener("click", help);
  at("file").addEventListener("change", async () => {
    const file = at("file").files[0];
    if (file) take(await file.text());
    at("file").value = "";
  });
  at("labeller").addEventListener("input", () => { state.labeller = at("labeller").value; keep(); });
  at("note").addEventListener("input", () => {
    const id = items[state.index].id;
    if (at("note").value.trim()) state.notes[id] = at("note").value; else delete state.notes[id];
    unsaved = true;
    keep();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || at("help").open) return;
    if (event.target instanceof HTMLInputElement) {
      if (event.key === "Escape" || event.key === "Enter") event.target.blur();
      return;
    }
    const acts = {
      1: () => label(0), 2: () => label(1), 3: () => label(2), 4: () => label(3),
      ArrowLeft: () => go(state.index - 1), ArrowRight: () => go(state.index + 1),
      u: undo, j: jump, s: save, n: () => at("note").focus(), "?": help,
    };
    const act = Object.hasOwn(acts, event.key) ? acts[event.key] : undefined;
    // A key that is held down must not label what nobody has read.
    if (!act || (event.repeat && !event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    act();
  });
  window.addEventListener("beforeunload", (event) => { if (!stored && unsaved) event.preventDefault(); });

  const returning = load();
  at("labeller").value = state.labeller;
  show();
  if (!returning) help();
  else if (count()) say("Welcome back.");
})();
