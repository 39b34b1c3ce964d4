// DCAN in the plane: a small discriminator, trained in the page, and codes that it judges. As dclib.dcan (tests compare).
import { COLORS, INK, begin, button, caption, choice, codeBox, color, dark, element, fixed, Plane, python, random, rgb, row, slider, Steps } from "./demo.js";

// --- the discriminator: [x, y] and 3 × one-hot of the cluster (none if k is 0), two tanh layers, one logit -------------
// Its weights are one flat list, layer after layer, each row by row with its biases behind: as PyTorch stores them.

export const HIDDEN = 16;
const SIZES = k => [2 + k, HIDDEN, HIDDEN, 1];

export function initial(seed, k) {                   // as torch.nn.Linear: uniform, up to 1/√(inputs)
  const { uniform } = random(seed), sizes = SIZES(k), net = [];
  for (let l = 0; l < 3; l++) {
    const most = 1 / Math.sqrt(sizes[l]);
    for (let i = 0; i < (sizes[l] + 1) * sizes[l + 1]; i++) net.push((2 * uniform() - 1) * most);
  }
  return net;
}

const sigmoid = s => 1 / (1 + Math.exp(-s));
const softplus = s => Math.max(s, 0) + Math.log1p(Math.exp(-Math.abs(s)));

function layers(net, k, z, c) {                      // what each layer gives, the input first
  const sizes = SIZES(k), input = [...z];
  for (let j = 0; j < k; j++) input.push(j === c ? 3 : 0);
  const outs = [input];
  for (let l = 0, at = 0; l < 3; l++) {
    const n = sizes[l], m = sizes[l + 1], x = outs[l], y = Array(m);
    for (let i = 0; i < m; i++) {
      let sum = net[at + n * m + i];
      for (let j = 0; j < n; j++) sum += net[at + i * n + j] * x[j];
      y[i] = l < 2 ? Math.tanh(sum) : sum;
    }
    outs.push(y); at += (n + 1) * m;
  }
  return outs;
}

function backward(net, k, outs, slope, gradient) {   // adds ∂loss/∂weights to `gradient`; returns ∂loss/∂[x, y]
  const sizes = SIZES(k);
  let back = [slope], at = net.length;
  for (let l = 2; l >= 0; l--) {
    const n = sizes[l], m = sizes[l + 1], x = outs[l], before = Array(n).fill(0);
    at -= (n + 1) * m;
    for (let i = 0; i < m; i++) {
      if (gradient) gradient[at + n * m + i] += back[i];
      for (let j = 0; j < n; j++) {
        if (gradient) gradient[at + i * n + j] += back[i] * x[j];
        before[j] += back[i] * net[at + i * n + j];
      }
    }
    back = l ? before.map((v, j) => v * (1 - x[j] * x[j])) : before;
  }
  return back.slice(0, 2);
}

export function logit(net, k, [x, y], c) {           // the same without a list for each layer: a picture asks for thousands
  const n = 2 + k, first = (n + 1) * HIDDEN, second = first - HIDDEN; // where the second layer and the first biases begin
  for (let i = 0; i < HIDDEN; i++) {
    const at = i * n;
    A[i] = Math.tanh(net[second + i] + net[at] * x + net[at + 1] * y + (k ? 3 * net[at + 2 + c] : 0));
  }
  const third = first + HIDDEN * HIDDEN;
  let sum = net[third + 2 * HIDDEN];
  for (let i = 0; i < HIDDEN; i++) {
    let inner = net[third + i];
    for (let j = 0; j < HIDDEN; j++) inner += net[first + i * HIDDEN + j] * A[j];
    sum += net[third + HIDDEN + i] * Math.tanh(inner);
  }
  return sum;
}
const A = new Float64Array(HIDDEN);

// --- the two players, and the clusters between them --------------------------------------------------------------------

export function judging(net, k, drawn, encoded, clusters) { // −mean log D(drawn) − mean log(1 − D(encoded)), its gradient
  const gradient = Array(net.length).fill(0), n = encoded.length;
  let loss = 0;
  const add = (z, c, target) => {
    const outs = layers(net, k, z, c), s = outs[3][0];
    loss += softplus(target ? -s : s) / n;
    backward(net, k, outs, (sigmoid(s) - target) / n, gradient);
  };
  drawn.forEach((z, i) => add(z, clusters[i], 1));
  encoded.forEach((z, i) => add(z, clusters[i], 0));
  return { loss, gradient };
}

