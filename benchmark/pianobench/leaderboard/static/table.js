// The table of rows: what its columns are, and Tabulator to sort, filter and page it.

const PAGE_ROWS = 50;

const NARROW_PX = 700;

function columnsOf(view, open) {
  const scale = scaleOf(view);
  const text = (value) => document.createTextNode(value);
  const plain = (field, title, help, shown = false) => ({
    field, title, help, shown, text: (item) => item[field] || NOT_KNOWN, sorter: "string", width: 92,
  });
  const numeric = (field, title, help, format, shown = false) => ({
    field, title, help, shown, text: (item) => format(item[field]), sorter: "number", width: 78, align: "right",
  });
  const others = view.dataset.protocols.filter(({ name }) => name !== view.name);
  const chosen = [
    { ...numeric("rank", "Rank", "95% interval of the rank over resampled passages; 1 is the best", null, true),
      cell: (item) => rankCell(item), width: 96, narrow: 92, align: "left", lowFirst: true },
    { ...numeric("group", "Not told apart from", "rows whose difference from it may be chance; no. counts rows by R2", null, true),
      cell: (item) => text(groupText(item.scores.standing)), width: 104, align: "left", lowFirst: true },
    { ...plain("title", "Row", "encoder and head; below, what the encoder hears and options that are not the defaults", true),
      cell: (item) => rowCell(item, open), always: true, width: 266, narrow: 166 },
    { ...numeric("r2", `R2 on ${view.name}`, `uniform mean over dimensions, with its 95% interval for ${view.people}`, null, true),
      cell: (item) => scoreCell(item), width: 118, narrow: 112 },
    { ...numeric("half", "Intervals", "95%: thick for new passages by these performers, thin for new performers as well; the line is 0", null, true),
      cell: (item) => intervalCell(item, scale), width: 166, align: "left", lowFirst: true },
    numeric("of_ceiling", "Of ceiling", "share of the R2 that the reliability of the labels allows", number, true),
    ...Object.entries(METRICS).map(([field, [title, help]]) =>
      numeric(field, title, help, number, ["r2_human", "r2_within_passage", "accuracy_within_passage"].includes(field))),
    ...others.map(({ name, summary }) => numeric(`r2_${name}`, name, `R2 on ${name}: ${summary}`, number, name === "unseen" || name === view.board.ranking)),
    { ...numeric("difference", "Against no. 1", "verdict after correction for all rows, and the difference in R2"),
      text: (item) => againstBest(item.scores.standing), width: 150, align: "left" },
    plain("encoder", "Encoder", "what turns music into features"),
    plain("input", "Hears", "renderer and instrument, recordings, or notes"),
    plain("layers", "Layers", "layers of the encoder that were taken"),
    plain("pooling", "Pooling", "what makes a vector of a clip's frames"),
    plain("head", "Head", "what predicts the labels"),
    numeric("seeds", "Seeds", "repetitions that predictions are averaged over", grouped),
    { ...plain("overlap", "Overlap", "whether the encoder's pretraining data holds music of the dataset: known, none or unknown", true) },
    plain("licence", "Licence", "of the encoder"),
    numeric("parameters", "Parameters", "number of the encoder's weights", rough),
    numeric("speed", "Encoding speed", "seconds of audio encoded in a second", (value) => rough(value, "\u00d7")),
    numeric("train", "Training", "seconds for all folds, seeds and protocols", (value) => rough(value, "s")),
    plain("device", "Device", "that encoded and trained"),
    { ...plain("badges", "Checked", "what has been checked of the row; see below", true) },
  ];
  return chosen.filter(({ always, field }) => always || view.items.some((item) => item[field] !== null && item[field] !== undefined && item[field] !== ""));
}

function rankCell(item) {
  const { standing } = item.scores;
  const best = standing?.may_be_best ? element("span", { class: "tag" }, "may be best") : null;
  // Where there is no room for a column of its own.
  const group = standing ? element("span", { class: "detail" }, `not told apart from ${groupText(standing)}`) : null;
  return element("span", { class: standing ? "rank" : "rank unknown" }, rankText(standing), best, group);
}

function rowCell(item, open) {
  const place = Number.isFinite(item.number) ? `${item.number}` : NOT_KNOWN;
  return element(
    "span",
    { class: "row-cell" },
    element("span", { class: "place", title: "place by R2; not a rank" }, place),
    element(
      "span",
      {},
      element("button", { type: "button", class: "open", onclick: () => open(item.row) }, item.title),
      element("span", { class: "detail" }, rowDetail(item.row)),
      item.faults.length ? element("span", { class: "detail fault" }, item.faults.join("; ")) : null
    )
  );
}

function scoreCell(item) {
  const bounds = headline(item.scores);
  return element(
    "span",
    {},
    element("strong", {}, number(item.r2)),
    bounds ? element("span", { class: "detail" }, span(bounds)) : null
  );
}

function intervalCell(item, scale) {
  const { c, g } = item.scores;
  const bar = (bounds, kind) =>
    bounds ? element("i", { class: kind, "--from": scale.at(bounds.low), "--to": scale.at(bounds.high) }) : null;
  return element(
    "span",
    { class: "interval", "aria-hidden": "true" },
    element("i", { class: "zero", "--from": scale.at(0) }),
    bar(g, "wide"),
    bar(c, "near"),
    element("i", { class: "point", "--from": scale.at(item.r2) })
  );
}

function tabulatorColumn(column) {
  return {
    field: column.field,
    title: column.title,
    sorter: column.sorter,
    sorterParams: { alignEmptyValues: "bottom" },
    headerSortStartingDir: column.sorter === "number" && !column.lowFirst ? "desc" : "asc",
    hozAlign: column.align,
    headerHozAlign: column.align,
    width: innerWidth > NARROW_PX ? column.width : column.narrow ?? column.width,
    titleFormatter: () =>
      element("button", { type: "button", class: "sort", title: column.help }, column.title),
    // A string from a formatter would be parsed as markup; an element never is.
    formatter: (cell) => {
      const item = cell.getData();
      return column.cell ? column.cell(item) : document.createTextNode(column.text(item));
    },
  };
}

function makeTable(place, items, columns, sorters, changed) {
  const table = new Tabulator(place, {
    data: items,
    index: "id",
    columns: columns.map(tabulatorColumn),
    layout: "fitData",
    renderVertical: "basic",
    pagination: true,
    paginationSize: PAGE_ROWS,
    paginationElement: find("pages"),
    initialSort: sorters,
    placeholder: "No row is left by these filters.",
    columnDefaults: { resizable: false },
  });
  for (const event of ["dataFiltered", "dataSorted", "pageLoaded"]) table.on(event, changed);
  return table;
}

// The rows of the page that the table is at, as it sorts and filters them.
function rowsShown(table) {
  const active = table.getData("active");
  const first = (Math.max(1, table.getPage() || 1) - 1) * PAGE_ROWS;
  return active.slice(first, first + PAGE_ROWS);
}
