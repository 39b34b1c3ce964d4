// Lloyd's algorithm in the plane, half step by half step. The same as dclib.kmeans (a test compares them).
import { COLORS, GRAY, INK, begin, button, caption, choice, codeBox, color, dark, element, fixed, Plane, python, random, row, slider, Steps } from "./demo.js";

// --- the algorithm: x is a list of points [x, y] ----------------------------------------------------------------------

export const squared = (p, m) => (p[0] - m[0]) ** 2 + (p[1] - m[1]) ** 2;

export function assign(x, centers) {                 // the nearest centre of each point, the first of equals
  return x.map(p => {
    const d = centers.map(m => squared(p, m));
    return d.indexOf(Math.min(...d));
  });
}

export function update(x, labels, centers) {         // the mean of each cluster; a centre without points stays
  return centers.map((old, k) => {
    const own = x.filter((_, i) => labels[i] === k);
    return own.length ? [0, 1].map(j => own.reduce((sum, p) => sum + p[j], 0) / own.length) : old;
  });
}

export const lossOf = (x, labels, centers) => x.reduce((sum, p, i) => sum + squared(p, centers[labels[i]]), 0);

// A half step. Phases: start, assigned, moved, and stuck once an assignment changes no label.
export function next(x, state) {
  if (state.phase === "stuck") return state;
  if (state.phase === "assigned") {
    const centers = update(x, state.labels, state.centers);
    return { ...state, phase: "moved", centers, path: [...state.path, centers],
             losses: [...state.losses, lossOf(x, state.labels, centers)] };
  }
  const labels = assign(x, state.centers);
  const changed = state.labels ? labels.filter((c, i) => c !== state.labels[i]).length : x.length;
  return { ...state, phase: changed ? "assigned" : "stuck", labels, changed,
           losses: [...state.losses, lossOf(x, labels, state.centers)] };
}

export const started = centers => ({ phase: "start", centers, labels: null, changed: 0, losses: [], path: [centers] });

export function masses(x, centers) {                 // k-means++: the probability of each point to be the next centre
  const d = x.map(p => Math.min(...centers.map(m => squared(p, m)))), sum = d.reduce((a, b) => a + b, 0);
  return d.map(v => sum ? v / sum : 1 / x.length);
}

export function plusPlus(x, k, uniform) {            // k points as centres; `uniform` draws from [0, 1)
  const centers = [x[Math.floor(uniform() * x.length)]];
  while (centers.length < k) {
    const p = masses(x, centers);
    let rest = uniform(), i = 0;
    while (i < x.length - 1 && rest >= p[i]) rest -= p[i++];
    centers.push(x[i]);
  }
  return centers;
}

// Where two clusters meet: pieces of the lines halfway between two centres, as far as no third centre is nearer.
export function borders(centers, [x0, x1, y0, y1]) {
  const found = [];
  centers.forEach((a, i) => centers.slice(i + 1).forEach((b, j) => {
    if (squared(a, b) < 1e-12) return;
    const middle = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], way = [a[1] - b[1], b[0] - a[0]];
    let low = -Infinity, high = Infinity;
    const keep = (slope, room) => {                  // the t with slope · t ≤ room
      if (Math.abs(slope) < 1e-12) { if (room < -1e-12) high = -Infinity; }
      else if (slope > 0) high = Math.min(high, room / slope);
      else low = Math.max(low, room / slope);
    };
    centers.forEach((c, m) => {                      // |p − a|² ≤ |p − c|² is linear in p
      if (m === i || m === i + 1 + j) return;
      const u = 2 * (c[0] - a[0]), v = 2 * (c[1] - a[1]), most = c[0] ** 2 + c[1] ** 2 - a[0] ** 2 - a[1] ** 2;
      keep(u * way[0] + v * way[1], most - u * middle[0] - v * middle[1]);
    });
    keep(way[0], x1 - middle[0]); keep(-way[0], middle[0] - x0);
    keep(way[1], y1 - middle[1]); keep(-way[1], middle[1] - y0);
    if (low < high) found.push([low, high].map(t => [middle[0] + t * way[0], middle[1] + t * way[1]]));
  }));
  return found;
}

// --- the page ---------------------------------------------------------------------------------------------------------

const MOST_POINTS = 400;
const NAMES = ["blue", "orange", "green", "purple", "sky", "red"];
const STARTS = [["points", "random points"], ["plusplus", "k-means++"]];
const OTHER = "which clusters does this start end with? Is its final loss lower than that of another start?";