export function push(net, k, z, c, saturating) {     // way down the encoder's loss: of −log D, or of log(1 − D)
  const outs = layers(net, k, z, c), d = sigmoid(outs[3][0]);
  return backward(net, k, outs, saturating ? d : 1 - d, null);
}

export function adam({ net, m, v, t }, gradient, rate) { // momentum .5 and .99, as dclib's
  const step = { net: [...net], m: [...m], v: [...v], t: t + 1 };
  gradient.forEach((g, i) => {
    step.m[i] = 0.5 * m[i] + 0.5 * g;
    step.v[i] = 0.99 * v[i] + 0.01 * g * g;
    step.net[i] -= rate * step.m[i] / (1 - 0.5 ** step.t) / (Math.sqrt(step.v[i] / (1 - 0.99 ** step.t)) + 1e-8);
  });
  return step;
}

export const nearest = (z, means) => {
  const d = means.map(m => (z[0] - m[0]) ** 2 + (z[1] - m[1]) ** 2);
  return d.indexOf(Math.min(...d));
};

export function follow(z, means) {                   // one iteration of k-means, and the widths of the clusters
  const of = (rows, i) => {
    const mean = rows.reduce((sum, p) => sum + p[i], 0) / rows.length;
    return [mean, rows.reduce((sum, p) => sum + (p[i] - mean) ** 2, 0) / rows.length];
  };
  const square = z.reduce((sum, p) => sum + p[0] ** 2 + p[1] ** 2, 0) / (2 * z.length);
  const floor = 0.02 * (of(z, 0)[1] + of(z, 1)[1]) / 2 + 1e-6 * square + 1e-12;
  const owner = z.map(p => nearest(p, means)), found = { means: [], widths: [] };
  means.forEach((old, c) => {
    const rows = z.filter((_, i) => owner[i] === c);
    const stats = rows.length ? [of(rows, 0), of(rows, 1)] : [[old[0], 0], [old[1], 0]];
    found.means.push(stats.map(s => s[0])); found.widths.push(stats.map(s => Math.sqrt(s[1] + floor)));
  });
  return { ...found, labels: z.map(p => nearest(p, found.means)) };
}

export const draws = ({ means, widths, labels }, spread, normal) => // μ + spread · σ ε: one from each code's cluster
  labels.map(c => [0, 1].map(i => means[c][i] + spread * widths[c][i] * normal()));

// --- a round: some steps of the discriminator, one of the codes; then the clusters follow ------------------------------

const RATE = 0.02, PACE = 0.06;                      // Adam's step; how far a code goes a round

export function started(z, means, options, seed) {
  const net = initial(seed + 1, options.told ? means.length : 0), zeros = net.map(() => 0);
  const state = { judge: { net, m: zeros, v: zeros, t: 0 }, z, clusters: follow(z, means), rounds: 0, history: [], seed };
  return { ...state, drawn: draws(state.clusters, options.spread, random(1000 * seed).normal) };
}

export function judge(state, options) {              // a step of the discriminator, on new draws
  const k = options.told ? state.clusters.means.length : 0;
  const drawn = draws(state.clusters, options.spread, random(1000 * state.seed + state.judge.t + 1).normal);
  const { loss, gradient } = judging(state.judge.net, k, drawn, state.z, state.clusters.labels);
  return { ...state, judge: adam(state.judge, gradient, RATE), drawn, loss };
}

export function move(state, options) {               // each code goes where it is more likely to be taken for a draw
  const k = options.told ? state.clusters.means.length : 0;
  const z = state.z.map((p, i) => {
    const way = push(state.judge.net, k, p, state.clusters.labels[i], options.saturating);
    return p.map((v, j) => v + PACE * way[j]);
  });
  return { ...state, z, clusters: follow(z, state.clusters.means), rounds: state.rounds + 1, history: [...state.history, -state.loss] };
}

export function round(state, options) {
  for (let i = 0; i < options.steps; i++) state = judge(state, options);
  return move(state, options);
}

