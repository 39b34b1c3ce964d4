// EM for a mixture of Gaussians in the plane, half step by half step. The same as dclib.gmm (a test compares them).
import { COLORS, INK, begin, button, caption, choice, codeBox, color, dark, element, fixed, mixed, Plane, python, random, row, slider, Steps } from "./demo.js";

// --- the algorithm: x is a list of points [x, y], a covariance [[a, b], [b, c]] is written [a, b, c] -------------------

export function nearest(x, means) {                  // hard responsibilities: 1 for the nearest mean, as in k-means
  return x.map(p => {
    const d = means.map(m => (p[0] - m[0]) ** 2 + (p[1] - m[1]) ** 2), best = d.indexOf(Math.min(...d));
    return d.map((_, k) => +(k === best));
  });
}

export function mStep(x, r, kind, reg, old) {        // weights, means and covariances from responsibilities (n, k)
  const k = r[0].length, counts = Array(k).fill(0), means = [], covariances = [];
  for (const row of r) row.forEach((v, j) => { counts[j] += v; });
  for (let j = 0; j < k; j++) {
    if (counts[j] < 1e-9) {                          // no sample: it stays where it is
      means.push(old.means[j]); covariances.push(old.covariances ? old.covariances[j] : [1, 0, 1]);
      continue;
    }
    const m = [0, 1].map(i => x.reduce((sum, p, n) => sum + r[n][j] * p[i], 0) / counts[j]);
    const s = [0, 0, 0];
    x.forEach((p, n) => {
      const [u, v] = [p[0] - m[0], p[1] - m[1]], w = r[n][j] / counts[j];
      s[0] += w * u * u; s[1] += w * u * v; s[2] += w * v * v;
    });
    means.push(m); covariances.push(s);
  }
  const weights = counts.map(c => c / x.length);
  const tied = [0, 1, 2].map(i => covariances.reduce((sum, s, j) => sum + weights[j] * s[i], 0));
  const shaped = covariances.map(s => {
    if (kind === "tied") s = tied;
    if (kind === "diag") s = [s[0], 0, s[2]];
    if (kind === "spherical") s = [(s[0] + s[2]) / 2, 0, (s[0] + s[2]) / 2];
    return [s[0] + reg, s[1], s[2] + reg];
  });
  return { weights, means, covariances: shaped };
}

export function eStep(x, { weights, means, covariances }) { // responsibilities (n, k) and the mean log-likelihood
  const parts = covariances.map(([a, b, c], j) => {
    const det = a * c - b * b;
    return { a: c / det, b: -b / det, c: a / det, constant: Math.log(weights[j]) - Math.log(det) / 2 - Math.log(2 * Math.PI) };
  });
  let total = 0;
  const r = x.map(p => {
    const joint = parts.map(({ a, b, c, constant }, j) => {
      const u = p[0] - means[j][0], v = p[1] - means[j][1];
      return constant - (a * u * u + 2 * b * u * v + c * v * v) / 2;
    });
    const largest = Math.max(...joint), norm = joint.reduce((sum, v) => sum + Math.exp(v - largest), 0);
    total += largest + Math.log(norm);
    return joint.map(v => Math.exp(v - largest) / norm);
  });
  return { r, bound: total / x.length };
}

// A half step: {phase, means, r, mixture, bounds} -> the next state. Phases: start, assigned, m, e.
export function next(x, state, kind, reg) {
  if (state.phase === "start") return { ...state, phase: "assigned", r: nearest(x, state.means) };
  if (state.phase === "m") {
    const { r, bound } = eStep(x, state.mixture);
    return { ...state, phase: "e", r, bounds: [...state.bounds, bound] };
  }
  const mixture = mStep(x, state.r, kind, reg, { means: state.means, ...state.mixture });
  return { ...state, phase: "m", mixture, means: mixture.means };
}

export const started = means => ({ phase: "start", means, r: null, mixture: null, bounds: [] });
export const isDone = ({ phase, bounds }, tol = 1e-6) =>
  phase === "e" && bounds.length > 1 && Math.abs(bounds.at(-1) - bounds.at(-2)) < tol;

// --- the page ---------------------------------------------------------------------------------------------------------

