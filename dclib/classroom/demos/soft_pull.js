// K-means by gradient descent, one point: its weights, and the pull on each centre. As dclib.gradient_kmeans.
import { COLORS, INK, begin, button, caption, choice, codeBox, color, dark, element, fixed, Plane, python, row, slider, Steps } from "./demo.js";

// --- the algorithm: one point [x, y], centers (k, 2), temperature T; T = 0 is the hard assignment ----------------------

export function assign(point, centers, temperature) { // squared distances d, weights q, pulls w (all (k,)), the loss
  const d = centers.map(c => (point[0] - c[0]) ** 2 + (point[1] - c[1]) ** 2), least = Math.min(...d);
  if (temperature === 0) {
    const q = d.map((_, k) => +(k === d.indexOf(least)));
    return { d, q, w: q, loss: least / 2 };
  }
  const parts = d.map(v => Math.exp((least - v) / temperature)), sum = parts.reduce((a, b) => a + b);
  const q = parts.map(v => v / sum), mean = q.reduce((total, v, k) => total + v * d[k], 0);
  return { d, q, w: q.map((v, k) => v * (1 + (mean - d[k]) / temperature)), loss: mean / 2 };
}

export function gradient(point, centers, temperature) { // of the loss by the centers, (k, 2)
  const { w } = assign(point, centers, temperature);
  return centers.map((c, k) => [w[k] * (c[0] - point[0]), w[k] * (c[1] - point[1])]);
}

export function step(point, centers, temperature, rate) { // gradient descent
  const g = gradient(point, centers, temperature);
  return centers.map((c, k) => [c[0] - rate * g[k][0], c[1] - rate * g[k][1]]);
}

// --- the page ---------------------------------------------------------------------------------------------------------

const NAMES = ["blue", "orange", "green"], TEMPERATURES = [0, 0.1, 0.3, 1, 2, 4, 8, 16, 32, 64], RATE = 0.3;