export function render({ model, el }) {
  const { gallery, dataset, seed: firstSeed, view } = model.get("settings");
  const root = begin(el, "Lloyd's algorithm for k-means, step by step");
  let data, x, k, seed, start, steps, byHand = 0, name;
  let ends = new Map();                              // what each start of these points came to

  const plane = new Plane({ view, label: "Points, coloured by their clusters, the centres as crosses, and the borders " +
    "halfway between centres. By keyboard: arrows move a cross-hair, Enter places a point, or takes and drops a centre " +
    "or a point.", draw: drawPlane });
  const curve = new Plane({ view: [0, 10, 0, 1], ratio: 0.56, largest: 380, xlabel: "half step", ylabel: "loss",
    label: "The loss after each half step", draw: drawCurve });
  const memory = new Plane({ view: [0, 10, 0, 1], ratio: 0.56, largest: 380, xlabel: "start", ylabel: "final loss",
    label: "The final loss of each start so far", draw: drawEnds });
  curve.canvas.tabIndex = memory.canvas.tabIndex = -1;
  const says = caption(), notice = element("div", { className: "dclib-note", "aria-live": "polite" });
  const back = button("◀ Back", () => { steps.back(); show(); });
  const forward = button("Next half step ▶", () => { advance(); show(); }, true);
  const run = button("Run to the end", () => { while (ready() && steps.now.phase !== "stuck") advance(); show(); });
  const reset = button("Reset", () => begin_(seed));
  const fresh = button("New start", () => begin_(seed + 1));
  const clear = button("Own points", () => {
    x = []; data = { title: "own points", notice: "where is the border between a long row and a small group beside it? Click to place points." };
    forget(); begin_(0);
  });
  const sets = choice("data", gallery.map((d, i) => [String(i), d.title]), String(dataset), value => load(+value, 0));
  const clusters = slider("clusters k", { min: 2, max: 6, value: 3 }, value => { k = value; forget(); begin_(seed); });
  const kinds = choice("start from", STARTS, "points", value => { start = value; begin_(seed); });
  const seeds = slider("seed", { min: 0, max: 30, value: 0 }, value => begin_(value));
  const code = codeBox(() => [
    "import numpy as np", "", "from dclib import KMeans", "",
    `x = np.array(${python(x)})`,
    `start = np.array(${python(steps.states[0].centers.map(m => m.map(v => +v.toFixed(4))))})`,
    `model = KMeans(${k}, init=start, tol=0).fit(x)`,
    "print(model.cluster_centers_, model.inertia_)", ""].join("\n"));
  root.append(
    row(sets.element, clusters.element, kinds.element, seeds.element, code.button),
    row(back, forward, run, reset, fresh, clear),
    says.element, element("div", { className: "dclib-stage" }, plane.element,
      element("div", { className: "dclib-panel" }, notice, curve.element, memory.element)), code.box);

  function forget() { ends = new Map(); }
  const ready = () => x.length >= k;

  function load(index, number) {
    data = gallery[index]; x = data.points; k = data.start.length; start = "points";
    clusters.value = k; kinds.value = start;
    forget(); begin_(number);
  }

  function begin_(number) {                          // seed 0 is the start that the gallery names
    seed = number % 31;
    seeds.value = seed; name = `${start} ${seed}`;
    const named = data.start && seed === 0 && start === "points" && data.start.length === k;
    const draw = random(seed + 1);
    steps = new Steps(started(!ready() ? [] : named ? data.start
      : start === "plusplus" ? plusPlus(x, k, draw.uniform) : draw.choose(x.length, k).map(i => x[i])));
    show();
  }

  function changed(points) {                         // other points: what earlier starts came to no longer counts
    x = points;
    forget();
    const first = steps.states[0].centers;
    if (!ready() || first.length !== k) return begin_(seed);
    steps.restart(started(first));
    show();
  }

  function advance() {
    if (!ready() || steps.now.phase === "stuck") return;
    steps.add(next(x, steps.now));
    if (steps.now.phase === "stuck") ends.set(name, steps.now.losses.at(-1));
  }

  function show() {
    const { phase } = steps.now, stuck = phase === "stuck";
    back.disabled = !steps.canBack;
    forward.disabled = run.disabled = !ready() || stuck;
    code.button.disabled = !ready();
    forward.textContent = stuck ? "At rest" : phase === "assigned" ? "Next: update ▶" : "Next: assign ▶";
    says.say(words(steps.now));
    const ofStart = data.notice.startsWith("start 0"), other = seed !== 0 || start !== "points" || k !== data.start?.length;
    const look = `Look for: ${ofStart && other ? OTHER : data.notice}`;
    if (notice.textContent !== look) notice.textContent = look; // a screen reader says it once
    plane.redraw(); curve.redraw(); memory.redraw();
  }

  function words({ phase, centers, labels, losses, changed: moved, path }) {
    if (!ready()) return `Place at least ${k} points: click into the picture. ${x.length} so far.`;
    if (phase === "start") {
      const which = name.startsWith("hand") ? "Your start." : `Start ${seed}.`;
      return `<b>${which}</b> The crosses are the first centres, the dashed lines the borders halfway between them. Which points will join which cross?`;
    }
    const value = losses.at(-1), gain = losses.at(-2) - value;
    const fall = losses.length > 1 ? ` (${gain > 1e-9 ? "−" + fixed(gain, 1) : "as before"})` : "";
    const bare = centers.findIndex((_, j) => !labels.includes(j));
    const trap = bare < 0 ? "" : ` <b>A trap:</b> the ${NAMES[bare]} centre has no point, so there is no mean to move to. ` +
      "Here it stays; dclib moves it to the point farthest from its own centre.";
    if (phase === "assigned") return `<b>Assign:</b> ${moved} of ${x.length} points ${losses.length > 1 ? "changed their cluster" : "joined a cluster"}. ` +
      `The loss adds up the squares of the gray lines: <b>${fixed(value, 1)}</b>${fall}. Next, each centre moves to the mean of its points.${trap}`;
    if (phase === "moved") {
      const far = Math.max(...centers.map((m, j) => Math.sqrt(squared(m, path.at(-2)[j]))));
      return `<b>Update:</b> each centre moved to the mean of its points, the farthest by ${fixed(far)}. ` +
        `Loss <b>${fixed(value, 1)}</b>${fall}. The borders moved, too: does any point now lie on the wrong side?${trap}`;
    }
    const all = [...ends.values()], lowest = Math.min(...all), updates = path.length - 1;
    const rank = all.length < 2 ? "Is this the best end? Try other starts and compare the loss." : value <= lowest * (1 + 1e-9)
      ? (Math.max(...all) <= lowest * (1 + 1e-9) ? `None of ${all.length} starts ended lower.` : `The lowest of ${all.length} starts.`) : `The lowest of ${all.length} starts is ${fixed(lowest, 1)}.`;
    return `<b>At rest</b> after ${updates} update${updates === 1 ? "" : "s"}, at a fixed point: no point changed its cluster, so no centre will move. ` +
      `Final loss <b>${fixed(value, 1)}</b>. ${rank}${trap}`;
  }

  function drawPlane(p) {
    const { centers, labels, path, phase } = steps.now;
    p.clear();
    if (labels) x.forEach((point, i) => p.line([point, centers[labels[i]]], "#c8c8c8", 1));
    if (x.length) borders(centers, p.view).forEach(piece => p.line(piece, "#555555", 2, [8, 6]));
    x.forEach(([u, v], i) => p.point(u, v, labels ? labels[i] : 0, labels ? color(labels[i]) : "#888888", 5.5, "#ffffff"));
    if (path.length > 1) centers.forEach((_, j) => {
      const way = path.map(step => step[j]);
      p.line(way, "#ffffff", 5); p.line(way, dark(color(j)), 2.5);
    });
    if (x.length) centers.forEach((m, j) => p.mean(...m, color(j)));
    p.done(`${x.length} points, ${centers.length} centres, ${phase}`);
  }

  function drawCurve(p) {
    const { losses } = steps.now, all = steps.states.at(-1).losses;
    p.view = [0.5, Math.max(6.5, all.length + 0.5), 0, 1.1 * Math.max(1e-9, ...all)];
    if (!all.length) p.view[3] = 1;
    p.clear({ whole: true });
    p.line(losses.map((v, i) => [i + 1, v]), GRAY);
    losses.forEach((v, i) => p.point(i + 1, v, i % 2, COLORS[i % 2], 6));
    ["● assign", "■ update"].forEach((text, i) =>
      p.text(text, p.view[1] - 0.02 * p.view[1], (0.92 - 0.15 * i) * p.view[3], dark(COLORS[i]), { align: "right", size: 16 }));
    p.done(`${losses.length} losses`);
  }

  function drawEnds(p) {
    const all = [...ends];
    p.view = [0.5, Math.max(6.5, all.length + 0.5), 0, 1.1 * Math.max(1e-9, ...ends.values())];
    if (!all.length) p.view[3] = 1;
    p.clear({ whole: true });
    if (!all.length) p.text("no start has ended yet", (0.5 + p.view[1]) / 2, 0.5, "#555555", { size: 16 });
    all.forEach(([key, v], i) => {
      const shape = key.startsWith("points") ? 0 : key.startsWith("plusplus") ? 1 : 3;
      p.point(i + 1, v, shape, key === name ? INK : COLORS[shape], 7);
    });
    p.done(`${all.length} starts`);
  }

  plane.interact({
    grab(u, v, reach) {
      const close = list => list.findIndex(m => Math.hypot(m[0] - u, m[1] - v) < reach);
      const centre = x.length ? close(steps.now.centers) : -1, point = close(x);
      return centre >= 0 ? { centre } : point >= 0 && x.length >= k ? { point } : null;
    },
    drag(held, u, v) {
      const at = [+u.toFixed(2), +v.toFixed(2)];
      if ("point" in held) return changed(x.map((p, i) => i === held.point ? at : p));
      if (!held.named) { held.named = true; name = `hand ${++byHand}`; }
      steps.restart(started(steps.now.centers.map((m, j) => j === held.centre ? at : m)));
      show();
    },
    click(u, v) { if (x.length < MOST_POINTS) changed([...x, [+u.toFixed(2), +v.toFixed(2)]]); },
  });
  load(dataset, firstSeed);
}
export default { render };
