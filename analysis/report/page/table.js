/* The table of runs. */
const COLUMNS = [
  ["id", "run", (r) => r.id], ["state", "state", (r) => r.state, "minor"],
  ...data.run_axes.map(({ name, heading }) => [name, heading, (r) => r[name] ?? "–", "minor"]),
  ["val_error", outcome.name, (r) => percent(r.val_error)],
  ["train_error", "train error", (r) => percent(r.train_error), "minor"],
  ["flops", "FLOPs", (r) => engineering(r.flops), "minor"], ["step_time_s", "step time", (r) => engineering(r.step_time_s, "s"), "minor"],
  ["wall_s", "run time", (r) => duration(r.wall_s), "minor"], ["forecast_s", "forecast", (r) => duration(r.forecast_s), "minor"],
];
/* A run is found by any part of its texts, or by key=value: 2 is not 20 there. */
const texts = new Map(data.runs.map((r) => [r.id, [...COLUMNS.map((c) => c[2](r)), r.reason, ...r.notes, ...(r.overrides || [])].join(" ").toLowerCase()]));
const valuesOf = (run) => {
  const found = new Map();
  const add = (key, ...values) => found.set(key.toLowerCase(), values.map((v) => String(v).toLowerCase()));
  for (const override of run.overrides || []) {
    const equals = override.indexOf("=");
    if (equals > 0) add(override.slice(0, equals).replace(/^[+~]+/, ""), override.slice(equals + 1));
  }
  for (const [key, title, text] of COLUMNS)
    if (run[key] != null) for (const name of [key, title]) add(name, run[key], text(run));
  return found;
};
const values = new Map(data.runs.map((run) => [run.id, valuesOf(run)]));
const searched = new Set([...values.values()].flatMap((own) => [...own.keys()]));
const holds = (run, word) => {
  const equals = word.indexOf("="), key = word.slice(0, equals), value = word.slice(equals + 1);
  if (equals < 0 || !searched.has(key)) return texts.get(run.id).includes(word);
  const own = values.get(run.id).get(key) || [];
  return own.some((text) => !value || text === value || Number(text) === Number(value));
};
const matches = (run) => state.q.toLowerCase().split(/\s+/).filter(Boolean).every((word) => holds(run, word));
const order = (a, b) => a == null ? 1 : b == null ? -1 : typeof a === "number" && typeof b === "number" ? a - b
  : String(a).localeCompare(String(b), "en", { numeric: true });
