"use strict";
/* What the reader does with the report: choose, hover, search, sort. Reads the JSON in #data. */
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const FEW = 700; // px of width below which everything stands in one column

  /* The reader's choices live in the address, so that they outlast a reload and can be sent on. */
  const ALL = "all";
  const defaults = {
    cost: data.cost, epochs: ALL, px: ALL, view: "frontier",
    paper: data.published_shown ? "1" : "0", seeds: "0",
    sort: "", q: "", run: "", pause: "0",
  };
  const state = { ...defaults };
  for (const [key, value] of new URLSearchParams(location.hash.slice(1)))
    if (key in defaults) state[key] = value;
  const known = { cost: Object.keys(data.axes), epochs: [ALL, ...data.epochs.map(String)],
    px: [ALL, ...data.px.map(String)], view: ["frontier", "arms"] };
  for (const key in known) if (!known[key].includes(state[key])) state[key] = defaults[key];

  const remember = () => {
    const changed = Object.entries(state).filter(([key, value]) => value !== defaults[key]);
    const hash = new URLSearchParams(changed).toString();
    try { history.replaceState(null, "", hash ? "#" + hash : location.pathname); } catch { /* as it is */ }
  };

  /* Text and numbers. Plotly reads hover text as simple HTML: nothing of ours may look like it. */
  const safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const percent = (value, digits = 2) => value == null ? "–" : (100 * value).toFixed(digits) + " %";
  const PREFIXES = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"]];
  const engineering = (value, unit = "") => {
    if (value == null) return "–";
    const [factor, prefix] = PREFIXES.find(([f]) => Math.abs(value) >= f) || [1, ""];
    return `${+(value / factor).toPrecision(3)} ${prefix}${unit}`.trim();
  };
  const duration = (s) => s == null ? "–" : s < 60 ? `${+s.toPrecision(3)} s`
    : s < 3600 ? `${+(s / 60).toPrecision(3)} min` : `${+(s / 3600).toPrecision(3)} h`;
  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };

  const runs = new Map(data.runs.map((run) => [run.id, run]));
  const replicas = new Map();
  for (const run of data.runs)
    if (run.cell) replicas.set(run.cell, [...(replicas.get(run.cell) || []), run]);

  /* Controls: radio buttons and check boxes that look like chips. */
  const chips = (key, title, options) => {
    if (options.length < 2) return;
    const box = make("div", { class: "chips" });
    for (const [value, text] of options) {
      const input = make("input", { type: "radio", name: key, value });
      input.checked = state[key] === value;
      input.addEventListener("change", () => { state[key] = value; changed(); });
      box.append(make("label", {}, input, text));
    }
    $("controls").append(make("fieldset", {}, make("legend", {}, title), box));
  };
  const ticks = (title, options) => {
    const box = make("div", { class: "chips" });
    for (const [key, text] of options) {
      const input = make("input", { type: "checkbox", name: key });
      input.checked = state[key] === "1";
      input.addEventListener("change", () => { state[key] = input.checked ? "1" : "0"; changed(); });
      box.append(make("label", {}, input, text));
    }
    $("controls").append(make("fieldset", {}, make("legend", {}, title), box));
  };
  const changed = () => { remember(); draw(); };

  /* Figures. */
  const ARMS = { base: "base (in both arms)", depth: "depth arm", width: "width arm", neither: "other cells" };
  const SYMBOLS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star"];
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const faint = (hex, alpha) => hex + Math.round(255 * alpha).toString(16).padStart(2, "0");
  const armOf = (cell) => cell.is_base ? "base" : cell.arm;
  const regimes = () => state.epochs === ALL ? data.epochs : [Number(state.epochs)];
  const visible = (item) => state.px === ALL || String(item.resolution) === state.px;

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
    const half = cell.error_low == null ? "" : ` ± ${(50 * (cell.error_high - cell.error_low)).toFixed(2)}`;
    const axis = data.axes[state.cost];
    return `<b>${safe(cell.config_id)}</b><br>error ${(100 * cell.error).toFixed(2)}${half} %, ` +
      `${cell.seeds} ${cell.seeds === 1 ? "run" : "runs"}<br>` +
      `${safe(axis.name)} ${engineering(cell.costs[state.cost], axis.unit)}` + lines(shared(own));
  };
  const describeRun = (run) => `<b>${safe(run.id)}</b><br>error ${percent(run.val_error)}, ` +
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
      if (found.length >= many) break;
    }
    return found;
  };
  const TIMES = [1, 2, 5, 10, 30].flatMap((t) => [t, 60 * t, 3600 * t]).concat([0.01, 0.1, 0.5, 180000, 360000, 1800000]);
  const times = (values) => TIMES.filter((t) => t >= Math.min(...values) * 0.97 && t <= Math.max(...values) * 1.03);
  const logAxis = (axis, values, text, format) => {
    if (!values.length) return;
    const pad = 0.06 * Math.log10(Math.max(...values) / Math.min(...values)) + 0.02;
    const at = format === duration ? times(values) : ticksOf(values, 3);
    Object.assign(axis, { type: "log", tickvals: at, ticktext: at.map(format), title: { text, standoff: 6 },
      range: [Math.log10(Math.min(...values)) - pad, Math.log10(Math.max(...values)) + pad] });
  };
  const CONFIG = { displaylogo: false, responsive: false, scrollZoom: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    displayModeBar: matchMedia("(pointer: coarse)").matches ? false : "hover" };
  const show = (node, traces, layout) => {
    Plotly.react(node, traces, layout, CONFIG);
    if (!node.dataset.heard) {
      node.dataset.heard = "1";
      node.on("plotly_click", (event) => {
        const id = event.points[0].customdata;
        if (id) choose(runs.has(id) ? id : (replicas.get(id) || [{}])[0].id);
      });
    }
  };

  const staircase = (cells, cost) => {
    const sorted = [...cells].sort((a, b) => a.costs[cost] - b.costs[cost]);
    let best = Infinity;
    return sorted.map((cell) => [cell.costs[cost], best = Math.min(best, cell.error)]);
  };
  const marks = (cells, cost, arm, panel, first, symbol) => ({
    type: "scatter", mode: "markers", name: ARMS[arm], legendgroup: arm, showlegend: first,
    x: cells.map((c) => c.costs[cost]), y: cells.map((c) => 100 * c.error),
    error_y: cells.some((c) => c.error_low != null) ? { type: "data", symmetric: false, thickness: 1, width: 2,
      array: cells.map((c) => 100 * ((c.error_high ?? c.error) - c.error)),
      arrayminus: cells.map((c) => 100 * (c.error - (c.error_low ?? c.error))) } : undefined,
    marker: { color: color(arm), size: 7, symbol }, customdata: cells.map((c) => c.config_id),
    text: cells.map(describe), hovertemplate: "%{text}<extra></extra>", ...panel,
  });

  const drawExplorer = () => {
    const node = $("explorer"), cost = state.cost, axis = data.axes[cost];
    const list = regimes().filter((e) => data.cells.some((c) => c.epochs === e && c.costs[cost] && visible(c)));
    const { layout, columns } = panelsOf(node, list, (e) => `${e} epochs`);
    const traces = [], seen = new Set();
    const once = (key) => !seen.has(key) && seen.add(key);
    list.forEach((epochs, i) => {
      const id = i ? i + 1 : "", panel = { xaxis: "x" + id, yaxis: "y" + id };
      const cells = data.cells.filter((c) => c.epochs === epochs && c.costs[cost] && visible(c));
      const values = cells.map((c) => 100 * c.error), costs = cells.map((c) => c.costs[cost]);
      if (state.view === "frontier") {
        const whole = (data.frontiers[cost] || {})[epochs];
        if (whole && state.px === ALL && whole.band_low[0] != null) {
          const band = { type: "scatter", mode: "lines", line: { width: 0, shape: "hv" }, hoverinfo: "skip",
            x: whole.cost, legendgroup: "band", ...panel };
          traces.push({ ...band, y: whole.band_low.map((v) => 100 * v), showlegend: false },
            { ...band, y: whole.band_high.map((v) => 100 * v), fill: "tonexty", name: "its 95 % band",
              fillcolor: faint(color("neither"), 0.28), showlegend: !!once("band") });
        }
        const steps = staircase(cells, cost);
        traces.push({ type: "scatter", mode: "lines", line: { shape: "hv", width: 1.6, color: color("soft") },
          x: steps.map((s) => s[0]), y: steps.map((s) => 100 * s[1]), name: "Pareto frontier",
          hoverinfo: "skip", legendgroup: "frontier", showlegend: !!once("frontier"), ...panel });
      } else {
        for (const curve of data.curves[cost] || [])
          if (curve.epochs === epochs && visible(curve))
            traces.push({ type: "scatter", mode: "lines", line: { color: color(curve.arm), width: 1.6 },
              x: curve.cost, y: curve.error.map((e) => 100 * e), hoverinfo: "skip", showlegend: false,
              legendgroup: curve.arm, ...panel });
      }
      const drawn = cells.filter((c) => state.view === "frontier" || armOf(c) !== "neither");
      if (state.seeds === "1") {
        const shown = new Set(drawn.map((c) => c.config_id));
        const own = data.runs.filter((r) => shown.has(r.cell) && r[cost] && r.val_error != null && r.state === "ok");
        values.push(...own.map((r) => 100 * r.val_error));
        traces.push({ type: "scatter", mode: "markers", name: "single runs", legendgroup: "seeds",
          showlegend: !!once("seeds"), x: own.map((r) => r[cost]), y: own.map((r) => 100 * r.val_error),
          marker: { size: 4, color: color("soft"), opacity: 0.7 }, customdata: own.map((r) => r.id),
          text: own.map(describeRun), hovertemplate: "%{text}<extra></extra>", ...panel });
      }
      for (const arm of Object.keys(ARMS)) {
        const own = drawn.filter((c) => armOf(c) === arm);
        const symbol = own.map((c) => SYMBOLS[data.px.indexOf(c.resolution) % SYMBOLS.length]);
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
      const last = i + columns >= list.length;
      logAxis(layout["xaxis" + id], costs, last ? axis.label : "", (v) => engineering(v, axis.unit));
      logAxis(layout["yaxis" + id], values.filter((v) => v > 0), i % columns ? "" : "validation error (%)", (v) => String(+v.toPrecision(3)));
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
      if (rows.length) traces.push({ type: "scatter", mode: "markers", name: `${epochs} epochs`,
        x: rows.map((r) => r.forecast_s), y: rows.map((r) => r.wall_s), customdata: rows.map((r) => r.id),
        marker: { size: 7, symbol: SYMBOLS[i % SYMBOLS.length],
          color: [color("depth"), color("width"), color("good"), color("open"), color("neither")][i % 5] },
        text: rows.map((r) => `<b>${safe(r.id)}</b><br>forecast ${duration(r.forecast_s)}, took ${duration(r.wall_s)}` + lines(r.overrides)),
        hovertemplate: "%{text}<extra></extra>" });
    });
    logAxis(layout.xaxis, all, "run time as forecast before launch", duration);
    logAxis(layout.yaxis, all, "run time as measured", duration);
    show(node, traces, layout);
  };

  const draw = () => { if ($("explorer")) drawExplorer(); drawForecast(); };

  /* The table of runs. */
  const COLUMNS = [
    ["id", "run", (r) => r.id], ["state", "state", (r) => r.state, "minor"],
    ["epochs", "epochs", (r) => r.epochs ?? "–", "minor"], ["resolution", "px", (r) => r.resolution ?? "–", "minor"],
    ["depth", "depth", (r) => r.depth ?? "–", "minor"], ["width", "width", (r) => r.width ?? "–", "minor"],
    ["seed", "seed", (r) => r.seed ?? "–", "minor"], ["val_error", "error", (r) => percent(r.val_error)],
    ["train_error", "train error", (r) => percent(r.train_error), "minor"],
    ["flops", "FLOPs", (r) => engineering(r.flops), "minor"], ["step_time_s", "step time", (r) => engineering(r.step_time_s, "s"), "minor"],
    ["wall_s", "run time", (r) => duration(r.wall_s), "minor"], ["forecast_s", "forecast", (r) => duration(r.forecast_s), "minor"],
  ];
  const texts = new Map(data.runs.map((r) => [r.id, [...COLUMNS.flatMap((c) => [c[2](r), `${c[1]}=${r[c[0]]}`]), r.reason, ...(r.overrides || [])].join(" ").toLowerCase()]));
  const order = (a, b) => a == null ? 1 : b == null ? -1 : typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), "en", { numeric: true });
  const listed = () => {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const found = data.runs.filter((r) => words.every((w) => texts.get(r.id).includes(w)));
    const [key, direction] = state.sort.split(":");
    if (!COLUMNS.some((c) => c[0] === key)) return found;
    const sign = direction === "desc" ? -1 : 1;
    return found.sort((a, b) => a[key] == null || b[key] == null ? order(a[key], b[key]) : sign * order(a[key], b[key]));
  };
  const detail = (run) => {
    const box = make("div");
    if (run.reason) box.append(make("p", {}, run.reason));
    if (run.overrides) box.append(make("p", {}, "Differs from the defaults in ", make("code", {}, run.overrides.join(" ") || "nothing"), "."));
    if (run.command) {
      const copy = make("button", { class: "copy", type: "button" }, "copy");
      const code = make("code", {}, run.command);
      copy.addEventListener("click", () => {
        getSelection().selectAllChildren(code);
        const done = () => { copy.textContent = "copied"; };
        if (navigator.clipboard) navigator.clipboard.writeText(run.command).then(done, () => {});
        else if (document.execCommand("copy")) done();
      });
      box.append(make("p", { class: "small" }, "To repeat this run:"), make("div", { class: "command" }, code, copy));
    } else box.append(make("p", { class: "small" }, "Its folder holds no config.yaml, so there is no command to repeat it."));
    return make("tr", { class: "detail" }, make("td", { colspan: COLUMNS.length }, box));
  };
  const head = make("tr");
  for (const [key, title, , kind] of COLUMNS) {
    const button = make("button", { type: "button" }, title);
    button.addEventListener("click", () => {
      state.sort = state.sort === key + ":asc" ? key + ":desc" : key + ":asc";
      remember(); list();
    });
    head.append(make("th", { "data-key": key, class: kind || "" }, button));
  }
  const body = make("tbody"), count = make("span", { class: "small" });
  const list = () => {
    const found = listed(), [key, direction] = state.sort.split(":");
    for (const th of head.children) {
      if (th.dataset.key === key) th.setAttribute("aria-sort", direction === "desc" ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    }
    const rows = [];
    for (const run of found) {
      const row = make("tr", { class: "run", "data-id": run.id, tabindex: "0" });
      for (const [name, , text, kind] of COLUMNS)
        row.append(make("td", { class: `${kind || ""} ${name === "id" ? "id" : ""}`.trim() }, String(text(run))));
      const toggle = () => { state.run = state.run === run.id ? "" : run.id; remember(); list(); };
      row.addEventListener("click", toggle);
      row.addEventListener("keydown", (event) => { if (event.key === "Enter") toggle(); });
      rows.push(row);
      if (state.run === run.id) { row.classList.add("chosen"); rows.push(detail(run)); }
    }
    body.replaceChildren(...rows);
    count.textContent = ` ${found.length} of ${data.runs.length} runs`;
  };
  const choose = (id) => {
    if (!runs.has(id)) return;
    Object.assign(state, { run: id, q: texts.get(id).includes(state.q.toLowerCase()) ? state.q : "" });
    $("search").value = state.q;
    remember(); list();
    const row = body.querySelector("tr.chosen");
    if (row) row.scrollIntoView({ block: "center" });
  };

  /* A page of a running sweep loads itself anew; choices are in the address, the place is kept. */
  const PLACE = "scaling_study.scroll " + location.pathname;
  const ago = () => {
    const s = (Date.now() - new Date(data.made)) / 1000;
    return s < 90 ? `${Math.max(0, Math.round(s))} s ago` : s < 5400 ? `${Math.round(s / 60)} min ago` : `${Math.round(s / 3600)} h ago`;
  };
  const live = () => {
    $("made").textContent = new Date(data.made).toLocaleString();
    if (!data.live_s) return;
    const text = make("span"), button = make("button", { type: "button", id: "pause" });
    const say = () => {
      const silent = Date.now() - new Date(data.made) > 1000 * (5 * data.live_s + 60);
      text.textContent = ` (${ago()}): ${data.runs_in} of ${data.runs.length} runs are in. ` +
        (silent ? "No news since: the sweep may have stopped. " : "The sweep is running. ");
      button.textContent = state.pause === "1" ? "Follow it again" : "Stop following";
    };
    button.addEventListener("click", () => { state.pause = state.pause === "1" ? "0" : "1"; remember(); say(); });
    $("live").append(text, button);
    $("live").hidden = false;
    say();
    let touched = 0;
    for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => { touched = Date.now(); });
    const loaded = Date.now();
    setInterval(() => {
      say();
      const idle = Date.now() - touched > Math.min(10e3, 500 * data.live_s);
      if (state.pause === "1" || !idle || Date.now() - loaded < 1000 * data.live_s) return;
      try {
        sessionStorage.setItem(PLACE, String(scrollY));
        history.scrollRestoration = "manual";
      } catch { /* the place is lost, no more */ }
      location.reload();
    }, 1000);
  };

  if ($("controls")) {
    chips("view", "Show", [["frontier", "Pareto frontier"], ["arms", "depth and width arms"]]);
    chips("cost", "Cost", Object.entries(data.axes).map(([key, axis]) => [key, axis.name]));
    chips("epochs", "Training length", [[ALL, "all"], ...data.epochs.map((e) => [String(e), `${e} epochs`])]);
    chips("px", "Resolution", [[ALL, "all"], ...data.px.map((p) => [String(p), `${p} px`])].slice(data.px.length > 1 ? 0 : 1));
    ticks("Add", [["seeds", "single runs"], ["paper", "published points"]]);
  }
  if ($("table")) {
    const search = make("input", { type: "search", id: "search", placeholder: "Search runs, as in depth=26 s0", "aria-label": "Search runs" });
    search.value = state.q;
    search.addEventListener("input", () => { state.q = search.value; remember(); list(); });
    $("table").append(make("p", {}, search, count), make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), body)));
    list();
  }
  draw();
  live();
  try {
    const place = sessionStorage.getItem(PLACE);
    if (place !== null) { sessionStorage.removeItem(PLACE); scrollTo(0, Number(place)); }
  } catch { /* as it is */ }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let wide = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== wide) { wide = innerWidth; draw(); } });
})();
