"use strict";
// Two submissions of one board, as `mgld compare` compares two runs (mgld/evaluate/paired.py and
// intervals.py, whose definitions these are). A submission is one letter a question.
(() => {
  const Z = Number(document.currentScript.dataset.z);
  const LEVELS = ["strongly_known", "known", "weakly_unknown", "unknown"];
  const SCORE = { S: 3, K: 2, W: 1, U: 0 };
  const MOST_CHANGED = 50;
  const sum = (values) => values.reduce((total, value) => total + value, 0);

  const wilson = (share, n) => {
    const centre = share + Z ** 2 / (2 * n);
    const reach = Z * Math.sqrt((share * (1 - share)) / n + Z ** 2 / (4 * n ** 2));
    const scale = 1 + Z ** 2 / n;
    return [share === 0 ? 0 : (centre - reach) / scale, share === 1 ? 1 : (centre + reach) / scale];
  };
  // Clusters numbered from 0, for the questions that are scored in both.
  const numbered = (landmarks) => {
    const number = new Map();
    return landmarks.map((each) => {
      if (!number.has(each)) number.set(each, number.size);
      return number.get(each);
    });
  };
  const clusterSums = (values, codes, clusters) => {
    const sums = new Float64Array(clusters);
    values.forEach((value, row) => { sums[codes[row]] += value; });
    return sums;
  };
  const residuals = (hits, codes, sizes) => {
    const share = sum(hits) / hits.length;
    return clusterSums(hits, codes, sizes.length).map((hit, each) => hit - share * sizes[each]);
  };
  const squares = (values) => values.reduce((total, value) => total + value * value, 0);
  const effectiveNumber = (hits, codes, sizes) => {
    const n = hits.length;
    const clusters = sizes.length;
    const share = sum(hits) / n;
    if (clusters === n) return n;
    if (clusters === 1 || share === 0 || share === 1) return n ** 2 / squares(sizes);
    const variance = ((clusters / (clusters - 1)) * squares(residuals(hits, codes, sizes))) / n ** 2;
    return variance > 0 ? Math.min(n, 1 + (share * (1 - share)) / variance) : n;
  };
  const shareDifference = (first, second, codes, sizes) => {
    const shares = [first, second].map((hits) => sum(hits) / hits.length);
    const [[low1, high1], [low2, high2]] = [first, second].map((hits, which) => {
      const [low, high] = wilson(shares[which], effectiveNumber(hits, codes, sizes));
      return [shares[which] - low, high - shares[which]];
    });
    const [one, other] = [first, second].map((hits) => residuals(hits, codes, sizes));
    const norm = Math.sqrt(squares(one) * squares(other));
    const rho = norm > 0 ? one.reduce((total, value, each) => total + value * other[each], 0) / norm : 0;
    const difference = shares[1] - shares[0];
    return [
      difference - Math.sqrt(Math.max(0, low2 ** 2 + high1 ** 2 - 2 * rho * low2 * high1)),
      difference + Math.sqrt(Math.max(0, high2 ** 2 + low1 ** 2 - 2 * rho * high2 * low1)),
    ];
  };
  const binomialHalf = (k) => {
    const logs = new Float64Array(k + 1);
    for (let i = 1; i <= k; i += 1) logs[i] = logs[i - 1] + Math.log(i);
    return logs.map((_, i) => Math.exp(logs[k] - logs[i] - logs[k - i] - k * Math.LN2));
  };
  // Exact, two-sided: all assignments of signs to the landmarks' sums are counted, by convolution.
  const signFlip = (differences, codes, clusters) => {
    const counts = new Map();
    for (const value of clusterSums(differences, codes, clusters)) {
      const size = Math.abs(value);
      if (size) counts.set(size, (counts.get(size) ?? 0) + 1);
    }
    const seen = Math.abs(sum(differences));
    let distribution = Float64Array.of(1);
    for (const [size, k] of [...counts].sort((a, b) => a[0] - b[0])) {
      const heads = binomialHalf(k);
      const next = new Float64Array(distribution.length + 2 * size * k);
      heads.forEach((chance, head) => {
        if (chance) distribution.forEach((value, at) => { next[at + 2 * size * head] += value * chance; });
      });
      distribution = next;
    }
    const reach = (distribution.length - 1) / 2;
    const far = distribution.filter((_, at) => Math.abs(at - reach) >= seen);
    return Math.min(1, far.sort().reduce((total, value) => total + value, 0)); // the smallest first
  };
  const compare = (a, b, landmarks) => {
    const rows = [...a].map((_, row) => row).filter((row) => a[row] !== "-" && b[row] !== "-");
    const codes = numbered(rows.map((row) => landmarks[row]));
    const sizes = clusterSums(rows.map(() => 1), codes, codes.length ? Math.max(...codes) + 1 : 0);
    const right = [a, b].map((letters) => rows.map((row) => Number(SCORE[letters[row]] >= 2)));
    const steps = rows.map((row, each) => right[1][each] - right[0][each]);
    const levels = rows.map((row) => SCORE[b[row]] - SCORE[a[row]]);
    const table = LEVELS.map(() => [0, 0, 0, 0]);
    for (const row of rows) table[3 - SCORE[a[row]]][3 - SCORE[b[row]]] += 1;
    const changed = rows.map((row, each) => [row, levels[each]]).filter(([, step]) => step);
    changed.sort((one, other) => Math.abs(other[1]) - Math.abs(one[1]) || one[0] - other[0]);
    const found = { questions: rows.length, landmarks: sizes.length, unscored: a.length - rows.length, table, changed: changed.map(([row]) => row) };
    if (!rows.length) return found;
    return {
      ...found,
      first: sum(right[0]) / rows.length,
      second: sum(right[1]) / rows.length,
      onlyFirst: steps.filter((step) => step < 0).length,
      onlySecond: steps.filter((step) => step > 0).length,
      difference: sum(steps) / rows.length,
      interval: shareDifference(right[0], right[1], codes, sizes),
      p: signFlip(steps, codes, sizes.length),
      level: sum(levels) / rows.length,
      levelP: signFlip(levels, codes, sizes.length),
    };
  };

  // Data: scripts, since pages from a disk may read no other file; none but those listed here.
  const { boards, entries } = JSON.parse(document.getElementById("entries").textContent);
  const entry = new Map(entries.map(([slug, name, submitter, board]) => [slug, { slug, name, submitter, board }]));
  const listed = new Set([...entry.keys(), ...boards.map((board) => board.questions)]);
  const address = (name) => {
    if (!listed.has(name)) throw new Error(`${name} is no data of this site`);
    return `data/${name}.js`;
  };
  const policy = globalThis.trustedTypes?.createPolicy("mgld-data", { createScriptURL: address }) ?? { createScriptURL: address };
  const arrived = new Map();
  const loading = new Map();
  globalThis.mgldTake = (name, value) => arrived.set(name, value);
  const load = (name) => {
    if (!loading.has(name)) {
      loading.set(name, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = policy.createScriptURL(name);
        script.onload = () => resolve(arrived.get(name));
        script.onerror = () => { loading.delete(name); reject(new Error(`data/${name}.js could not be loaded`)); };
        document.head.append(script);
      }));
    }
    return loading.get(name);
  };

  // Whatever the texts say, they become text nodes.
  const get = (id) => document.getElementById(id);
  const make = (tag, cls, ...children) => {
    const element = document.createElement(tag);
    if (cls) element.className = cls;
    element.append(...children);
    return element;
  };
  const words = (level) => level.replace("_", " ");
  const count = (number) => number.toLocaleString("en");
  const minus = (text) => text.replace("-", "−");
  const data = (value, text) => {
    const element = make("data", "", text);
    element.value = String(value);
    return element;
  };
  const percent = (value) => `${(100 * value).toFixed(1)} %`;
  const points = (value) => minus(`${value > 0 ? "+" : ""}${(100 * value).toFixed(1)}`);
  const chance = (p) => (p < 0.0001 ? "< 0.0001" : p.toFixed(4));
  const head = (text) => {
    const element = make("th", "", text);
    element.scope = "row";
    return element;
  };

  const render = (a, b, letters, questions) => {
    const found = compare(letters[0], letters[1], questions.landmarks);
    const name = (which) => make("bdi", "", which.name);
    get("h-result").replaceChildren("A: ", name(a), ", B: ", name(b));
    get("board").replaceChildren("Board: ", make("bdi", "", boards[a.board].title));
    const { first, second, difference, interval, p } = found;
    if (!found.questions) {
      get("said").textContent = "No question is scored in both: there is nothing to compare.";
    } else if (difference === 0) {
      get("said").replaceChildren("Both recognise ", percent(first), ".");
    } else {
      const [more, less] = difference > 0 ? [b, a] : [a, b];
      get("said").replaceChildren(name(more), ` recognises ${(100 * Math.abs(difference)).toFixed(1)} points more than `, name(less), p < 0.05 ? ": more than chance explains." : ": it could be chance.");
    }
    const numbers = [["questions scored in both", found.questions], ["landmarks", found.landmarks], ["unscored in either", found.unscored], ["only A recognises", found.onlyFirst ?? 0], ["only B recognises", found.onlySecond ?? 0]];
    get("numbers").replaceChildren(...numbers.map(([title, value]) => make("div", "", make("dt", "", title), make("dd", "", data(value, count(value))))));
    if (found.questions) {
      get("numbers").append(...[["accuracy of A", first], ["accuracy of B", second]].map(([title, value]) => make("div", "", make("dt", "", title), make("dd", "", data(value, percent(value))))));
    }
    const effect = (title, cells) => make("tr", "", head(title), ...cells.map((cell) => make("td", "n", ...cell)));
    get("effects").tBodies[0].replaceChildren(...(found.questions ? [
      effect("recognised, points", [[data(difference, points(difference))], [data(interval[0], points(interval[0])), " to ", data(interval[1], points(interval[1]))], [data(p, chance(p))]]),
      effect("mean level", [[data(found.level, minus(`${found.level > 0 ? "+" : ""}${found.level.toFixed(3)}`))], ["–"], [data(found.levelP, chance(found.levelP))]]),
    ] : []));
    const top = make("tr", "", make("th", "", "A \\ B"), ...LEVELS.map((level) => { const cell = head(words(level)); cell.scope = "col"; return cell; }));
    const most = Math.max(1, ...found.table.flat());
    const body = LEVELS.map((level, row) => make("tr", "", head(words(level)), ...LEVELS.map((_, column) => {
      const cell = make("td", row === column ? "same" : "", data(found.table[row][column], count(found.table[row][column])));
      cell.style.setProperty("--w", String(found.table[row][column] / most));
      return cell;
    })));
    get("levels").replaceChildren(make("caption", "unseen", "Questions by the level of A (rows) and of B (columns)"), make("thead", "", top), make("tbody", "", ...body));
    get("left").textContent = "Outlined: the same level. Above the diagonal A is better, below it B is.";
    const shown = found.changed.slice(0, MOST_CHANGED);
    get("h-changed").textContent = shown.length ? `Questions whose level differs: ${count(found.changed.length)}${shown.length < found.changed.length ? `, the first ${shown.length} by how far` : ""}` : "No question has another level";
    get("changed").hidden = !shown.length;
    const LETTER = { S: 0, K: 1, W: 2, U: 3 };
    const state = (letter) => make("td", "", make("span", `state l-${LEVELS[LETTER[letter]]}`, words(LEVELS[LETTER[letter]])));
    get("changed").tBodies[0].replaceChildren(...shown.map((row) => make("tr", "", head(make("bdi", "", questions.names[row])), state(letters[0][row]), state(letters[1][row]))));
    get("result").hidden = false;
    get("where").textContent = `Compared on ${count(found.questions)} questions.`;
  };

  const form = get("choose");
  const [forA, forB] = [form.elements.a, form.elements.b];
  const option = (each) => {
    const element = make("option", "", `${each.name} (${each.submitter})`);
    element.value = each.slug;
    return element;
  };
  const groups = boards.map((board, number) => {
    const group = make("optgroup");
    group.label = board.title;
    group.append(...[...entry.values()].filter((each) => each.board === number).map(option));
    return group;
  });
  const nothing = () => {
    const element = make("option", "", "choose");
    element.value = "";
    return element;
  };
  const chooseB = (a, b) => {
    const board = entry.get(a)?.board;
    forB.replaceChildren(nothing(), ...[...entry.values()].filter((each) => each.board === board && each.slug !== a).map(option));
    forB.value = b && entry.get(b)?.board === board && a !== b ? b : "";
    forB.disabled = board === undefined;
  };
  let turn = 0;
  const show = async () => {
    const [a, b] = [entry.get(forA.value), entry.get(forB.value)];
    const mine = ++turn;
    get("result").hidden = true;
    if (!a || !b) {
      get("where").textContent = a ? (forB.options.length > 1 ? "Choose a second submission." : "Nothing else is on this board to compare it with.") : "Choose two submissions of one board.";
      return;
    }
    get("where").textContent = "Loading …";
    try {
      const [questions, ...letters] = await Promise.all([boards[a.board].questions, a.slug, b.slug].map(load));
      if (mine === turn) render(a, b, letters, questions);
    } catch (error) {
      if (mine === turn) get("where").textContent = String(error.message);
    }
  };
  const recall = () => {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const [a, b] = [wanted.get("a") ?? "", wanted.get("b") ?? ""];
    forA.value = entry.has(a) ? a : "";
    chooseB(a, b);
    show();
    if (entry.has(a) && entry.has(b) && entry.get(a).board !== entry.get(b).board) get("where").textContent = "These two are on different boards: another judge, or other questions. They cannot be compared.";
    else if ((a && !entry.has(a)) || (b && !entry.has(b))) get("where").textContent = "No submission has this address.";
  };
  const remember = () => {
    const state = new URLSearchParams();
    if (forA.value) state.set("a", forA.value);
    if (forB.value) state.set("b", forB.value);
    history.replaceState(null, "", "#" + state);
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  forA.addEventListener("change", () => { chooseB(forA.value, forB.value); remember(); show(); });
  forB.addEventListener("change", () => { remember(); show(); });
  get("swap").addEventListener("click", () => {
    const [a, b] = [forA.value, forB.value];
    if (!b) return;
    forA.value = b;
    chooseB(b, a);
    remember();
    show();
  });
  addEventListener("hashchange", () => { if (location.hash.includes("=")) recall(); });
  get("unscripted").hidden = true;
  form.hidden = false;
  forA.append(nothing(), ...groups);
  recall();
})();