export function render({ model, el }) {
  const { gallery, dataset, level, view } = model.get("settings");
  const root = begin(el, "The pull of one point on the centres of k-means");
  let data, point, steps;
  const plane = new Plane({ view, label: "A point and the centres, with an arrow for the pull on each centre. By keyboard: " +
    "arrows move a cross-hair, Enter takes and drops the point or a centre.", draw: drawPlane });
  const chart = new Plane({ view: [view[0], view[1], -0.5, 1.25], ratio: 0.75, largest: 430, xlabel: "place of the point",
    ylabel: "of the blue centre", label: "Weight q and pull w of the blue centre along the point's height", draw: drawChart });
  chart.canvas.tabIndex = -1;
  const says = caption(), notice = element("div", { className: "dclib-note" });
  const sets = choice("scene", gallery.map((d, i) => [String(i), d.title]), String(dataset), value => load(+value));
  const temperature = slider("temperature", { min: 0, max: TEMPERATURES.length - 1, value: level,
    show: i => i ? String(TEMPERATURES[i]) : "0, hard" }, show);
  const T = () => TEMPERATURES[temperature.value];
  const back = button("◀ Back", () => { steps.back(); show(); });
  const forward = button("Gradient step ▶", () => { steps.add(step(point, steps.now, T(), RATE)); show(); }, true);
  const reset = button("Reset", () => load(gallery.indexOf(data)));
  const code = codeBox(() => {
    const shown = value => python(value.map(p => Array.isArray(p) ? p.map(v => +v.toFixed(3)) : +p.toFixed(3)));
    return ["import torch", "", "from dclib.gradient_kmeans import hard_gradient, soft_gradient",
      "from dclib.kmeans import squared_distances", "",
      `x, centers = torch.tensor([${shown(point)}]), torch.tensor(${shown(steps.now)})`, "d = squared_distances(x, centers)",
      T() ? `print(soft_gradient(x, centers, d, ${T()}))` : "print(hard_gradient(x, centers, d.argmin(1)))", ""].join("\n");
  });
  root.append(row(sets.element, temperature.element), row(back, forward, reset, code.button), says.element,
    element("div", { className: "dclib-stage" }, plane.element, element("div", { className: "dclib-panel" }, chart.element, notice)), code.box);

  function load(index) { data = gallery[index]; point = data.point; steps = new Steps(data.centers); show(); }
  function show() {
    back.disabled = !steps.canBack;
    says.say(words()); notice.textContent = data.notice;
    plane.redraw(); chart.redraw();
  }
  function words() {
    const { d, q, w, loss } = assign(point, steps.now, T()), best = q.indexOf(Math.max(...q));
    const list = (values, digits = 2) => values.map((v, k) => `${NAMES[k]} ${fixed(v, digits)}`).join(", ");
    const sorted = [...d].sort((a, b) => a - b), tie = sorted[1] - sorted[0] < 1e-9;
    const pushed = NAMES.filter((_, k) => w[k] < -0.005);
    const head = T() === 0 ? (tie ? "<b>A tie.</b> The hard assignment gives all to one of two equals." : `<b>Hard:</b> ${NAMES[best]} alone is pulled.`)
      : pushed.length ? `<b>Pushed away:</b> ${pushed.join(" and ")}. Its distance lies above the mean by more than the temperature.`
      : tie ? "<b>A tie:</b> the softmax shares the point equally." : "<b>Soft:</b> the point pulls on each centre a little.";
    return `${head} Weights q: ${list(q)}. Pulls w: ${list(w)}. Loss ${fixed(loss)}.`;
  }
  function drawPlane(p) {
    const { q, w } = assign(point, steps.now, T());
    p.clear();
    steps.now.forEach((c, k) => {
      p.line([point, c], dark(color(k)), 1 + 5 * q[k], [6, 6]);
      p.arrow(c, [c[0] + w[k] * (point[0] - c[0]), c[1] + w[k] * (point[1] - c[1])], dark(color(k)), 5);
    });
    steps.states.slice(0, steps.at).forEach(centers => centers.forEach((c, k) => p.point(...c, k, color(k), 4)));
    steps.now.forEach((c, k) => p.mean(...c, color(k)));
    p.point(...point, 0, INK, 11, "white");
    p.text("point", point[0], point[1] + 20 / p.scale);
    p.done(`point at ${fixed(point[0])}, ${fixed(point[1])}; ${steps.at} steps`);
  }
  function drawChart(p) {
    const places = [...Array(161)].map((_, i) => view[0] + i / 160 * (view[1] - view[0]));
    const found = places.map(x => assign([x, point[1]], steps.now, T()));
    p.clear();
    p.line([[view[0], 0], [view[1], 0]], "#999999", 1);
    p.line(found.map((f, i) => [places[i], f.w[0]]), dark(COLORS[1]), 3, [8, 5]);
    p.line(found.map((f, i) => [places[i], f.q[0]]), COLORS[0], 3);
    const now = assign(point, steps.now, T());
    p.point(point[0], now.w[0], 1, dark(COLORS[1]), 7); p.point(point[0], now.q[0], 0, COLORS[0], 7);
    p.text("weight q", view[1] - 0.3, 1.12, COLORS[0], { align: "right", size: 16 });
    p.text("pull w, dashed", view[0] + 0.3, -0.38, dark(COLORS[1]), { align: "left", size: 16 });
    p.done("two curves");
  }
  plane.interact({
    grab(u, v, reach) {
      const near = ([a, b]) => Math.hypot(a - u, b - v) < reach;
      if (near(point)) return "point";
      const k = steps.now.findIndex(near);
      return k < 0 ? null : k;
    },
    drag(held, u, v) {
      if (held === "point") point = [u, v]; else steps.restart(steps.now.map((c, k) => k === held ? [u, v] : c));
      show();
    },
    click(u, v) { point = [u, v]; show(); },
  });
  load(dataset);
}
export default { render };
