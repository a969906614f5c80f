(() => {
  const cards = [...document.querySelectorAll("#viewer article")];
  if (!cards.length) return;
  leafThrough({
    ids: cards.map((card) => card.id),
    fits: (index, name, value) => {
      const given = cards[index].dataset[name];
      return name === "label" || name === "gldv2" ? value === given : given.split(" ").includes(value);
    },
    text: (index) => cards[index].dataset.name + " " + cards[index].textContent,
    show: (index) => cards.forEach((card, number) => { card.hidden = number !== index; }),
  });
})();
