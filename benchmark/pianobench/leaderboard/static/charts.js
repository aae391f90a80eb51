// The charts that Vega-Lite draws: intervals, dimensions of two rows, learning curves.

// Vega's expressions are interpreted, so that the page runs without compiling text to code.
function draw(place, spec, name) {
  // The libraries come after the table; the page draws again once they are there.
  if (!globalThis.vegaEmbed) return null;
  place.replaceChildren();
  return vegaEmbed(
    place,
    { background: null, ...spec, config: chartConfig() },
    {
      ast: true,
      renderer: "svg",
      // A chart as high as its rows and as wide as its place is warned about, though it is meant.
      logLevel: vega.Error,
      actions: { export: { svg: true, png: true }, source: false, compiled: false, editor: false },
      downloadFileName: name,
      i18n: { CLICK_TO_VIEW_ACTIONS: "Save this picture", SVG_ACTION: "Save as SVG", PNG_ACTION: "Save as PNG" },
      tooltip: { theme: "custom" },
    }
  ).then((drawn) => {
    const summary = place.querySelector("summary");
    if (summary) summary.setAttribute("aria-label", "Save this picture");
    return drawn;
  });
}

// As the theme makes it: a picture that is saved has to hold it as a number.
function colour(name) {
  const probe = element("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function chartConfig() {
  const ink = colour("ink");
  const quiet = colour("quiet");
  const line = colour("line");
  return {
    font: getComputedStyle(document.body).fontFamily,
    view: { stroke: null },
    axis: {
      labelColor: ink, titleColor: quiet, titleFontWeight: "normal", labelFontSize: 12, titleFontSize: 12,
      gridColor: line, domain: false, tickColor: line, labelLimit: 280,
    },
    legend: { labelColor: ink, titleColor: quiet, titleFontWeight: "normal", labelFontSize: 12, orient: "top" },
    header: { labelColor: ink, titleColor: quiet },
    text: { color: quiet, fontSize: 11 },
    range: { category: ["one", "two", "three", "four", "five", "six"].map((each) => colour(`series-${each}`)) },
  };
}

// Names are looked up, not parsed: an axis shows them as they are.
function namedAxis(labels, width) {
  return {
    params: [{ name: "labels", value: labels }],
    axis: { labelExpr: "labels[datum.value]", title: null, grid: false, ticks: false, labelLimit: width < 600 ? 130 : 300, minExtent: 60 },
  };
}

function drawForest(place, view, items) {
  const values = items.map(({ row, scores }, at) => ({
    key: `${at}`,
    r2: scores.r2,
    c_low: scores.c?.low, c_high: scores.c?.high,
    g_low: scores.g?.low, g_high: scores.g?.high,
    what: `${rowTitle(row)}, ${rowDetail(row)}`,
    rank: rankText(scores.standing),
    apart: groupText(scores.standing),
  }));
  const labels = Object.fromEntries(
    items.map(({ row, number: place, title }, at) => [`${at}`, `${Number.isFinite(place) ? `${place}  ` : ""}${title}${row.options.length ? ` (${row.options.join(", ")})` : `, ${row.input}`}`])
  );
  const { params, axis } = namedAxis(labels, place.clientWidth);
  const y = { field: "key", type: "nominal", sort: null, axis };
  const tooltip = [
    { field: "what", title: "row" }, { field: "r2", title: "R2", format: ".3f" },
    { field: "rank", title: "rank" }, { field: "apart", title: "not told apart from" },
  ];
  const rule = (scope, width, opacity) => ({
    transform: [{ filter: `isValid(datum.${scope}_low)` }],
    mark: { type: "rule", strokeWidth: width, opacity, color: colour("accent") },
    encoding: { y, x: { field: `${scope}_low`, type: "quantitative" }, x2: { field: `${scope}_high` }, tooltip },
  });
  const ceiling = view.dataset.ceiling?.mean;
  const lines = [{ value: 0, what: "" }, ...(ceiling ? [{ value: ceiling, what: "noise ceiling" }] : [])];
  const x = { field: "r2", type: "quantitative", title: `R2 on ${view.name}`, axis: { tickCount: 8 } };
  return draw(
    place,
    {
      description: `R2 on ${view.name} of ${items.length} rows, with 95% intervals. The table of rows holds the same numbers.`,
      data: { values },
      params,
      width: "container",
      height: { step: 22 },
      layer: [
        {
          data: { values: lines },
          mark: { type: "rule", color: colour("quiet"), strokeDash: [4, 3], strokeWidth: 1 },
          encoding: { x: { field: "value", type: "quantitative" } },
        },
        {
          data: { values: lines.slice(1) },
          mark: { type: "text", align: "right", baseline: "bottom", dx: -4, y: -2 },
          encoding: { x: { field: "value", type: "quantitative" }, text: { field: "what" }, y: { value: -2 } },
        },
        rule("g", 1.5, 1),
        rule("c", 5, 0.45),
        { mark: { type: "point", filled: true, size: 60, opacity: 1, color: colour("ink") }, encoding: { y, x, tooltip } },
      ],
    },
    `${view.dataset.dataset}-${view.name}-intervals`
  );
}

// Dimensions of one row, or of two side by side.
function drawDimensions(place, view, rows) {
  const names = view.dataset.dimensions.map(({ name }) => words(name));
  const keys = rows.map((row, at) => `${at}`);
  const values = rows.flatMap((row, at) =>
    row.scores[view.name].dimensions.r2.map((r2, dimension) => {
      const half = row.scores[view.name].dimensions.half?.[dimension];
      return { dimension: names[dimension], of: keys[at], who: rowTitle(row), r2, low: r2 - half, high: r2 + half };
    })
  );
  const labels = Object.fromEntries(rows.map((row, at) => [keys[at], `${rowTitle(row)}, ${rowDetail(row)}`]));
  const y = { field: "dimension", type: "nominal", sort: null, axis: { title: null, ticks: false, grid: rows.length < 2 } };
  const yOffset = rows.length > 1 ? { field: "of", type: "nominal", scale: { paddingOuter: 0.5 } } : undefined;
  const color = {
    field: "of", type: "nominal", scale: { range: [colour("series-one"), colour("series-two")] },
    legend: rows.length > 1 ? { title: null, labelExpr: "labels[datum.value]", labelLimit: 300, direction: "vertical" } : null,
  };
  const tooltip = [{ field: "dimension" }, { field: "who", title: "row" }, { field: "r2", title: "R2", format: ".3f" }];
  const shared = { y, yOffset, color, tooltip };
  return draw(
    place,
    {
      description: `R2 by dimension of ${rows.map(rowTitle).join(" and ")}. The table below holds the same numbers.`,
      data: { values },
      params: [{ name: "labels", value: labels }],
      width: "container",
      height: { step: rows.length > 1 ? 28 : 20, for: "position" },
      layer: [
        { data: { values: [{ zero: 0 }] }, mark: { type: "rule", color: colour("quiet"), strokeDash: [4, 3] }, encoding: { x: { field: "zero", type: "quantitative" } } },
        { transform: [{ filter: "isValid(datum.low) && isFinite(datum.low)" }], mark: { type: "rule", strokeWidth: 2, opacity: 0.6 }, encoding: { ...shared, x: { field: "low", type: "quantitative" }, x2: { field: "high" } } },
        { mark: { type: "point", filled: true, size: 55, opacity: 1 }, encoding: { ...shared, x: { field: "r2", type: "quantitative", title: `R2 on ${view.name}`, axis: { tickCount: 8 } } } },
      ],
    },
    `${view.dataset.dataset}-${view.name}-dimensions`
  );
}

// `field` of every model by epoch, with the epoch that was kept.
function drawCurves(place, view, row, field, title) {
  const curves = row.scores[view.name].curves;
  const values = curves.flatMap(({ fold, seed, best, epochs, loss_1e5, validation_r2 }) =>
    epochs.map((epoch, at) => ({
      fold, seed, model: `${fold} ${seed}`, epoch: epoch + 1, kept: epoch === best,
      loss: loss_1e5[at] / 1e5, r2: validation_r2[at],
    }))
  );
  // Below it a network has not begun to learn, and its first epochs would flatten all others.
  const least = Math.max(-0.25, Math.min(...values.map(({ r2 }) => r2)));
  const scale = field === "r2" ? { domainMin: least, nice: true } : { zero: false };
  const x = { field: "epoch", type: "quantitative", title: "epoch" };
  const y = { field, type: "quantitative", title, scale };
  const color = { field: "fold", type: "nominal", title: "fold" };
  const tooltip = [{ field: "fold" }, { field: "seed" }, { field: "epoch" }, { field, title, format: ".3f" }];
  return draw(
    place,
    {
      description: `${title} of ${plural(curves.length, "model")} by epoch; points are the epochs that were kept.`,
      data: { values },
      width: "container",
      height: 200,
      layer: [
        { mark: { type: "line", strokeWidth: 1.5, clip: true }, encoding: { x, y, color, detail: { field: "model", type: "nominal" } } },
        { transform: [{ filter: "datum.kept" }], mark: { type: "point", filled: true, size: 45, opacity: 1, clip: true }, encoding: { x, y, color, tooltip } },
      ],
    },
    `${row.name}-${view.name}-${field}`
  );
}
