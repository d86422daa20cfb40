/* Figures. */
const armNames = data.arms.map((arm) => arm.split(".").pop().replaceAll("_", " "));
const ARMS = { base: "base (in both arms)", [data.arms[0]]: `${armNames[0]} arm`, [data.arms[1]]: `${armNames[1]} arm`,
  neither: "other cells" };
const SYMBOLS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star"];
/* The first arm has the colour of depth, the second that of width. */
const hue = (name) => ["depth", "width"][data.arms.indexOf(name)] || name;
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + hue(name)).trim();
const faint = (hex, alpha) => hex + Math.round(255 * alpha).toString(16).padStart(2, "0");
const armOf = (cell) => cell.is_base ? "base" : cell.arm;
const inRegime = (item) => state.epochs === ALL || String(item.epochs) === state.epochs;
const visible = (item) => inRegime(item) && (state.px === ALL || String(item.resolution) === state.px) &&
  data.own.every(({ name }) => state[name] === ALL || item[name] === state[name]);
/* What was chosen, as the frontiers are named that have a band: all cells, or one value of one axis. */
const selection = () => {
  const own = data.own.filter(({ name }) => state[name] !== ALL).map(({ name }) => `${name}=${state[name]}`);
  return own.length === 0 ? state.px : state.px === ALL && own.length === 1 ? own[0] : null;
};

/* What tells runs of this study apart comes first; what they share ends the list. */
const setups = data.runs.map((run) => run.overrides).filter(Boolean);
const everywhere = new Set((setups[0] || []).filter((text) => setups.every((set) => set.includes(text))));
const lines = (overrides) => {
  if (!overrides) return "";
  const own = overrides.filter((text) => !everywhere.has(text));
  const sorted = [...own, ...overrides.filter((text) => everywhere.has(text))];
  const shown = sorted.slice(0, 10).map(safe);
  if (sorted.length > shown.length) shown.push(`and ${sorted.length - shown.length} more`);
  return "<br><br>" + shown.join("<br>");
};
const shared = (list) => {
  const sets = list.map((run) => run.overrides).filter(Boolean);
  return sets.length ? sets[0].filter((text) => sets.every((set) => set.includes(text))) : null;
};
const describe = (cell) => {
  const own = replicas.get(cell.config_id) || [];
  const half = cell.error_low == null ? "" : ` ± ${number((cell.error_high - cell.error_low) / 2)}`;
  const key = costShown() ? state.x : Object.keys(data.axes)[0], axis = data.axes[key];
  return `<b>${safe(cell.name)}</b><br>${safe(outcome.name)} ${number(cell.error)}${half} ${safe(outcome.unit)}, ` +
    `${cell.seeds} ${cell.seeds === 1 ? "run" : "runs"}${half && data.assumed.includes(cell.epochs) ? ", assumed noise" : ""}<br>` +
    `${safe(axis.name)} ${engineering(cell.costs[key], axis.unit)}` + lines(shared(own));
};
const describeRun = (run) => `<b>${safe(run.name)}</b><br>${safe(outcome.name)} ${percent(run.val_error)}, ` +
  `${duration(run.wall_s)}` + lines(run.overrides);

