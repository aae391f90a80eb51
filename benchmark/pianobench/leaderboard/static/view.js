// A protocol of a dataset with its rows: what every table and chart is drawn from.

function readBoard(text) {
  const board = JSON.parse(text);
  for (const dataset of board.datasets) {
    dataset.rows = unpack(dataset.rows);
    const places = Object.fromEntries(dataset.dimensions.map(({ name }, at) => [name, at]));
    for (const category of dataset.categories) category.places = category.dimensions.map((name) => places[name]);
  }
  return board;
}

function makeView(board, dataset, protocol) {
  const rows = protocol.rows.map((place) => dataset.rows[place]);
  const places = new Map(rows.slice(0, protocol.comparable).map((row, place) => [row, place]));
  const expanded = [];
  const flags = rows.map((row) => row.scores[protocol.name].flags);
  return {
    board,
    dataset,
    protocol,
    name: protocol.name,
    rows,
    places,
    verdictsOf: (place) => (expanded[place] ??= expandRuns(protocol.verdicts[place])),
    // What a reader must know of every row alike.
    commonFlags: (flags[0] ?? []).filter((flag) => rows.length > 1 && flags.every((own) => own.includes(flag))),
    // Of dimensions and categories: which interval the page has.
    people: protocol.scope === "G" ? "new passages and new performers" : "new passages by these performers",
  };
}

function numberOf(view, row) {
  const place = view.places.get(row);
  return place === undefined ? null : place + 1;
}

function headline(scores) {
  return scores.g ?? scores.c ?? null;
}

// One flat item per row: what its cells sort and filter by.
function itemOf(view, row) {
  const scores = row.scores[view.name];
  const { standing, metrics, r2 } = scores;
  const others = Object.fromEntries(
    view.dataset.protocols.map(({ name }) => [`r2_${name}`, row.scores[name]?.r2 ?? null])
  );
  return {
    row,
    scores,
    ...others,
    ...metrics,
    id: row.name,
    faults: scores.flags.filter((flag) => !view.commonFlags.includes(flag)),
    number: numberOf(view, row) ?? Infinity,
    rank: standing ? standing.best_rank + standing.worst_rank / 1e4 : null,
    group: standing?.group_size ?? null,
    title: rowTitle(row),
    r2,
    half: headline(scores) ? headline(scores).high - r2 : null,
    of_ceiling: scores.of_ceiling ?? null,
    difference: standing?.difference ?? null,
    best: standing ? Number(standing.may_be_best) : null,
    encoder: row.encoder.name,
    input: row.input,
    head: row.head?.name ?? "",
    pooling: row.pooling?.name ?? "",
    layers: row.layers,
    seeds: row.seeds,
    overlap: row.encoder.overlap,
    pretraining: row.encoder.pretraining,
    licence: row.encoder.licence,
    parameters: row.encoder.parameters ?? null,
    speed: row.cost.audio_s_per_s ?? null,
    train: row.cost.train_s ?? null,
    device: row.cost.device ?? "",
    badges: row.badges.join(", "),
    searched: [row.name, rowTitle(row), rowDetail(row), row.pooling?.name, row.encoder.source]
      .join(" ")
      .toLowerCase(),
  };
}

// The scale that intervals of the table share; a row far below the others does not squeeze them.
function scaleOf(view) {
  let [low, high] = [0, 0.1];
  for (const row of view.rows) {
    const scores = row.scores[view.name];
    const bounds = headline(scores) ?? { low: scores.r2, high: scores.r2 };
    low = Math.min(low, Math.max(bounds.low, -0.3));
    high = Math.max(high, bounds.high);
  }
  return { low, high, at: (value) => `${(100 * (Math.max(value, low) - low)) / (high - low)}%` };
}