// How far the outer and the inner quarter of the codes have moved on average: those farthest from, and nearest to,
// their centre at the start.
export function quarters(start, state) {
  const far = (p, q) => Math.hypot(p[0] - q[0], p[1] - q[1]), { means, labels } = start.clusters;
  const order = start.z.map((p, i) => [far(p, means[labels[i]]), far(p, state.z[i])]).sort((a, b) => a[0] - b[0]);
  const some = Math.max(1, order.length >> 2), mean = rows => rows.reduce((sum, r) => sum + r[1], 0) / rows.length;
  return { outer: mean(order.slice(-some)), inner: mean(order.slice(0, some)) };
}

// --- the page ---------------------------------------------------------------------------------------------------------

const NAMES = ["blue", "orange", "green"], SPREADS = [0, 0.25, 0.5, 0.75, 1], STEPS = [1, 3, 10, 30];
const LOW = [150, 185, 215], HIGH = [245, 190, 90];  // of the surface: taken for a code, taken for a draw

const SHADES = [...Array(10)].map((_, i) => {        // ten bands, so that their edges are lines of equal D
  const t = (i + 0.5) / 5 - 1, end = t < 0 ? LOW : HIGH;
  return [...end.map(v => Math.round(255 + Math.abs(t) * (v - 255))), 255];
});

