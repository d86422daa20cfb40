/* Everything is put into the page. */
if ($("controls")) {
  chips("view", "Show", [["frontier", "Pareto frontier"], ["arms", `${armNames.join(" and ")} arms`]]);
  const settings = data.fields.map(({ name, label }) => [name, label]);
  chips("x", "Horizontal axis", [...Object.entries(data.axes).map(([key, axis]) => [key, axis.name]), ...settings]);
  choice("color", "Colour", [[ARM, "arm"], ...settings, [NONE, "one for all"]]);
  choice("panel", "Panels", [...FIELDS.has("epochs") ? [] : [["epochs", "training length"]], ...settings, [NONE, "one for all"]]);
  chips("epochs", "Training length", [[ALL, "all"], ...data.epochs.map((e) => [String(e), lengthOf(e)])]);
  chips("px", "Resolution", [[ALL, "all"], ...data.px.map((p) => [String(p), `${p} px`])].slice(data.px.length > 1 ? 0 : 1));
  for (const { name, label, values } of data.own)
    chips(name, label[0].toUpperCase() + label.slice(1), [[ALL, "all"], ...values.map((v) => [v, v])].slice(values.length > 1 ? 0 : 1));
  ticks("Add", [["seeds", "single runs"], ["paper", "published points"]]);
}
if ($("table")) {
  const search = make("input", { type: "search", id: "search", placeholder: "Search runs, as in depth=26 seed=0", "aria-label": "Search runs" });
  search.value = state.q;
  search.addEventListener("input", () => { state.q = search.value; remember(); list(); });
  $("table").append(make("p", {}, search, count), make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), body)));
  list();
}
draw();
live();
/* A link within the page keeps the choices; one to other choices, opened here, is followed. */
addEventListener("hashchange", () => { $(location.hash.slice(1)) ? remember() : location.reload(); });
try {
  const place = sessionStorage.getItem(PLACE);
  if (place !== null) { sessionStorage.removeItem(PLACE); scrollTo(0, Number(place)); }
} catch { /* as it is */ }
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
let wide = innerWidth;
addEventListener("resize", () => { if (innerWidth !== wide) { wide = innerWidth; draw(); } });
