// One row: what is known of it, how it learned, and how it compares with another.

function rowContent(view, row, other, chooseOther) {
  const scores = row.scores[view.name];
  const standing = [standingSentence(view, row), bestSentence(view, row)].join(" ");
  return [
    element("p", { class: "detail" }, `${rowDetail(row)} (${row.name})`),
    badgeList(view, row),
    scores ? element("p", { class: "standing" }, standing) : element("p", {}, `It was not run on ${view.name}.`),
    scores?.flags.length ? element("p", { class: "fault" }, `Beware: ${scores.flags.join("; ")}.`) : null,
    section("Scores", scoresTable(view, row)),
    scores ? dimensionSection(view, row, other, chooseOther) : null,
    scores ? curveSection(view, row) : null,
    section("What it is", partFacts(row)),
    section("What it took", costFacts(row)),
    section("Files", fileList(row)),
  ];
}

function section(title, ...content) {
  return element("section", {}, element("h3", {}, title), ...content);
}

function badgeList(view, row) {
  if (!row.badges.length) return element("p", { class: "detail" }, "Nothing of it has been checked yet.");
  return element(
    "ul",
    { class: "badges" },
    row.badges.map((badge) => element("li", {}, element("strong", {}, badge), `: ${view.board.badges[badge]}`))
  );
}

function scoresTable(view, row) {
  const run = view.dataset.protocols.filter(({ name }) => row.scores[name]);
  const metrics = Object.keys(METRICS).filter((name) => run.some((each) => row.scores[each.name].metrics[name] !== undefined));
  const line = (title, help, cell) =>
    element("tr", {}, element("th", { scope: "row", title: help }, title), run.map(({ name }) => element("td", {}, cell(row.scores[name]))));
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores by protocol" },
    element(
      "table",
      { class: "plain" },
      element("thead", {}, element("tr", {}, element("td"), run.map(({ name, summary }) => element("th", { scope: "col", title: summary }, name)))),
      element(
        "tbody",
        {},
        line("R2", "uniform mean over dimensions", ({ r2 }) => element("strong", {}, number(r2))),
        line("For these performers", "95% interval for new passages by these performers", ({ c }) => span(c) || NOT_KNOWN),
        line("For new performers", "95% interval for new passages and new performers", ({ g }) => span(g) || NOT_KNOWN),
        line("Of ceiling", "share of the R2 that the reliability of the labels allows", ({ of_ceiling }) => number(of_ceiling)),
        line("Rank", "95% interval", ({ standing }) => rankText(standing)),
        metrics.map((name) => line(METRICS[name][0], METRICS[name][1], (scores) => number(scores.metrics[name]))),
        line("By fold", "R2 of single folds", ({ folds }) => Object.entries(folds).map(([fold, r2]) => element("span", { class: "of-fold" }, `${fold}: ${number(r2, 2)}`))),
        run.some(({ name }) => row.scores[name].optimism != null)
          ? line("Had it stopped on the scored fold", "R2 that would have been claimed", ({ optimism }) => number(optimism))
          : null
      )
    )
  );
}

function dimensionSection(view, row, other, chooseOther) {
  const choice = element("select", { id: "other", onchange: (event) => chooseOther(view.rows.find(({ name }) => name === event.target.value)) });
  choice.append(element("option", { value: "" }, "no other row"));
  for (const each of view.rows) {
    if (each === row) continue;
    const place = numberOf(view, each);
    const name = `${place ? `${place}. ` : ""}${rowTitle(each)} (${rowDetail(each)})`;
    choice.append(element("option", { value: each.name, selected: each === other }, name));
  }
  const chart = element("div", { class: "chart", id: "dimensions-chart" });
  const measured = row.scores[view.name].dimensions.half;
  return section(
    `Dimensions on ${view.name}`,
    element("p", { class: "field" }, element("label", { for: "other" }, "Compare with "), choice),
    pairSentence(view, row, other),
    chart,
    measured ? element("p", { class: "detail" }, `Lines are 95% intervals of each row by itself, for ${view.people}; where two overlap, the rows may still differ. "bench compare" tests their difference on every dimension.`) : null,
    element("details", {}, element("summary", {}, "The same numbers as a table"), dimensionTable(view, other ? [row, other] : [row]))
  );
}

