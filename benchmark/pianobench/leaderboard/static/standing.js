// What is known of rows and pairs, in words.

const VERDICTS = {
  b: { word: "better", sign: "\u25b2" },
  w: { word: "worse", sign: "\u25bc" },
  e: { word: "equivalent", sign: "=" },
  n: { word: "not distinguished", sign: "\u00b7" },
};

const METRICS = {
  r2_human: ["Human takes", "R2 without machine renditions"],
  r2_within_passage: [
    "Within passage",
    "R2 of labels and predictions centred by passage: knowing the music is worth nothing",
  ],
  accuracy_within_passage: ["Pairs in order", "share of pairs of takes of one passage put in the right order"],
  spearman: ["Spearman", "rank correlation, averaged over dimensions"],
  ccc: ["CCC", "concordance correlation, averaged over dimensions"],
  mae: ["MAE", "mean absolute error, labels being between 0 and 1"],
  r2_per_fold: ["Mean over folds", "mean of the R2 of single folds"],
};

function rowTitle(row) {
  return row.head ? `${row.encoder.name} \u00b7 ${row.head.name}` : row.encoder.name;
}

function rowDetail(row) {
  const taken = row.layers && row.layers !== "last" ? [`layers ${row.layers}`] : [];
  const repeated = row.seeds > 1 ? [plural(row.seeds, "seed")] : [];
  return [row.input, ...taken, ...row.options, ...repeated].join("; ");
}

function rankText(standing) {
  return standing ? range(standing.best_rank, standing.worst_rank) : NOT_KNOWN;
}

// Rows between the first and the last of a group that can be told apart are said by the count.
function groupText(standing) {
  if (!standing) return NOT_KNOWN;
  if (standing.group_size === 1) return "none";
  const places = range(standing.group_first, standing.group_last);
  const all = standing.group_last - standing.group_first + 1;
  return all === standing.group_size ? `no. ${places}` : `${standing.group_size} of no. ${places}`;
}

function againstBest(standing) {
  if (!standing) return NOT_KNOWN;
  if (!standing.verdict) return "it is no. 1";
  return `${standing.verdict} (${signed(standing.difference)})`;
}

function probability(value) {
  return value < 0.001 ? "p < 0.001" : `p = ${number(value)}`;
}

// Of a row against another of the protocol; null where one of them cannot be compared.
function verdictLetter(view, row, other) {
  const places = [view.places.get(row), view.places.get(other)];
  if (places.some((place) => place === undefined) || row === other) return null;
  const letter = view.verdictsOf(Math.max(...places))[Math.min(...places)];
  return letter === "w" && places[0] < places[1] ? "b" : letter;
}

function standingSentence(view, row) {
  const { standing, comparable } = row.scores[view.name];
  if (!standing) {
    const why = comparable ? view.protocol.limit : reasons(row.scores[view.name]);
    return `It has no rank on ${view.name}: ${why}.`;
  }
  const rank =
    standing.best_rank === standing.worst_rank
      ? `Its rank is ${standing.best_rank} in 95% of resamples`
      : `Its rank lies between ${standing.best_rank} and ${standing.worst_rank} (95% interval)`;
  const group =
    standing.group_size === 1
      ? "it is told apart from every other row"
      : `it cannot be told apart from ${plural(standing.group_size - 1, "other row")}`;
  const best = standing.may_be_best ? ", and it may be the best of all" : "";
  return `${rank}; ${group}${best}.`;
}

function reasons(scores) {
  return scores.flags.length ? scores.flags.join("; ") : "it cannot be compared";
}

function bestSentence(view, row) {
  const { standing } = row.scores[view.name];
  if (!standing || !standing.verdict) return "";
  const bounds = span({ low: standing.difference_low, high: standing.difference_high });
  return (
    `Against no. 1: ${standing.verdict}, a difference in R2 of ${signed(standing.difference)} ` +
    `${bounds}, ${probability(standing.p_adjusted)} after correction for all rows.`
  );
}

// The protocol as a whole: how much of its order is known.
function summary(view, level) {
  const { protocol } = view;
  const count = protocol.comparable;
  if (!protocol.scope) {
    return [
      element("strong", {}, "Nothing is tested here: "),
      `${protocol.limit}. Rows stand by their R2, and the order does not say which is better.`,
      view.commonFlags.length ? element("span", { class: "detail fault" }, `Of every row: ${view.commonFlags.join("; ")}.`) : null,
    ].filter(Boolean);
  }
  const { w: apart, e: equal, n: open } = protocol.pairs;
  const best = view.rows.filter((row) => row.scores[view.name].standing?.may_be_best).length;
  const sure = percent(level);
  return [
    element("strong", {}, `${plural(count, "row")} can be compared. `),
    best === 1 ? `One of them is the best (${sure}). ` : `The best is among ${grouped(best)} of them (${sure}). `,
    `Of ${plural(apart + equal + open, "pair")}, ${grouped(apart)} can be told apart, `,
    `${equal ? grouped(equal) : "none"} are equivalent, and of ${grouped(open)} it is not known which is better.`,
  ];
}
