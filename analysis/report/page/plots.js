/* The interactive figures: frontiers, arms, forecasts. */
const staircase = (cells, cost) => {
  const sorted = [...cells].sort((a, b) => a.costs[cost] - b.costs[cost] || a.error - b.error);
  let best = Infinity;
  const members = sorted.filter((c) => c.error < best && ((best = c.error), true));
  let least = Infinity;
  return { cells: members, cost: sorted.map((c) => c.costs[cost]), error: sorted.map((c) => least = Math.min(least, c.error)), band_low: [null] };
};
/* The panels: values of a setting that some cell to be drawn has, or one for all. */
const panelKeys = (cells) => state.panel === NONE ? [NONE] : state.panel === "epochs"
  ? data.epochs.map(String).filter((e) => cells.some((c) => String(c.epochs) === e))
  : FIELDS.get(state.panel).values.filter((value) => cells.some((c) => valueOf(c, state.panel) === value));
const inPanel = (item, key) => state.panel === NONE || (state.panel === "epochs" ? String(item.epochs) === key
  : (item.at ? valueOf(item, state.panel) : String(item[state.panel])) === key);
const frontierTraces = (cells, key, panel, once) => {
  const cost = state.x, known = state.panel === "epochs" && data.frontiers[cost][key];
  const whole = known && known[selection()] || staircase(cells, cost), traces = [];
  if (whole.band_low[0] != null) {
    const band = { type: "scatter", mode: "lines", line: { width: 0, shape: "hv" }, hoverinfo: "skip",
      x: whole.cost, legendgroup: "band", ...panel };
    traces.push({ ...band, y: whole.band_low.map(inUnit), showlegend: false },
      { ...band, y: whole.band_high.map(inUnit), fill: "tonexty",
        name: cells.every((c) => data.assumed.includes(c.epochs)) ? "its band from assumed noise" : "its 95 % band",
        fillcolor: faint(color("neither"), 0.28), showlegend: !!once("band") });
  }
  return [...traces, { type: "scatter", mode: "lines", line: { shape: "hv", width: 1.6, color: color("soft") },
    x: whole.cost, y: whole.error.map(inUnit), name: "Pareto frontier", legendrank: 999,
    hoverinfo: "skip", legendgroup: "frontier", showlegend: !!once("frontier"), ...panel }];
};
const armTraces = (key, panel, several) => (data.curves[state.x] || [])
  .filter((curve) => visible(curve) && inPanel(curve, key))
  .map((curve) => ({ type: "scatter", mode: several ? "lines+text" : "lines", line: { color: color(curve.arm), width: 1.6 },
    x: curve.cost, y: curve.error.map(inUnit), hoverinfo: "skip", showlegend: false,
    text: curve.cost.map((_, k) => k === curve.cost.length - 1 ? ` ${kindOf(curve)}` : ""),
    textposition: "middle right", textfont: { color: color(curve.arm), size: 11 }, cliponaxis: false,
    legendgroup: curve.arm, ...panel }));
