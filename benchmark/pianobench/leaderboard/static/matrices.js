// Tables whose cells are coloured: dimensions of many rows, and verdicts of pairs.

// Of white to the strongest colour: an R2 of 0 to one of the ceiling.
function shade(r2, top) {
  const share = Math.max(-1, Math.min(1, r2 / top));
  return { "--shade": `${Math.round(70 * Math.abs(share))}%`, class: share < 0 ? "heat below" : "heat" };
}

// Two decimals in the least room: ".37".
function short(r2) {
  return number(r2, 2).replace(/^(\u2212?)0\./, "$1.");
}

function heatMap(view, items, open) {
  const { dimensions, categories, ceiling } = view.dataset;
  const top = ceiling?.mean ?? 0.8;
  const members = categories.length ? categories : [{ name: "", places: dimensions.map((_, at) => at) }];
  const upright = (text, more) => element("th", { scope: "col", class: "upright", ...more }, element("span", {}, text));
  const head = [
    element(
      "tr",
      {},
      element("th", { rowspan: 2, scope: "col", class: "corner" }, "Row"),
      categories.length ? element("th", { scope: "colgroup", colspan: categories.length, class: "family" }, "Categories") : null,
      categories.length
        ? members.map(({ name, places }) => element("th", { scope: "colgroup", colspan: places.length, class: "family" }, places.length > 1 ? name : "\u00a0"))
        : element("th", { scope: "colgroup", colspan: dimensions.length, class: "family" }, "Dimensions")
    ),
    element(
      "tr",
      {},
      categories.map(({ name }, at) => upright(name, { class: `upright${at ? "" : " first"}` })),
      members.flatMap(({ places }) => places.map((one, first) => {
        const { name, low, high } = dimensions[one];
        return upright(words(name), { class: `upright${first ? "" : " first"}`, title: low ? `${low} to ${high}` : null });
      }))
    ),
  ];
  const cell = (r2, half, first) => {
    const { class: kind, ...shading } = shade(r2, top);
    const title = half === undefined ? number(r2) : `${number(r2)} \u00b1 ${number(half)}`;
    return element("td", { class: first ? `${kind} first` : kind, title, ...shading }, short(r2));
  };
  const body = items.map((item) => {
    const { dimensions: own, categories: families } = item.scores;
    return element(
      "tr",
      {},
      rowHeader(item, open),
      categories.map((_, at) => (families ? cell(families.r2[at], families.half?.[at], !at) : element("td", {}, NOT_KNOWN))),
      members.flatMap(({ places }) => places.map((one, first) => cell(own.r2[one], own.half?.[one], !first)))
    );
  });
  return element(
    "table",
    { class: "matrix" },
    element("caption", { class: "unseen" }, `R2 on ${view.name} by category and dimension`),
    element("thead", {}, head),
    element("tbody", {}, body)
  );
}

function verdictMatrix(view, items, open) {
  const compared = items.filter(({ row }) => view.places.has(row));
  if (!view.protocol.scope || !compared.length) return null;
  const head = element(
    "tr",
    {},
    element("th", { scope: "col", class: "corner" }, "is \u2026 no."),
    compared.map(({ number: place, title }) => element("th", { scope: "col", title }, `${place}`))
  );
  const body = compared.map((item) =>
    element(
      "tr",
      {},
      rowHeader(item, open),
      compared.map((other) => {
        const letter = verdictLetter(view, item.row, other.row);
        if (letter === null) return element("td", { class: "self" });
        const { word, sign } = VERDICTS[letter];
        return element(
          "td",
          { class: `verdict verdict-${letter}`, title: `${item.title} is ${word}${letter === "n" ? " from" : letter === "e" ? " to" : " than"} no. ${other.number} ${other.title}` },
          element("span", { "aria-hidden": "true" }, sign),
          element("span", { class: "unseen" }, word)
        );
      })
    )
  );
  return element(
    "table",
    { class: "matrix" },
    element("caption", { class: "unseen" }, `Verdict of every pair of rows on ${view.name}`),
    element("thead", {}, head),
    element("tbody", {}, body)
  );
}

function rowHeader(item, open) {
  const place = Number.isFinite(item.number) ? `${item.number} ` : "";
  return element(
    "th",
    { scope: "row" },
    element("span", { class: "place" }, place),
    element("button", { type: "button", class: "open", title: rowDetail(item.row), onclick: () => open(item.row) }, item.title)
  );
}
