(async () => {
  const article = document.getElementById("case");
  const cases = await readCases();

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