/* Means over a setting: a line through cells that are alike in all other settings. */
const settingTraces = (cells, panel) => {
  const others = data.fields.map((f) => f.name).filter((name) => name !== state.x && name !== "variant");
  const alike = new Map(), order = FIELDS.get(state.x).values;
  for (const cell of cells) {
    const key = state.x === "variant" ? "" : JSON.stringify(others.map((name) => valueOf(cell, name)));
    alike.set(key, [...alike.get(key) || [], cell]);
  }
  return [...alike.values()].filter((group) => group.length > 1).map((group) => {
    group.sort((a, b) => order.indexOf(across(a)) - order.indexOf(across(b)));
    return { type: "scatter", mode: "lines", line: { color: color("neither"), width: 1.4 }, x: group.map(across),
      y: group.map((c) => inUnit(c.error)), hoverinfo: "skip", showlegend: false, ...panel };
  });
};
const seedTraces = (cells, panel, first) => {
  const own = cells.flatMap((c) => (replicas.get(c.config_id) || []).filter((r) => r.val_error != null && r.state === "ok")
    .map((r) => [costShown() ? r[state.x] : across(c), r])).filter(([x]) => x);
  return { type: "scatter", mode: "markers", name: "single runs", legendgroup: "seeds", showlegend: first,
    x: own.map(([x]) => x), y: own.map(([, r]) => inUnit(r.val_error)),
    marker: { size: 4, color: color("soft"), opacity: 0.7 }, customdata: own.map(([, r]) => r.id),
    text: own.map(([, r]) => describeRun(r)), hovertemplate: "%{text}<extra></extra>", ...panel };
};
const paperTraces = (panel, once) => [...new Set((data.published[state.x] || []).map((p) => p.family))].map((family, k) => {
  const own = data.published[state.x].filter((p) => p.family === family);
  return { type: "scatter", mode: "markers", name: family + " (paper, ImageNet)", legendgroup: family,
    showlegend: !!once(family), x: own.map((p) => p.cost), y: own.map((p) => 100 * p.error),
    marker: { symbol: k ? "square-open" : "diamond-open", size: 7, color: color("soft") },
    text: own.map((p) => `<b>${safe(p.model)}</b><br>error ${percent(p.error, 1)}<br>Bello et al. 2021, Table 7`),
    hovertemplate: "%{text}<extra></extra>", ...panel };
});
const drawExplorer = () => {
  const node = $("explorer"), axis = costShown(), arms = axis && state.view === "arms";
  const all = data.cells.filter((c) => visible(c) && across(c) && (!arms || armOf(c) !== "neither"));
  const list = panelKeys(all);
  const { layout, columns } = panelsOf(node, list, (key) => key === NONE ? "" : worded(state.panel, key));
  const traces = [], seen = new Set();
  const once = (key) => !seen.has(key) && seen.add(key);
  const kinds = KINDS.filter((kind) => all.some((c) => kindOf(c) === kind));
  const several = kinds.length > 1; // then the mark says which, and a curve says it at its end
  if (several && arms) layout.margin.r = 44;
  if (!axis) tilt(layout);
  list.forEach((key, i) => {
    const id = i ? i + 1 : "", panel = { xaxis: "x" + id, yaxis: "y" + id };
    const cells = all.filter((c) => inPanel(c, key));
    const drawn = !axis ? settingTraces(cells, panel) : arms ? armTraces(key, panel, several) : frontierTraces(cells, key, panel, once);
    const groups = groupsOf(cells).filter((group) => group.cells.length);
    if (state.seeds === "1") drawn.push(seedTraces(cells, panel, !!once("seeds")));
    drawn.push(...groups.map((group) => marks(group.cells, group, panel, !!once(group.name), group.cells.map((c) => symbolOf(kindOf(c))))));
    if (state.paper === "1" && axis) drawn.push(...paperTraces(panel, once));
    const best = axis && new Set(staircase(cells, state.x).cells), shade = (c) => groups.find((g) => g.cells.includes(c)).shade;
    if (axis && !(arms && several)) drawn.push(names(arms || cells.length <= 7 ? cells : cells.filter((c) => best.has(c)), shade, columns, panel));
    traces.push(...drawn);
    if (several && !i) traces.push(...kinds.map((kind) => keyOf(kind, panel)));
    const last = i + columns >= list.length, points = drawn.filter((t) => t.mode === "markers");
    const bars = cells.flatMap((c) => [c.error_low ?? c.error, c.error_high ?? c.error].map(inUnit));
    if (axis) logAxis(layout["xaxis" + id], points.flatMap((t) => t.x), last ? axis.label : "", (v) => engineering(v, axis.unit));
    else Object.assign(layout["xaxis" + id], { type: "category", categoryorder: "array", categoryarray: FIELDS.get(state.x).values,
      tickangle: layout.meta.angle, title: { text: last ? FIELDS.get(state.x).label : "", standoff: 6 } });
    outcomeAxis(layout["yaxis" + id], [...points.flatMap((t) => t.y), ...bars], i % columns ? "" : outcome.axis);
  });
  show(node, traces, layout);
};
/* Names on the horizontal axis that are long stand at an angle, in a margin that holds them. */
const tilt = (layout) => {
  const longest = Math.max(...FIELDS.get(state.x).values.map((value) => value.length));
  const extra = longest > 6 ? Math.min(150, 4.4 * longest) : 0;
  layout.meta = { angle: extra ? -40 : 0 };
  layout.height += extra; layout.margin.b += extra;
  layout.legend.y = -(54 + extra) / (layout.height - layout.margin.t - layout.margin.b);
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

const draw = () => { if ($("explorer")) { offerPublished(); offerViews(); drawExplorer(); } drawForecast(); };
