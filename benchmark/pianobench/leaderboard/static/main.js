// The page: what is chosen, and what follows from it. The choice is kept in the address.

const board = readBoard(find("board-data").textContent);
const state = { dataset: 0, protocol: "", tab: "rows", row: "", other: "" };
let view;
let table;
let columns = null;
let opener = null;

function choose(select, names, chosen) {
  select.replaceChildren(...names.map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
}

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const wanted = given.get("dataset");
  state.dataset = Math.max(0, board.datasets.findIndex((each) => datasetName(each) === wanted));
  const names = board.datasets[state.dataset].protocols.map(({ name }) => name);
  const first = names.includes(board.ranking) ? board.ranking : names[0];
  state.protocol = names.includes(given.get("protocol")) ? given.get("protocol") : first;
  state.tab = TABS.includes(given.get("tab")) ? given.get("tab") : "rows";
  state.row = given.get("row") ?? "";
  state.other = given.get("other") ?? "";
}

function writeAddress() {
  const kept = { dataset: datasetName(view.dataset), protocol: state.protocol, tab: state.tab, row: state.row, other: state.row && state.other };
  const given = Object.entries(kept).filter(([, value]) => value);
  history.replaceState(null, "", `#${new URLSearchParams(given)}`);
}

function datasetName({ dataset, version }) {
  return `${dataset} ${version}`;
}

function showProtocol() {
  const dataset = board.datasets[state.dataset];
  const protocol = dataset.protocols.find(({ name }) => name === state.protocol);
  view = makeView(board, dataset, protocol);
  view.items = view.rows.map((row) => itemOf(view, row));
  choose(find("protocol"), dataset.protocols.map(({ name, summary }) => [name, `${name} \u2013 ${summary}`]), state.protocol);
  find("protocol-note").textContent = protocolNote(dataset, protocol);
  find("known").replaceChildren(...summary(view, board.level));
  showFilters();
  showColumns();
  remakeTable([{ column: "r2", dir: "desc" }]);
}

function protocolNote({ clips, ceiling, absent_baselines: absent }, { ranks }) {
  return [
    `${plural(clips, "clip")}${ceiling ? `, noise ceiling ${number(ceiling.mean)}` : ""}.`,
    ranks ? "This protocol ranks the leaderboard." : `Rows are ranked on ${board.ranking}; this is shown beside it.`,
    absent.length ? `Baselines that are not here: ${absent.join(", ")}.` : "",
  ].join(" ");
}

function isShown({ field, shown, always }) {
  const byDefault = shown && (innerWidth > NARROW_PX || ["rank", "r2"].includes(field));
  return always || (columns ? columns.has(field) : byDefault);
}

// Tabulator draws hidden columns too: a table of those that are shown is made instead.
function remakeTable(sorters) {
  table?.destroy();
  find("pages").replaceChildren();
  document.documentElement.classList.remove("ready");
  const chosen = columnsOf(view, openRow).filter(isShown);
  const known = sorters.filter(({ column }) => chosen.some(({ field }) => field === column));
  table = makeTable(find("rows-table"), view.items, chosen, known, redraw);
  table.on("tableBuilt", () => {
    // A grid may hold rows only, and what is in them takes the focus.
    find("rows-table").querySelector(".tabulator-tableholder").removeAttribute("tabindex");
    document.documentElement.classList.add("ready");
    filterRows();
    performance.mark("interactive");
    redraw();
  });
}

function showFilters() {
  for (const field of ["encoder", "input", "head"]) {
    const select = find(`filter-${field}`);
    const values = [...new Set(view.items.map((item) => item[field]))].filter(Boolean).sort();
    choose(select, [["", "any"], ...values.map((value) => [value, value])], select.value);
  }
}

function filterRows() {
  const sought = find("filter-text").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = ["encoder", "input", "head"].map((field) => [field, find(`filter-${field}`).value]).filter(([, value]) => value);
  const [best, compared] = ["best", "compared"].map((each) => find(`filter-${each}`).checked);
  if (!sought.length && !wanted.length && !best && !compared) {
    if (table.getFilters().length) table.clearFilter();
    return;
  }
  table.setFilter(
    (item) =>
      sought.every((word) => item.searched.includes(word)) &&
      wanted.every(([field, value]) => item[field] === value) &&
      (!best || item.best === 1) &&
      (!compared || item.scores.comparable)
  );
}

function showColumns() {
  const available = columnsOf(view, openRow).filter(({ always }) => !always);
  const boxes = available.map((column) => element("input", { type: "checkbox", checked: isShown(column) }));
  const change = () => {
    columns = new Set(available.filter((_, at) => boxes[at].checked).map(({ field }) => field));
    remakeTable(table.getSorters().map(({ field, dir }) => ({ column: field, dir })));
  };
  find("columns").replaceChildren(
    ...available.map(({ title, help }, at) => {
      boxes[at].addEventListener("change", change);
      return element("label", { title: help }, boxes[at], ` ${title}`);
    })
  );
}

