/* The interactive figures: frontiers, arms, forecasts. */
const staircase = (cells, cost) => {
  const sorted = [...cells].sort((a, b) => a.costs[cost] - b.costs[cost] || a.error - b.error);
  let best = Infinity;
  return { cost: sorted.map((c) => c.costs[cost]), error: sorted.map((c) => best = Math.min(best, c.error)), band_low: [null] };
};
const drawExplorer = () => {
  const node = $("explorer"), cost = state.cost, axis = data.axes[cost];
  const list = regimes().filter((e) => data.cells.some((c) => c.epochs === e && c.costs[cost] && visible(c)));
  const { layout, columns } = panelsOf(node, list, lengthOf);
  const traces = [], seen = new Set();
  const once = (key) => !seen.has(key) && seen.add(key);
  const kinds = KINDS.filter((kind) => data.cells.some((c) => kindOf(c) === kind && visible(c)));
  const several = kinds.length > 1; // then the mark says which, and a curve says it at its end
  if (several && state.view === "arms") layout.margin.r = 44;
  list.forEach((epochs, i) => {
    const id = i ? i + 1 : "", panel = { xaxis: "x" + id, yaxis: "y" + id };
    const cells = data.cells.filter((c) => c.epochs === epochs && c.costs[cost] && visible(c));
    const values = cells.flatMap((c) => [c.error, c.error_low ?? c.error, c.error_high ?? c.error].map(inUnit));
    const costs = cells.map((c) => c.costs[cost]);
    if (state.view === "frontier") {
      const whole = data.frontiers[cost][epochs][selection()] || staircase(cells, cost);
      if (whole.band_low[0] != null) {
        const band = { type: "scatter", mode: "lines", line: { width: 0, shape: "hv" }, hoverinfo: "skip",
          x: whole.cost, legendgroup: "band", ...panel };
        traces.push({ ...band, y: whole.band_low.map(inUnit), showlegend: false },
          { ...band, y: whole.band_high.map(inUnit), fill: "tonexty",
            name: list.every((e) => data.assumed.includes(e)) ? "its band from assumed noise" : "its 95 % band",
            fillcolor: faint(color("neither"), 0.28), showlegend: !!once("band") });
      }
      traces.push({ type: "scatter", mode: "lines", line: { shape: "hv", width: 1.6, color: color("soft") },
        x: whole.cost, y: whole.error.map(inUnit), name: "Pareto frontier", legendrank: 999,
        hoverinfo: "skip", legendgroup: "frontier", showlegend: !!once("frontier"), ...panel });
    } else {
      for (const curve of data.curves[cost] || [])
        if (curve.epochs === epochs && visible(curve))
          traces.push({ type: "scatter", mode: several ? "lines+text" : "lines", line: { color: color(curve.arm), width: 1.6 },
            x: curve.cost, y: curve.error.map(inUnit), hoverinfo: "skip", showlegend: false,
            text: curve.cost.map((_, k) => k === curve.cost.length - 1 ? ` ${kindOf(curve)}` : ""),
            textposition: "middle right", textfont: { color: color(curve.arm), size: 11 }, cliponaxis: false,
            legendgroup: curve.arm, ...panel });
    }
    const drawn = cells.filter((c) => state.view === "frontier" || armOf(c) !== "neither");
    if (state.seeds === "1") {
      const shown = new Set(drawn.map((c) => c.config_id));
      const own = data.runs.filter((r) => shown.has(r.cell) && r[cost] && r.val_error != null && r.state === "ok");
      values.push(...own.map((r) => inUnit(r.val_error)));
      traces.push({ type: "scatter", mode: "markers", name: "single runs", legendgroup: "seeds",
        showlegend: !!once("seeds"), x: own.map((r) => r[cost]), y: own.map((r) => inUnit(r.val_error)),
        marker: { size: 4, color: color("soft"), opacity: 0.7 }, customdata: own.map((r) => r.id),
        text: own.map(describeRun), hovertemplate: "%{text}<extra></extra>", ...panel });
    }
    for (const arm of Object.keys(ARMS)) {
      const own = drawn.filter((c) => armOf(c) === arm);
      const symbol = own.map((c) => symbolOf(kindOf(c)));
      if (own.length) traces.push(marks(own, cost, arm, panel, !!once(arm), symbol));
    }
    if (state.paper === "1")
      for (const [k, family] of [...new Set((data.published[cost] || []).map((p) => p.family))].entries()) {
        const own = data.published[cost].filter((p) => p.family === family);
        values.push(...own.map((p) => 100 * p.error)); costs.push(...own.map((p) => p.cost));
        traces.push({ type: "scatter", mode: "markers", name: family + " (paper, ImageNet)", legendgroup: family,
          showlegend: !!once(family), x: own.map((p) => p.cost), y: own.map((p) => 100 * p.error),
          marker: { symbol: k ? "square-open" : "diamond-open", size: 7, color: color("soft") },
          text: own.map((p) => `<b>${safe(p.model)}</b><br>error ${percent(p.error, 1)}<br>Bello et al. 2021, Table 7`),
          hovertemplate: "%{text}<extra></extra>", ...panel });
      }
    if (several && !i) traces.push(...kinds.map((kind) => keyOf(kind, panel)));
    const last = i + columns >= list.length;
    logAxis(layout["xaxis" + id], costs, last ? axis.label : "", (v) => engineering(v, axis.unit));
    outcomeAxis(layout["yaxis" + id], values, i % columns ? "" : outcome.axis);
  });
  show(node, traces, layout);
};

const drawForecast = () => {
  const node = $("forecasts");
  if (!node) return;
  const own = data.runs.filter((r) => r.forecast_s && r.wall_s);
  if (!own.length) { node.remove(); return; }
  const { layout } = panelsOf(node, [0], () => "");
  const all = own.flatMap((r) => [r.forecast_s, r.wall_s]), ends = [Math.min(...all), Math.max(...all)];
  const traces = [{ type: "scatter", mode: "lines", x: ends, y: ends, name: "as forecast", hoverinfo: "skip",
    line: { color: color("soft"), width: 1 } }];
  data.epochs.forEach((epochs, i) => {
    const rows = own.filter((r) => r.epochs === epochs);
    if (rows.length) traces.push({ type: "scatter", mode: "markers", name: lengthOf(epochs),
      x: rows.map((r) => r.forecast_s), y: rows.map((r) => r.wall_s), customdata: rows.map((r) => r.id),
      error_x: { type: "data", symmetric: false, thickness: 0.7, width: 0,
        array: rows.map((r) => r.forecast_ends_s ? r.forecast_ends_s[1] - r.forecast_s : 0),
        arrayminus: rows.map((r) => r.forecast_ends_s ? r.forecast_s - r.forecast_ends_s[0] : 0) },
      marker: { size: 7, symbol: SYMBOLS[i % SYMBOLS.length],
        color: [color("depth"), color("width"), color("good"), color("open"), color("neither")][i % 5] },
      text: rows.map((r) => `<b>${safe(r.id)}</b><br>forecast ${duration(r.forecast_s)}${r.forecast_ends_s ? ` (${r.forecast_ends_s.map(duration).join(" to ")})` : ""}, took ${duration(r.wall_s)}` + lines(r.overrides)),
      hovertemplate: "%{text}<extra></extra>" });
  });
  logAxis(layout.xaxis, all, "run time as forecast before launch", duration);
  logAxis(layout.yaxis, all, "run time as measured", duration);
  show(node, traces, layout);
};

const draw = () => { if ($("explorer")) { offerPublished(); drawExplorer(); } drawForecast(); };
