(async () => {
  const article = document.getElementById("case");
  const zipped = Uint8Array.from(atob(document.getElementById("cases-data").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([zipped]).stream().pipeThrough(new DecompressionStream("deflate"));
  const cases = await new Response(stream).json();

  // Whatever the texts say, they become text nodes: nothing here is ever read as HTML.
  const make = (tag, cls, ...children) => {
    const element = document.createElement(tag);
    if (cls) element.className = cls;
    element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return element;
  };
  const bdi = (text) => make("bdi", "", text);
  const free = (tag, cls, ...children) => {
    const element = make(tag, cls, ...children);
    element.dir = "auto";
    return element;
  };
  const number = (value) => value.toLocaleString("en");
  const signed = (value) => value.toFixed(3).replace("-", "−");
  const link = (text, address) => {
    if (!address) return text;
    const element = make("a", "", text);
    element.href = address;
    element.rel = "noreferrer noopener";
    return element;
  };

  const picture = (each, index) => {
    const data = document.getElementById("picture-" + index);
    if (!data) return null;
    const image = make("img");
    image.src = "data:image/jpeg;base64," + data.textContent;
    image.alt = "Picture of " + each.name;
    const figure = make("figure", "", image);
    if (each.credit) {
      const [author, licence, terms, source] = each.credit;
      const caption = make("figcaption", "note", source ? link("Photo", source) : "", source && author ? ": " : "");
      if (author) caption.append(bdi(author), ", ");
      caption.append(source && !author ? ", " : "", link(licence, terms));
      figure.append(caption);
    }
    return figure;
  };

  const answer = (each) => {
    const item = make("li", each.mark || "");
    const text = free("div", "text");
    const [before, span, after] = each.text || [];
    if (span !== undefined) text.append(before, make("mark", "", span), after);
    else if (before !== undefined) text.append(before);
    else text.append(make("span", "note", each.status ? "no answer" : "empty"));
    item.append(text);
    if (each.mark) {
      item.append(make("span", each.mark === "identifies" ? "why tick" : "why", each.mark === "identifies" ? "identifies it" : "hints at it"));
    }
    if (each.status) item.append(make("span", "why long", each.status, each.reason ? ": " : "", bdi(each.reason || "")));
    return item;
  };

  const level = (name) => make("span", "state l-" + name, name.replace("_", " "));

  const verdict = (each) => {
    const parts = [make("p", "heading", "What the judge says")];
    if (each.reason) parts.push(make("p", "caution", make("strong", "", "Unscored: "), bdi(each.reason)));
    if (each.explanation) parts.push(free("p", "says", each.explanation));
    if (!each.reason && !each.explanation) parts.push(make("p", "note", "nothing besides the level"));
    if (each.decided) parts.push(make("p", "note", "decided by ", each.decided));
    if (each.votes) {
      const rows = each.votes.map(([judge, said]) => make("tr", "", make("th", "", judge), make("td", "", level(said))));
      parts.push(make("table", "votes", make("tbody", "", ...rows)));
    }
    if (each.raw) {
      const raw = make("details", "", make("summary", "", "Its reply as it came"), free("pre", "", each.raw));
      parts.push(raw);
    }
    return parts;
  };

  const truth = (each) => {
    const labels = make("p", "labels", make("span", "chip label", each.label || "no label"), each.made ? make("span", "note", each.made) : "");
    const parts = [make("p", "heading", "The landmark"), labels];
    for (const [title, text] of [["Also known as", each.aliases], ["Place", each.places], ["Entities", each.entities]]) {
      if (text) parts.push(make("p", "heading", title), make("p", "", bdi(text)));
    }
    const scores = make("dl", "scores");
    const score = (name, value) => scores.append(make("div", "", make("dt", "", name), make("dd", "", value)));
    if (each.rsr !== undefined) score("RSR", each.rsr.toFixed(4));
    if (each.rank !== undefined) score("rank", number(each.rank));
    if (each.sim !== undefined) score("Sim", signed(each.sim));
    if (each.images !== undefined) score("images", number(each.images));
    if (scores.children.length) parts.push(make("p", "heading", "What the encoder knows"), scores);
    if (each.reference) parts.push(make("details", "", make("summary", "", "The dataset's own answer"), free("p", "", each.reference)));
    return parts;
  };

  const show = (index) => {
    article.hidden = index < 0;
    if (index < 0) return;
    const each = cases[index];
    const figure = picture(each, index);
    const title = make("h3", "", make("bdi", "name", each.name), " ", make("span", "note", each.id));
    title.id = "h-case";
    const said = make("div", "said", title, level(each.level), free("p", "asked", each.question),
      make("ol", "answers", ...each.answers.map(answer)), ...verdict(each));
    article.classList.toggle("pictured", Boolean(figure));
    article.replaceChildren(...(figure ? [figure] : []), said, make("div", "seen", ...truth(each)));
  };

  const recognised = (each) => each.level === "strongly_known" || each.level === "known";
  const has = {
    all: (each) => each.answers.every((one) => one.text),
    refused: (each) => each.answers.some((one) => one.status === "refused"),
    error: (each) => each.answers.some((one) => one.status === "error"),
    empty: (each) => each.answers.some((one) => !one.text && !one.status),
    disagree: (each) => new Set((each.votes || []).map(([, said]) => said)).size > 1,
  };
  const tests = {
    level: (each, value) => {
      if (value === "recognised") return recognised(each);
      return value === "not" ? !recognised(each) && each.level !== "unscored" : each.level === value;
    },
    label: (each, value) => (each.label || "(not given)") === value,
    made: (each, value) => (each.made || "(not given)") === value,
    draws: (each, value) => each.level !== "unscored" && String(each.identified) === value,
    answers: (each, value) => has[value](each),
  };
  const words = (each) => [
    each.name, each.id, each.aliases, each.places, each.question, each.explanation, each.reason,
    ...each.answers.flatMap((one) => [...(one.text ? [one.text.join("")] : []), one.reason]),
  ].filter(Boolean).join("\n");

  leafThrough({
    ids: cases.map((each) => "case-" + each.id),
    fits: (index, name, value) => tests[name](cases[index], value),
    text: (index) => words(cases[index]),
    show,
  });
  document.getElementById("unscripted").hidden = true;
})();