const listed = () => {
  const found = data.runs.filter(matches);
  const [key, direction] = state.sort.split(":");
  if (!COLUMNS.some((c) => c[0] === key)) return found;
  const sign = direction === "desc" ? -1 : 1;
  return found.sort((a, b) => a[key] == null || b[key] == null ? order(a[key], b[key]) : sign * order(a[key], b[key]));
};
/* A small plot of a run: what was measured while it trained, over its epochs. */
const SVG = "http://www.w3.org/2000/svg";
const drawn = (tag, attributes, text) => {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text != null) node.textContent = text;
  return node;
};
const CURVES = { val_error: [`validation ${outcome.name}`, "depth"], train_error: [`training ${outcome.name}`, "width"], loss: ["training loss", "depth"] };
const curveOf = ({ epoch, lines }) => {
  const W = 320, H = 150, left = 46, right = 12, top = 10, bottom = 30, shown = (name, v) => name === "loss" ? v : inUnit(v);
  const all = Object.entries(lines).flatMap(([name, ys]) => ys.map((v) => shown(name, v)));
  const low = Math.min(...all), high = Math.max(...all), first = epoch[0], last = epoch[epoch.length - 1];
  const x = (e) => left + (W - left - right) * (last > first ? (e - first) / (last - first) : 0.5);
  const y = (v) => top + (H - top - bottom) * (high > low ? (high - v) / (high - low) : 0.5);
  const svg = drawn("svg", { viewBox: `0 0 ${W} ${H}`, class: "curve", role: "img", "aria-label": "learning curve" });
  const text = (at, v, anchor, words) => svg.append(drawn("text", { x: at, y: v, "text-anchor": anchor }, words));
  for (const v of high > low ? [low, high] : [low]) text(left - 5, y(v) + 4, "end", String(+v.toPrecision(3)));
  for (const e of last > first ? [first, last] : [first]) text(x(e), H - bottom + 14, e === last ? "end" : "start", String(+e.toPrecision(3)));
  text((left + W) / 2, H - 3, "middle", outcome.length);
  const legend = make("p", { class: "small" });
  for (const [name, ys] of Object.entries(lines)) {
    const [words, tone] = CURVES[name];
    svg.append(drawn("polyline", { fill: "none", stroke: `var(--${tone})`, "stroke-width": 1.8, points: ys.map((v, i) => `${x(epoch[i])},${y(shown(name, v))}`).join(" ") }));
    legend.append(make("span", { class: `key ${tone}` }, words), " ");
  }
  return make("div", {}, svg, legend);
};
/* How a run's config differs from that of the base: [key, there, here]. */
const asMap = (overrides) => new Map((overrides || []).map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]));
const baseOf = (run) => {
  const rows = FIELDS.get("variant")?.values; // the first of the variants, else the cell that both arms share
  const bases = data.cells.filter((c) => rows ? c.at.variant === rows[0] : c.is_base);
  const own = bases.find((c) => c.epochs === run.epochs) || bases[0];
  const known = own ? (replicas.get(own.config_id) || []).filter((other) => other.overrides) : [];
  return known.find((other) => other.seed === run.seed) || known[0];
};
const against = (run, base) => {
  const here = asMap(run.overrides), there = asMap(base.overrides);
  return [...new Set([...here.keys(), ...there.keys()])].filter((key) => here.get(key) !== there.get(key))
    .map((key) => [key, there.get(key) ?? "default", here.get(key) ?? "default"]);
};
const bytes = (n) => n < 1000 ? `${n} B` : engineering(n, "B");
const part = (title, ...nodes) => make("div", { class: "part" }, make("h3", {}, title), ...nodes);
const insideOf = (run) => {
  const box = make("div", { class: "inside" }), base = baseOf(run);
  if (run.curve) box.append(part("Learning curve", curveOf(run.curve)));
  if (base && base !== run && run.overrides) {
    const rows = against(run, base).map(([key, there, here]) => make("tr", {}, make("td", {}, key), make("td", {}, there), make("td", {}, here)));
    const heads = make("tr", {}, make("th", {}, "setting"), make("th", {}, "base"), make("th", {}, "this run"));
    box.append(part("Config against the base", rows.length ? make("table", { class: "against" }, heads, ...rows) : make("p", { class: "small" }, "It is a run of the base.")));
  }
  if (run.log) box.append(part("End of its log", make("pre", { class: "log" }, run.log)));
  if (run.files.length) box.append(part("Files", make("p", { class: "small" }, make("code", {}, run.folder), ": ",
    run.files.map(([name, size]) => `${name} (${bytes(size)})`).join(", "))));
  return box;
};
const detail = (run) => {
  const box = make("div");
  box.append(insideOf(run));
  for (const text of [run.reason, ...run.notes]) if (text) box.append(make("p", {}, text));
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
    row.setAttribute("aria-expanded", String(state.run === run.id));
    const toggle = () => { state.run = state.run === run.id ? "" : run.id; remember(); list(); };
    row.addEventListener("click", toggle);
    row.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault(); // the space bar would scroll
      toggle();
      [...body.children].find((other) => other.dataset.id === run.id).focus();
    });
    rows.push(row);
    if (state.run === run.id) { row.classList.add("chosen"); rows.push(detail(run)); }
  }
  body.replaceChildren(...rows);
  count.textContent = ` ${found.length} of ${data.runs.length} runs`;
};
const choose = (id) => {
  if (!runs.has(id)) return;
  Object.assign(state, { run: id, q: matches(runs.get(id)) ? state.q : "" });
  $("search").value = state.q;
  remember(); list();
  const row = body.querySelector("tr.chosen");
  if (row) row.scrollIntoView({ block: "start" });
};
