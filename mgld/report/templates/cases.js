// What pages have in common whose cases are data: reading it, and the parts of a case.
const readCases = async () => {
  const zipped = Uint8Array.from(atob(document.getElementById("cases-data").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([zipped]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
};

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
  const data = document.getElementById("picture-" + (each.picture ?? index));
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

const MARKS = { identifies: "identifies it", hints: "hints at it", describes: "describes it" };
const answer = (each) => {
  const item = make("li", each.mark || "");
  const text = free("div", "text");
  const [before, span, after] = each.text || [];
  if (span !== undefined) text.append(before, make("mark", "", span), after);
  else if (before !== undefined) text.append(before);
  else text.append(make("span", "note", each.status ? "no answer" : "empty"));
  item.append(text);
  if (each.mark) {
    item.append(make("span", each.mark === "hints" ? "why" : "why tick", MARKS[each.mark]));
  }
  if (each.status) item.append(make("span", "why long", each.status, each.reason ? ": " : "", bdi(each.reason || "")));
  return item;
};

const level = (name) => make("span", "state l-" + name, name.replace("_", " "));

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
