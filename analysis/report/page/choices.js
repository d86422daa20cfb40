/* What the reader has chosen, words for numbers, and the controls. Reads the JSON in #data. */
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const FEW = 700; // px of width below which everything stands in one column

/* The reader's choices live in the address, so that they outlast a reload and can be sent on. */
const ALL = "all";
const FIELDS = new Map(data.fields.map((field) => [field.name, field]));
const ARM = "arm", NONE = "none"; // what colours may say, and all in one panel
const defaults = {
  x: data.opening.x, panel: data.opening.panel, color: data.cells.some((c) => data.arms.includes(c.arm)) ? ARM : NONE, epochs: ALL, px: ALL,
  view: data.opening.view === "arms" ? "arms" : "frontier",
  paper: data.published_shown ? "1" : "0", seeds: "0",
  sort: "", q: "", run: "", pause: "0",
};
for (const axis of data.own) defaults[axis.name] = ALL;
const state = { ...defaults };
for (const [key, value] of new URLSearchParams(location.hash.slice(1)))
  if (key in defaults) state[key] = value;
const known = { x: [...Object.keys(data.axes), ...FIELDS.keys()], color: [ARM, NONE, ...FIELDS.keys()],
  panel: ["epochs", NONE, ...FIELDS.keys()], epochs: [ALL, ...data.epochs.map(String)],
  px: [ALL, ...data.px.map(String)], view: ["frontier", "arms"] };
for (const axis of data.own) known[axis.name] = [ALL, ...axis.values];
for (const key in known) if (!known[key].includes(state[key])) state[key] = defaults[key];

const remember = () => {
  const changed = Object.entries(state).filter(([key, value]) => value !== defaults[key]);
  const hash = new URLSearchParams(changed).toString();
  try { history.replaceState(null, "", hash ? "#" + hash : location.pathname); } catch { /* as it is */ }
};

/* Text and numbers. Plotly reads hover text as simple HTML: nothing of ours may look like it. */
const safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
/* What outcomes are called and how they are written; lengths of training. */
const outcome = data.outcome, inUnit = (value) => outcome.factor * value;
const number = (value, digits = 2) => outcome.factor === 100 ? inUnit(value).toFixed(digits) : String(+inUnit(value).toPrecision(4));
const percent = (value, digits = 2) => value == null ? "–" : number(value, digits) + (outcome.unit && " " + outcome.unit);
const lengthOf = (epochs) => `${epochs} ${outcome.length}`;
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

/* The cost on the horizontal axis; undefined where a setting is there. */
const costShown = () => data.axes[state.x];
/* What a cell has of a field, as text. */
const valueOf = (cell, name) => name === "epochs" ? String(cell.epochs) : cell.at[name];
/* A value of a field in words. */
const worded = (name, value) => name === "epochs" ? lengthOf(value) : name === "resolution" ? `${value} px`
  : name === "variant" || name === "target" ? value : `${FIELDS.get(name).label} ${value}`;

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
const choice = (key, title, options) => {
  if (options.length < 2) return;
  const select = make("select", { name: key });
  for (const [value, text] of options) select.append(make("option", { value, ...state[key] === value && { selected: "" } }, text));
  select.addEventListener("change", () => { state[key] = select.value; changed(); });
  $("controls").append(make("fieldset", {}, make("legend", {}, title), select));
};
const ticks = (title, options) => {
  const box = make("div", { class: "chips" });
  for (const [key, text] of options) {
    const input = make("input", { type: "checkbox", name: key });
    input.checked = state[key] === "1";
    input.addEventListener("change", () => { state[key] = input.checked ? "1" : "0"; changed(); });
    box.append(make("label", {}, input, text));
  }
  $("controls").append(make("fieldset", {}, make("legend", {}, title), box, make("span", { class: "hint small", hidden: "" })));
};
/* Published points exist for some costs only: elsewhere their chip is off and says so. */
const offerPublished = () => {
  const input = document.querySelector("input[name=paper]");
  if (!input) return;
  const hint = input.closest("fieldset").querySelector(".hint");
  const names = Object.keys(data.published).map((axis) => data.axes[axis].name);
  input.disabled = !data.published[state.x];
  hint.hidden = !input.disabled;
  hint.textContent = names.length ? `Known for ${names.join(" and ")} only.` : "Known for none of these costs.";
};
/* Arms and frontiers are about a cost. */
const offerViews = () => {
  for (const input of document.querySelectorAll("input[name=view]")) input.disabled = !costShown();
};
const changed = () => { remember(); draw(); };