const REG = 1e-6, MOST = 1000;
const NAMES = ["blue", "orange", "green", "purple", "sky"];
const KINDS = [["full", "full: any ellipse"], ["tied", "tied: one for all"], ["diag", "diag: along the axes"],
  ["spherical", "spherical: circles"]];

export function render({ model, el }) {
  const { gallery, dataset, view } = model.get("settings");
  const root = begin(el, "EM for a mixture of Gaussians, step by step");
  let data, x, k, kind, seed, steps, looked = -1;

  const plane = new Plane({ view, label: "Points, coloured by their responsibilities, and the ellipse of each Gaussian. " +
    "By keyboard: arrows move a cross-hair, Enter places a point, or takes and drops a mean.", draw: drawPlane });
  const chart = new Plane({ view: [0, 10, 0, 1], ratio: 0.62, largest: 380, xlabel: "iteration", ylabel: "log-likelihood",
    label: "Mean log-likelihood of the points after each E-step", draw: drawChart });
  chart.canvas.tabIndex = -1;
  const says = caption(), notice = element("div", { className: "dclib-note" });
  const readout = element("div", { className: "dclib-note", "aria-live": "polite" });
  const back = button("◀ Back", () => { steps.back(); show(); });
  const forward = button("Next half step ▶", () => { advance(); show(); }, true);
  const run = button("Run to the end", () => {
    let count = 0;
    do advance(); while (!isDone(steps.now) && ++count < MOST);
    show();
  });
  const reset = button("Reset", () => begin_(seed));
  const fresh = button("New start", () => begin_(seed + 1));
  const clear = button("Own points", () => { x = []; data = { title: "own points", notice: "Click to place points." }; begin_(0); });
  const sets = choice("data", gallery.map((d, i) => [String(i), d.title]), String(dataset), value => load(+value));
  const components = slider("Gaussians", { min: 1, max: 5, value: 3 }, value => { k = value; begin_(seed); });
  const kinds = choice("covariance", KINDS, "full", value => { kind = value; begin_(seed); });
  const code = codeBox(() => [
    "import numpy as np", "", "from dclib import GaussianMixture", "",
    `x = np.array(${python(x)})`,
    `start = np.array(${python(steps.states[0].means.map(m => m.map(v => +v.toFixed(4))))})`,
    `model = GaussianMixture(${k}, covariance_type="${kind}", init=start, tol=1e-6, max_iter=${MOST}).fit(x)`,
    "print(model.means_, model.weights_, model.lower_bound_)", ""].join("\n"));
  root.append(
    row(sets.element, components.element, kinds.element), row(back, forward, run, reset, fresh, clear, code.button),
    says.element, element("div", { className: "dclib-stage" }, plane.element,
      element("div", { className: "dclib-panel" }, chart.element, readout, notice)), code.box);

  function load(index) {
    data = gallery[index]; x = data.points; k = data.k; kind = data.kind;
    components.value = k; kinds.value = kind;
    begin_(0);
  }
  function begin_(number) {                          // seed 0 is the start that the gallery names
    seed = number;
    const named = data.start && seed === 0 && data.start.length === k;
    const chosen = x.length < k ? [] : named ? data.start : random(seed + 1).choose(x.length, k);
    steps = new Steps(started(chosen.map(i => x[i])));
    show();
  }
  function advance() { if (x.length >= k && !isDone(steps.now)) steps.add(next(x, steps.now, kind, REG)); }

  function show() {
    const state = steps.now, ready = x.length >= k, done = isDone(state);
    back.disabled = !steps.canBack;
    forward.disabled = run.disabled = !ready || done;
    const after = { start: "join the nearest", assigned: "M-step", e: "M-step", m: "E-step" }[state.phase];
    forward.textContent = done ? "Converged" : `Next: ${after} ▶`;
    says.say(words(state, ready, done));
    notice.textContent = data.notice;
    plane.redraw(); chart.redraw(); tell();
  }

  function words(state, ready, done) {
    if (!ready) return `Place at least ${k} points: click into the picture. ${x.length} so far.`;
    const bound = state.bounds.at(-1), gain = bound - state.bounds.at(-2);
    const lonely = state.mixture ? state.mixture.covariances.findIndex(([a, b, c]) => a * c - b * b < 1e-8) : -1;
    if (lonely >= 0) return `<b>A trap.</b> The ${NAMES[lonely]} Gaussian sits on one point or on a line of points: its ` +
      "density there grows without bound as it shrinks. Only the small number added to its variance stops it.";
    if (state.phase === "start") return `<b>Start.</b> The crosses are the first means. Each point will join the nearest, as in k-means.`;
    if (state.phase === "assigned") return "<b>Hard assignment.</b> Now the <b>M-step</b> gives each group a weight, a mean and a shape.";
    const weights = state.mixture.weights.map((w, j) => `${NAMES[j]} ${fixed(w)}`).join(", ");
    if (state.phase === "m") return `<b>M-step:</b> each Gaussian took the mean and the shape of its points. Weights: ${weights}.`;
    const shared = state.r.filter(row => Math.max(...row) < 0.9).length;
    const head = done ? `<b>Converged</b> after ${state.bounds.length} iterations:` : "<b>E-step:</b>";
    const change = Number.isNaN(gain) ? "" : ` (${gain < 0 ? "−" : "+"}${Math.abs(gain).toPrecision(2)})`;
    return `${head} ${shared} of ${x.length} points are shared (largest responsibility below 0.9). ` +
      `Log-likelihood <b>${fixed(bound, 3)}</b>${change}.`;
  }

  function tell() {                                  // the responsibilities of the point under the pointer
    const state = steps.now;
    readout.textContent = looked < 0 || !x[looked] ? "Move over a point to read its responsibilities." : !state.r ? "This point has no responsibilities yet."
      : "This point: " + state.r[looked].map((v, j) => `${NAMES[j]} ${fixed(v)}`).join(", ");
  }

  function drawPlane(p) {
    const state = steps.now;
    p.clear();
    if (state.mixture) state.mixture.covariances.forEach((s, j) => {
      p.ellipse(state.means[j], s, 2, dark(color(j)), COLORS[j] + "22");
      p.ellipse(state.means[j], s, 1, dark(color(j)), "", 2);
    });
    x.forEach(([u, v], i) => {
      const r = state.r && state.r[i], best = r ? r.indexOf(Math.max(...r)) : 0;
      p.point(u, v, best, r ? mixed(r) : "#888888", 5.5, i === looked ? "black" : "#ffffff");
    });
    if (x.length) state.means.forEach((m, j) => p.mean(...m, color(j)));
    p.done(`${x.length} points, ${state.means.length} means, ${state.phase}`);
  }

  function drawChart(p) {
    const bounds = steps.now.bounds, all = steps.states.at(-1).bounds.concat(bounds);
    const low = Math.min(...all), high = Math.max(...all), room = Math.max(0.15 * (high - low), 0.02);
    p.view = all.length ? [0.5, Math.max(6.5, all.length / 2 + 0.5, bounds.length + 0.5), low - room, high + room] : [0.5, 6.5, -5, -3];
    p.clear({ whole: true });
    p.line(bounds.map((b, i) => [i + 1, b]), INK);
    if (bounds.length <= 30) bounds.forEach((b, i) => p.point(i + 1, b, 0, COLORS[0], 6));
    p.done(`${bounds.length} values`);
  }

  plane.interact({
    grab(u, v, reach) {
      const j = x.length ? steps.now.means.findIndex(m => Math.hypot(m[0] - u, m[1] - v) < reach) : -1;
      return j < 0 ? null : j;
    },
    drag(j, u, v) {                                  // another start, from the means as they are
      steps.restart(started(steps.now.means.map((m, i) => i === j ? [u, v] : m)));
      show();
    },
    click(u, v) {
      if (x.length >= 400) return;
      x = [...x, [+u.toFixed(2), +v.toFixed(2)]];
      data = { ...data, start: null };
      if (x.length <= k) begin_(seed);
      else { steps.restart(started(steps.states[0].means)); show(); }
    },
    look(u, v, reach) {
      let best = reach, found = -1;
      x.forEach((p, i) => { const d = Math.hypot(p[0] - u, p[1] - v); if (d < best) { best = d; found = i; } });
      if (found !== looked) { looked = found; tell(); plane.redraw(); }
    },
  });
  load(dataset);
}
export default { render };
