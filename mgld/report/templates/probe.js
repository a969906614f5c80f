(async () => {
  const article = document.getElementById("case");
  const cases = await readCases();

  const list = (answers) => {
    const items = answers.map(([draw, one]) => {
      const item = answer(one);
      item.style.counterSet = "draw " + draw; // its number goes up by one where it is shown
      return item;
    });
    return make("ol", "answers", ...items);
  };
  // Of what is told, one that describes stands open; the others are mostly much the same.
  const told = (answers) => {
    const numbered = [...answers.entries()];
    const first = Math.max(0, answers.findIndex((one) => one.mark));
    const others = numbered.filter(([draw]) => draw !== first);
    const more = others.filter(([, one]) => one.mark).length;
    return [
      list([numbered[first]]),
      make("details", "more", make("summary", "", `The other ${others.length} answers; ${more || "none"} of them ${more > 1 ? "describe" : "describes"} it, too`.replace(", too", more ? ", too" : "")), list(others)),
    ];
  };
  const side = (title, question, ...parts) => make("div", "", make("h4", "side", title), free("p", "asked", question), ...parts);

  const show = (index) => {
    article.hidden = index < 0;
    if (index < 0) return;
    const each = cases[index];
    const figure = picture(each, index);
    const title = make("h3", "", make("bdi", "name", each.name), " ", make("span", "note", each.id));
    title.id = "h-case";
    const says = (text) => (text ? [make("p", "heading", "What the judge says"), free("p", "says", text)] : []);
    const said = make("div", "said", title, make("p", "note of", "in ", bdi(each.subset)),
      make("div", "sides",
        side("Told from the name", each.asked, ...told(each.told), ...says(each.why)),
        side("Said of the picture", each.question, list([...each.answers.entries()]), level(each.level), ...says(each.explanation))));
    article.classList.toggle("pictured", Boolean(figure));
    article.replaceChildren(...(figure ? [figure] : []), said, make("div", "seen", ...truth(each)));
  };

  const tests = {
    subset: (each, value) => each.subset === value,
    label: (each, value) => (each.label || "(not given)") === value,
    made: (each, value) => (each.made || "(not given)") === value,
    level: (each, value) => each.level === value,
    place: (each, value) => (each.place ? "yes" : "no") === value,
  };
  const words = (each) => [
    each.name, each.id, each.aliases, each.places, each.why, each.explanation,
    ...[...each.told, ...each.answers].flatMap((one) => [...(one.text ? [one.text.join("")] : []), one.reason]),
  ].filter(Boolean).join("\n");

  leafThrough({
    ids: cases.map((each) => "case-" + each.subset + "-" + each.id),
    fits: (index, name, value) => tests[name](cases[index], value),
    text: (index) => words(cases[index]),
    show,
  });
  document.getElementById("unscripted").hidden = true;
})();
