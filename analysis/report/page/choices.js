/* What the reader has chosen, words for numbers, and the controls. Reads the JSON in #data. */
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
for (const axis of data.own) defaults[axis.name] = ALL;
const state = { ...defaults };
for (const [key, value] of new URLSearchParams(location.hash.slice(1)))
  if (key in defaults) state[key] = value;
const known = { cost: Object.keys(data.axes), epochs: [ALL, ...data.epochs.map(String)],
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
  $("controls").append(make("fieldset", {}, make("legend", {}, title), box, make("span", { class: "hint small", hidden: "" })));
};
/* Published points exist for some costs only: elsewhere their chip is off and says so. */
const offerPublished = () => {
  const input = document.querySelector("input[name=paper]");
  if (!input) return;
  const hint = input.closest("fieldset").querySelector(".hint");
  const names = Object.keys(data.published).map((axis) => data.axes[axis].name);
  input.disabled = !data.published[state.cost];
  hint.hidden = !input.disabled;
  hint.textContent = names.length ? `Known for ${names.join(" and ")} only.` : "Known for none of these costs.";
};
const changed = () => { remember(); draw(); };