export function render({ model, el }) {
  const { gallery, dataset, view } = model.get("settings");
  const root = begin(el, "A discriminator's surface, and the codes that follow it");
  const sheet = element("canvas");
  let scene, seed, steps, looked = null;

  const plane = new Plane({ view, ratio: 0.86, label: "Codes, draws from their clusters, and the discriminator's surface. By keyboard: " +
    "arrows move a cross-hair, Enter takes and drops a code, or places one.", draw: drawPlane });
  const chart = new Plane({ view: [0, 10, -1.5, 0.1], ratio: 0.72, largest: 400, xlabel: "round", ylabel: "objective",
    label: "The discriminator's objective after each round", draw: drawChart });
  chart.canvas.tabIndex = -1;
  const says = caption(), notice = element("div", { className: "dclib-note" });
  const readout = element("div", { className: "dclib-note", "aria-live": "polite" });
  const key = element("div", { className: "dclib-note", textContent: "Orange ground: taken for a draw. Blue ground: taken for a code. " +
    "White: undecided. Black rings: the last draws. Lines: where the codes are pushed. Crosses: the centres." });
  const sets = choice("scene", gallery.map((d, i) => [String(i), d.title]), String(dataset), value => load(+value));
  const told = choice("discriminator", [["1", "knows the cluster"], ["", "is not told"]], "1", () => start(seed));
  const loss = choice("codes descend", [["", "−log D"], ["1", "log(1 − D), saturating"]], "", show);
  const spread = slider("width of the draws", { min: 0, max: 4, value: 2, show: i => String(SPREADS[i]) }, () => start(seed));
  const turns = slider("steps of the discriminator", { min: 0, max: 3, value: 1, show: i => String(STEPS[i]) }, show);
  const surface = choice("surface for", [["", "the nearest cluster"], ...NAMES.map((n, c) => [String(c), n])], "", show);
  const options = () => ({ told: !!told.value, saturating: !!loss.value, spread: SPREADS[spread.value], steps: STEPS[turns.value] });

  const back = button("◀ Back", () => { steps.back(); show(); });
  const half = button("Discriminator only", () => { steps.add(judge(steps.now, options())); show(); });
  const forward = button("One round ▶", () => { steps.add(round(steps.now, options())); show(); }, true);
  const run = button("Up to 10 rounds ▶", () => {
    let state = steps.now;
    const begun = performance.now();                 // fewer where the device is slow: it must answer at once
    for (let i = 0; i < 10 && (i < 1 || performance.now() - begun < 40); i++) state = round(state, options());
    steps.add(state); show();
  });
  const reset = button("Reset", () => load(gallery.indexOf(scene)));
  const fresh = button("New seed", () => start(seed + 1));
  const code = codeBox(write);
  root.append(row(sets.element, told.element, loss.element), row(spread.element, turns.element, surface.element),
    row(back, half, forward, run, reset, fresh, code.button), says.element,
    element("div", { className: "dclib-stage" }, plane.element,
      element("div", { className: "dclib-panel" }, chart.element, notice, key, readout)), code.box);

  function load(index) {
    scene = gallery[index];
    told.value = scene.told ? "1" : ""; loss.value = scene.saturating ? "1" : ""; surface.value = "";
    spread.value = SPREADS.indexOf(scene.spread); turns.value = STEPS.indexOf(scene.steps);
    [...surface.select.options].forEach((o, i) => { o.hidden = o.disabled = i > scene.means.length; });
    start(0);
  }
  function start(number) { seed = number; steps = new Steps(started(scene.points, scene.means, options(), seed)); show(); }

  function found(state) {                            // the share of the codes that are given less than 0.1
    const k = told.value ? state.clusters.means.length : 0;
    return state.z.filter((p, i) => logit(state.judge.net, k, p, state.clusters.labels[i]) < Math.log(0.1 / 0.9)).length;
  }
  function pushes(state) {
    const k = told.value ? state.clusters.means.length : 0;
    return state.z.map((p, i) => push(state.judge.net, k, p, state.clusters.labels[i], !!loss.value));
  }

  function show() {
    back.disabled = !steps.canBack;
    says.say(words(steps.now)); notice.textContent = scene.notice;
    plane.redraw(); chart.redraw(); tell();
  }
  function words(state) {
    const sorted = pushes(state).map(w => Math.hypot(...w)).sort((a, b) => a - b), strength = sorted[sorted.length >> 1];
    const rest = `Median push on a code <b>${fixed(strength)}</b>; ${found(state)} of ${state.z.length} codes found out (D below 0.1).`;
    if (!state.judge.t) return `<b>Start.</b> The discriminator is untrained: it finds nothing. ${rest}`;
    const jsd = Math.max(0, Math.log(2) - state.loss / 2);
    const head = state.loss > 1.3 ? "<b>It cannot tell them apart.</b>" : state.loss < 0.35 ? "<b>It is sure.</b>" : "<b>It has found a difference.</b>";
    const { outer, inner } = quarters(steps.states[0], state);
    return `${head} Objective ${fixed(-state.loss)}, so it sees a divergence of <b>${fixed(jsd)}</b> of at most 0.69. ${rest} ` +
      `Moved so far: the outer quarter of the codes <b>${fixed(outer)}</b>, the inner quarter <b>${fixed(inner)}</b>.`;
  }
  function owner(state, z) { return surface.value ? +surface.value : nearest(z, state.clusters.means); }
  function tell() {
    const state = steps.now;
    if (!looked) { readout.textContent = "Move over the picture to read the surface. Drag a code, or click to place one."; return; }
    const c = owner(state, looked), k = told.value ? state.clusters.means.length : 0;
    const way = push(state.judge.net, k, looked, c, !!loss.value);
    readout.textContent = `Here, for the ${NAMES[c]} cluster: D = ${fixed(sigmoid(logit(state.judge.net, k, looked, c)))}, push ${fixed(Math.hypot(...way))}.`;
  }

  function drawPlane(p) {
    const state = steps.now, k = told.value ? state.clusters.means.length : 0, size = 8, { l, r, t, b } = p.pad;
    const net = Float64Array.from(state.judge.net);
    p.clear();
    const across = Math.ceil((p.width - r - l) / size), down = Math.ceil((p.height - b - t) / size);
    sheet.width = across; sheet.height = down;       // a small picture, drawn large: quicker than thousands of squares
    const pixels = sheet.getContext("2d").createImageData(across, down);
    for (let i = 0; i < across * down; i++) {
      const z = p.at(l + (i % across + 0.5) * size, t + (Math.floor(i / across) + 0.5) * size);
      pixels.data.set(SHADES[Math.min(9, Math.floor(10 * sigmoid(logit(net, k, z, owner(state, z)))))], 4 * i);
    }
    sheet.getContext("2d").putImageData(pixels, 0, 0);
    p.g.imageSmoothingEnabled = false;
    p.g.drawImage(sheet, l, t, across * size, down * size);
    state.drawn.forEach(([u, v]) => p.point(u, v, 0, "#00000000", 4.5, INK));
    const ways = pushes(state);
    state.z.forEach(([u, v], i) => {
      const c = state.clusters.labels[i], faint = surface.value && +surface.value !== c;
      const stroke = faint ? `rgba(${rgb(color(c)).join(",")},0.35)` : dark(color(c));
      const reach = Math.min(0.35, 0.7 / Math.hypot(...ways[i])); // the steepest would cross the picture
      p.line([[u, v], [u + reach * ways[i][0], v + reach * ways[i][1]]], stroke, 2);
      p.point(u, v, c, stroke, 5.5, "white");
    });
    state.clusters.means.forEach((m, c) => p.mean(...m, color(c)));
    p.done(`${state.z.length} codes, ${state.rounds} rounds, ${state.judge.t} steps of the discriminator`);
  }
  function drawChart(p) {
    const values = steps.now.history, most = Math.max(10, values.length + 1), flat = -2 * Math.log(2);
    p.view = [0, most, -2, 0.25];
    p.clear({ whole: true });
    for (const [height, words_, below] of [[flat, "it cannot tell: −2 log 2", -0.2], [0, "it is sure: 0", -0.17]]) {
      p.line([[0, height], [most, height]], "#777777", 1.5, [6, 5]);
      p.text(words_, 0.97 * most, height + below, "#555555", { align: "right", size: 15 });
    }
    p.line(values.map((v, i) => [i + 1, v]), dark(COLORS[0]), 3);
    if (values.length && values.length <= 30) values.forEach((v, i) => p.point(i + 1, v, 0, COLORS[0], 5));
    p.done(`${values.length} rounds`);
  }

  function write() {                                 // the scene from its first means, with the codes as they are now
    const { told: knows, saturating, spread: width, steps: n } = options(), { z, means } = { z: steps.now.z, means: scene.means };
    const shown = rows => python(rows.map(p => p.map(v => +v.toFixed(3))));
    return ["import torch", "", "from dclib.dcan import discriminator_loss, draw, encoder_loss",
      "from dclib.gaussian_clusters import move_clusters", "from dclib.gmm import Mixture",
      "from dclib.kmeans import assign", "from dclib.networks import Discriminator", "",
      `z, means = torch.tensor(${shown(z)}), torch.tensor(${shown(means)})`,
      "clusters = Mixture(torch.ones(len(means)) / len(means), means, torch.ones_like(means))",
      `judge = Discriminator(2, ${knows ? "len(means)" : 0}, hidden=(${HIDDEN}, ${HIDDEN}))`,
      `optimizer = torch.optim.Adam(judge.parameters(), ${RATE}, betas=(0.5, 0.99))`, "for _ in range(100):",
      "    clusters = move_clusters(z, clusters, \"k-means\")", "    means, widths = clusters.means.float(), clusters.factors.float()",
      "    labels = assign(z, means)[0]", `    for _ in range(${n}):`,
      `        drawn = draw(means, widths, labels, ${width} * torch.randn(z.shape))`,
      "        loss = discriminator_loss(judge.logits(drawn, labels), judge.logits(z, labels))",
      "        optimizer.zero_grad()", "        loss.backward()", "        optimizer.step()",
      "    z.requires_grad_()",
      saturating ? "    fooling = -torch.nn.functional.softplus(judge.logits(z, labels)).mean()  # log(1 - D)"
        : "    fooling = encoder_loss(judge.logits(z, labels))",
      `    z = (z - ${PACE} * len(z) * torch.autograd.grad(fooling, z)[0]).detach()`, "print(-loss.item(), means)", ""].join("\n");
  }

  const changed = z => {                             // the codes as they are now, under the same discriminator
    const now = steps.now;
    steps.restart({ ...now, z, clusters: follow(z, now.clusters.means), drawn: [] });
    show();
  };
  plane.interact({
    grab(u, v, reach) {
      const i = steps.now.z.findIndex(p => Math.hypot(p[0] - u, p[1] - v) < 0.7 * reach);
      return i < 0 ? null : i;
    },
    drag(i, u, v) { changed(steps.now.z.map((p, j) => i === j ? [u, v] : p)); },
    click(u, v) { if (steps.now.z.length < 300) changed([...steps.now.z, [u, v]]); },
    look(u, v) { looked = Number.isFinite(u) ? [u, v] : null; tell(); },
  });
  load(dataset);
}
export default { render };