// Only the tab that is seen is drawn.
function redraw() {
  requestAnimationFrame(() => {
    if (!document.documentElement.classList.contains("ready")) return;
    showPages();
    if (state.tab === "rows") return;
    const items = rowsShown(table);
    const place = find(`${state.tab}-content`);
    if (!items.length) return place.replaceChildren("No row is left by these filters.");
    if (state.tab === "intervals") return drawForest(place, view, items);
    if (state.tab === "dimensions") return place.replaceChildren(heatMap(view, items, openRow));
    place.replaceChildren(verdictMatrix(view, items, openRow) ?? `Nothing is tested here: ${view.protocol.limit || "no row shown can be compared"}.`);
  });
}

function showPages() {
  const count = table.getDataCount("active");
  const first = (table.getPage() - 1) * PAGE_ROWS + 1;
  find("pages").hidden = table.getPageMax() < 2;
  find("counter").textContent = count
    ? `${plural(count, "row")}${count > PAGE_ROWS ? `, of which ${range(first, Math.min(count, first + PAGE_ROWS - 1))} are shown` : ""}`
    : "";
}

const TABS = ["rows", "intervals", "dimensions", "pairs"];

function showTab(name, focus = false) {
  state.tab = name;
  for (const each of TABS) {
    const chosen = each === name;
    const tab = find(`tab-${each}`);
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen && focus) tab.focus();
    find(`panel-${each}`).hidden = !chosen;
  }
  if (name === "rows" && table && document.documentElement.classList.contains("ready")) table.redraw();
  redraw();
  writeAddress();
}

function moveTab(event) {
  const at = TABS.indexOf(state.tab);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  showTab(TABS.at(to % TABS.length), true);
}

function openRow(row) {
  if (!find("row").open) opener = document.activeElement;
  state.row = row.name;
  const other = view.rows.find(({ name }) => name === state.other && name !== row.name);
  find("row-title").textContent = rowTitle(row);
  find("row-content").replaceChildren(
    ...rowContent(view, row, other, (chosen) => {
      state.other = chosen?.name ?? "";
      openRow(row);
      find("other").focus();
    }).filter(Boolean)
  );
  const dialog = find("row");
  if (!dialog.open) {
    dialog.showModal();
    find("row-body").scrollTop = 0;
  }
  drawRow(row, other);
  writeAddress();
}

function drawRow(row, other) {
  const dimensions = find("dimensions-chart");
  if (dimensions) drawDimensions(dimensions, view, other ? [row, other] : [row]);
  if (find("r2-chart")) {
    drawCurves(find("r2-chart"), view, row, "r2", "validation R2");
    drawCurves(find("loss-chart"), view, row, "loss", "training loss");
  }
}

function closeRow() {
  state.row = "";
  writeAddress();
  opener?.focus();
}

function nowDark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function showTheme() {
  find("theme").textContent = nowDark() ? "Light" : "Dark";
  find("theme").setAttribute("aria-label", nowDark() ? "Use light colours" : "Use dark colours");
}

function switchTheme() {
  const theme = nowDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("pianobench-theme", theme);
  } catch {
    // Then it lasts as long as the page.
  }
  recolour();
}

function recolour() {
  showTheme();
  redraw();
  const row = state.row && view.rows.find(({ name }) => name === state.row);
  if (row) drawRow(row, view.rows.find(({ name }) => name === state.other && name !== state.row));
}

function start() {
  choose(find("dataset"), board.datasets.map((each, at) => [`${at}`, datasetName(each)]), "");
  find("dataset-field").hidden = board.datasets.length < 2;
  readAddress();
  find("dataset").value = `${state.dataset}`;
  find("dataset").addEventListener("change", (event) => {
    state.dataset = Number(event.target.value);
    const names = board.datasets[state.dataset].protocols.map(({ name }) => name);
    if (!names.includes(state.protocol)) state.protocol = names[0];
    showProtocol();
    writeAddress();
  });
  find("protocol").addEventListener("change", (event) => {
    state.protocol = event.target.value;
    showProtocol();
    writeAddress();
  });
  find("filtering").open = innerWidth > NARROW_PX;
  for (const event of ["input", "change"]) find("filters").addEventListener(event, filterRows);
  find("filters").addEventListener("submit", (event) => event.preventDefault());
  find("tabs").addEventListener("keydown", moveTab);
  for (const each of TABS) find(`tab-${each}`).addEventListener("click", () => showTab(each));
  find("theme").addEventListener("click", switchTheme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  find("row").addEventListener("close", closeRow);
  find("row-close").addEventListener("click", () => find("row").close());
  showTheme();
  showProtocol();
  showTab(state.tab);
  // Charts need what comes after this script.
  addEventListener("load", () => {
    const row = view.rows.find(({ name }) => name === state.row);
    redraw();
    if (row) openRow(row);
  });
}

// Without rows, what is plain says it all.
if (board.datasets.length) start();
else document.documentElement.classList.remove("scripted");