function pairSentence(view, row, other) {
  if (!other) return null;
  const letter = verdictLetter(view, row, other);
  const gap = row.scores[view.name].r2 - other.scores[view.name].r2;
  const found = letter
    ? `Overall ${VERDICTS[letter].word}, by itself and without correction for other pairs: `
    : "The two cannot be compared on this protocol; as they stand, ";
  return element("p", {}, `${found}a difference in R2 of ${signed(gap)}.`);
}

function dimensionTable(view, rows) {
  const { dataset } = view;
  const families = rows.every((row) => row.scores[view.name].categories) ? dataset.categories : [];
  const lines = [
    ...families.map(({ name }, at) => [name, "categories", at]),
    ...dataset.dimensions.map(({ name }, at) => [words(name), "dimensions", at]),
  ];
  const cell = (row, kind, at) => {
    const { r2, half } = row.scores[view.name][kind];
    return element("td", {}, half ? `${number(r2[at])} \u00b1 ${number(half[at])}` : number(r2[at]));
  };
  return element(
    "table",
    { class: "plain" },
    element("thead", {}, element("tr", {}, element("td"), rows.map((row) => element("th", { scope: "col", title: rowDetail(row) }, rowTitle(row))))),
    element("tbody", {}, lines.map(([name, kind, at]) => element("tr", {}, element("th", { scope: "row" }, name), rows.map((row) => cell(row, kind, at)))))
  );
}

function curveSection(view, row) {
  const { curves, curve_count: count } = row.scores[view.name];
  if (!count) return null;
  if (!curves) return section("Learning curves", element("p", {}, "The curves of so many rows do not fit one page; they are in its files."));
  return section(
    "Learning curves",
    element("div", { class: "charts" }, element("div", { class: "chart", id: "r2-chart" }), element("div", { class: "chart", id: "loss-chart" })),
    element("p", { class: "detail" }, "One line per fold and seed; the point is the epoch that was kept. Its files have every epoch.")
  );
}

function options(changed) {
  return Object.entries(changed).map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
}

function known(value, text) {
  return value === null || value === undefined ? null : text(value);
}

function part(card) {
  if (!card) return null;
  const changed = options(card.changed);
  return changed ? `${card.name} (${changed})` : card.name;
}

function partFacts(row) {
  const { encoder } = row;
  return facts([
    ["Encoder", encoder.name],
    ["Weights", encoder.source],
    ["Parameters", known(encoder.parameters, grouped)],
    ["Pretraining", encoder.pretraining],
    ["Overlap with the dataset", encoder.overlap],
    ["Licence", encoder.licence],
    ["Citation", encoder.citation],
    ["Layers taken", row.layers],
    ["Hears", row.input],
    [row.renderers.length > 1 ? "Renderers" : "Renderer", row.renderers.map(part).join("; ")],
    ["Of rendering", [...new Set(row.renderers.map(({ card }) => card))].join(" ")],
    ["Pooling", part(row.pooling)],
    ["Head", part(row.head)],
    ["Options", row.options.join(", ")],
    ["Seeds", grouped(row.seeds)],
    ["Training stopped on", row.selection === "nested" ? "an inner split" : "the scored fold"],
    ["Fingerprint", encoder.fingerprint],
    ["Plugin", encoder.origin],
  ]);
}

function costFacts(row) {
  const { cost } = row;
  return facts([
    ["Device", cost.device],
    ["Processes", cost.processes],
    ["Encoding speed", cost.audio_s_per_s ? `${rough(cost.audio_s_per_s)} seconds of audio in a second` : cost.clips_per_s ? `${rough(cost.clips_per_s)} clips in a second` : null],
    ["Training", known(cost.train_s, (seconds) => `${rough(seconds)} s for all folds, seeds and protocols`)],
    ["Made with", `pianobench ${row.pianobench}; ${Object.entries(row.environment).map(([name, version]) => `${name} ${version}`).join(", ")}`],
  ]);
}

function fileList(row) {
  const names = [...row.files, ...Object.values(row.scores).flatMap(({ files }) => files)];
  return element("ul", { class: "files" }, names.map((name) => element("li", {}, fileLink(row, name))));
}