/* Panels: the axes of a grid of plots, a plot per training length. */
const panelsOf = (node, keys, titleOf) => {
  const width = node.clientWidth || 800;
  const columns = width < FEW ? 1 : keys.length <= 3 ? keys.length : Math.ceil(Math.sqrt(keys.length));
  const rows = Math.ceil(keys.length / columns);
  const height = (width < FEW ? 300 : columns === 1 ? 430 : 360) * rows + 90;
  const gapX = Math.min(0.07, 0.5 / columns), gapY = rows > 1 ? 78 / height : 0;
  const layout = {
    height, width, margin: { l: 56, r: 12, t: 30, b: 48 }, hovermode: "closest",
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: true,
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: color("ink") },
    legend: { orientation: "h", y: -54 / (height - 120), yanchor: "top", x: 0 },
    hoverlabel: { align: "left", bgcolor: color("card"), bordercolor: color("line"),
      font: { color: color("ink"), size: 12, family: getComputedStyle(document.body).fontFamily } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: color("soft"), activecolor: color("link") },
    annotations: [], shapes: [], dragmode: width < FEW ? false : "zoom",
  };
  layout.margin.b += 26;
  keys.forEach((key, i) => {
    const row = Math.floor(i / columns), column = i % columns, id = i ? i + 1 : "";
    const w = (1 - gapX * (columns - 1)) / columns, h = (1 - gapY * (rows - 1)) / rows;
    const x = [column * (w + gapX), column * (w + gapX) + w];
    const top = 1 - row * (h + gapY);
    const common = { gridcolor: color("grid"), zeroline: false, linecolor: color("line"), automargin: false };
    layout["xaxis" + id] = { ...common, domain: x, anchor: "y" + id };
    layout["yaxis" + id] = { ...common, domain: [Math.max(0, top - h), top], anchor: "x" + id };
    layout.annotations.push({ text: `<b>${safe(titleOf(key))}</b>`, x: x[0], y: top, xref: "paper",
      yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 13 } });
  });
  return { layout, columns };
};
const ticksOf = (values, many) => {
  const low = Math.min(...values), high = Math.max(...values), found = [];
  for (const steps of [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 7, 8, 9]]) {
    found.length = 0;
    for (let d = Math.floor(Math.log10(low)) - 1; d <= Math.ceil(Math.log10(high)); d++)
      for (const s of steps) if (s * 10 ** d >= low * 0.97 && s * 10 ** d <= high * 1.03) found.push(s * 10 ** d);
    if (found.length >= many) return found;
  }
  // A narrow range holds few round multiples of powers of ten: even steps then.
  const rough = (high - low) / (many + 1), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((s) => s * power >= rough) * power;
  if (!(step > 0)) return found;
  return Array.from({ length: many + 3 }, (_, k) => (Math.ceil(low / step) + k) * step).filter((v) => v <= high * 1.001);
};
/* Outcomes that are compared by raw differences may be negative, and have a linear axis. */
const outcomeAxis = (axis, values, text) => {
  if (outcome.log) return logAxis(axis, values.filter((v) => v > 0), text, (v) => String(+v.toPrecision(3)));
  Object.assign(axis, { title: { text, standoff: 6 } });
};
const TIMES = [1, 2, 5, 10, 30].flatMap((t) => [t, 60 * t, 3600 * t]).concat([0.01, 0.1, 0.5, 180000, 360000, 1800000]);
const times = (values) => TIMES.filter((t) => t >= Math.min(...values) * 0.97 && t <= Math.max(...values) * 1.03);
const logAxis = (axis, values, text, format) => {
  if (!values.length) return;
  const low = Math.min(...values), high = Math.max(...values);
  const pad = low === high ? 0.3 : 0.06 * Math.log10(high / low) + 0.006; // one cost alone: a factor of 2 around it
  const shown = low === high ? [low / 2, high * 2] : values;
  const at = format === duration ? times(shown) : ticksOf(shown, 3);
  Object.assign(axis, { type: "log", tickvals: at, ticktext: at.map(format), title: { text, standoff: 6 },
    range: [Math.log10(low) - pad, Math.log10(high) + pad] });
};
/* The buttons are listed one by one: of its own accord plotly.js adds one that uploads the figure. */
const CONFIG = { displaylogo: false, responsive: false, scrollZoom: false, plotlyServerURL: "",
  modeBarButtons: [["toImage"], ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  displayModeBar: matchMedia("(pointer: coarse)").matches ? false : "hover" };
let pointer = "mouse"; // the kind that was used last
addEventListener("pointerdown", (event) => { pointer = event.pointerType; }, true);
const show = (node, traces, layout) => {
  const first = !node.dataset.heard;
  if (first) node.after(make("p", { class: "picked" }));
  else Plotly.Fx.unhover(node); // the tip is about what was drawn before
  node.nextElementSibling.replaceChildren();
  Plotly.react(node, traces, layout, CONFIG);
  if (first) hear(node);
};
const hear = (node) => {
  node.dataset.heard = "1";
  const isKey = (event) => event.data[event.curveNumber].meta === "key";
  for (const kind of ["plotly_legendclick", "plotly_legenddoubleclick"]) node.on(kind, (event) => !isKey(event));
  node.on("plotly_click", (event) => {
    const id = event.points[0].customdata, run = runs.get(id) || (replicas.get(id) || [])[0];
    if (!run) return;
    // The browser's click follows a tap: were the page to move now, another row would get it.
    if (pointer === "mouse") choose(run.id);
    else offer(node.nextElementSibling, run.id);
  });
};
const offer = (place, id) => {
  const button = make("button", { type: "button" }, "See run ", make("span", { class: "id" }, id));
  button.addEventListener("click", () => choose(id));
  place.replaceChildren(button);
};

/* What colours mean: arms, or the values of a setting; each with the cells that it is true of. */
const PALETTE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8b949e", "#8a6100"];
const groupsOf = (cells) => state.color === NONE ? [{ name: "mean over seeds", shade: color("depth"), cells }] : state.color === ARM
  ? Object.entries(ARMS).map(([arm, name]) => ({ name, shade: color(arm), cells: cells.filter((c) => armOf(c) === arm) }))
  : FIELDS.get(state.color).values.map((value, i) => ({ name: worded(state.color, value), shade: PALETTE[i % PALETTE.length],
    cells: cells.filter((c) => valueOf(c, state.color) === value) }));
const across = (cell) => costShown() ? cell.costs[state.x] : valueOf(cell, state.x);

const marks = (cells, { name, shade }, panel, first, symbol) => ({
  type: "scatter", mode: "markers", name, legendgroup: name, showlegend: first,
  x: cells.map(across), y: cells.map((c) => inUnit(c.error)),
  error_y: cells.some((c) => c.error_low != null) ? { type: "data", symmetric: false, thickness: 1, width: 2,
    array: cells.map((c) => inUnit((c.error_high ?? c.error) - c.error)),
    arrayminus: cells.map((c) => inUnit(c.error - (c.error_low ?? c.error))) } : undefined,
  marker: { color: shade, size: 7, symbol }, customdata: cells.map((c) => c.config_id),
  text: cells.map(describe), hovertemplate: "%{text}<extra></extra>", ...panel,
});
/* Names beside points, as in the figures: of all if they are few, else of some that lie evenly. */
const NAMED = [9, 9, 6, 4];
const spread = (list, most) => list.length <= most ? list
  : Array.from({ length: most }, (_, k) => list[Math.round(k * (list.length - 1) / (most - 1))]);
const names = (cells, shadeOf, columns, panel) => {
  const sorted = [...cells].sort((a, b) => across(a) - across(b) || a.error - b.error);
  const shown = spread(sorted, NAMED[Math.min(columns, 3)]), last = across(sorted[sorted.length - 1]), first = across(sorted[0]);
  const errors = cells.map((c) => c.error).sort((a, b) => a - b), middle = errors[Math.floor(errors.length / 2)];
  // The right end has its room on the left; arms that rise have it above, those that fall below.
  const far = (c) => costShown() && last > first && Math.log(across(c) / first) > 0.6 * Math.log(last / first);
  return { type: "scatter", mode: "text", hoverinfo: "skip", showlegend: false, cliponaxis: false, meta: "names",
    x: shown.map(across), y: shown.map((c) => inUnit(c.error)), text: shown.map((c) => `\u2002${safe(c.label)}\u2002`),
    textposition: shown.map((c) => `${c.error > middle ? "top" : "bottom"} ${far(c) ? "left" : "right"}`),
    textfont: { size: 10, color: shown.map(shadeOf) }, ...panel };
};
/* What a mark's shape says: an entry in the legend that draws nothing. */
const kindOf = (item) => [...(data.px.length > 1 ? [`${item.resolution} px`] : []),
  ...data.own.filter(({ name }) => item[name] != null).map(({ name, label }) => `${label} ${item[name]}`)].join(", ");
const natural = (a, b) => a.localeCompare(b, "en", { numeric: true });
const KINDS = [...new Set(data.cells.map(kindOf))].sort(natural);
const symbolOf = (kind) => SYMBOLS[KINDS.indexOf(kind) % SYMBOLS.length];
const keyOf = (kind, panel) => ({ type: "scatter", mode: "markers", name: kind, meta: "key", x: [null], y: [null],
  marker: { color: color("soft"), size: 7, symbol: symbolOf(kind) }, hoverinfo: "skip", ...panel });
