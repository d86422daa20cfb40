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
const detail = (run) => {
  const box = make("div");
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
  if (row) row.scrollIntoView({ block: "center" });
};
