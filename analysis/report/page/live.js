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
