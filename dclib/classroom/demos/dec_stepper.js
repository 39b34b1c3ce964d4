// DEC on codes in the plane: votes q, target p, and the pull of KL(P‖Q) on codes and centres. As dclib.dec.
import { COLORS, INK, begin, button, caption, choice, codeBox, color, dark, element, fixed, Plane, python, row, slider, Steps } from "./demo.js";

// --- the algorithm: codes z (n, 2), centers (k, 2) ----------------------------------------------------------------------

const between = (a, b) => [a[0] - b[0], a[1] - b[1]];
const squared = ([u, v]) => u * u + v * v;

export function votes(z, centers, alpha = 1) {       // q (n, k): Student's t, rows sum to 1
  return z.map(a => {
    const u = centers.map(c => (1 + squared(between(a, c)) / alpha) ** (-(alpha + 1) / 2));
    const sum = u.reduce((s, v) => s + v, 0);
    return u.map(v => v / sum);
  });
}

export function target(q, power = 2, frequency = 1) { // p_ij ∝ q_ij^power / f_j^frequency, f_j = Σ_i q_ij
  const f = q[0].map((_, j) => q.reduce((s, row) => s + row[j], 0));
  return q.map(row => {
    const w = row.map((v, j) => v ** power / f[j] ** frequency), sum = w.reduce((s, v) => s + v, 0);
    return w.map(v => v / sum);
  });
}

export const divergence = (p, q) =>                  // KL(P‖Q), mean over the codes
  p.reduce((s, row, i) => s + row.reduce((t, v, j) => t + (v > 0 ? v * Math.log(v / q[i][j]) : 0), 0), 0) / p.length;

export function pulls(z, centers, p, q, alpha = 1) { // minus the gradients of Σ_i KL(p_i‖q_i) by z and by the centers
  const onZ = z.map(() => [0, 0]), onCenters = centers.map(() => [0, 0]);
  z.forEach((a, i) => centers.forEach((c, j) => {
    const way = between(c, a), w = (alpha + 1) / alpha * (p[i][j] - q[i][j]) / (1 + squared(way) / alpha);
    for (const d of [0, 1]) { onZ[i][d] += w * way[d]; onCenters[j][d] -= w * way[d]; }
  }));
  return { z: onZ, centers: onCenters };
}

const RATE = 0.1, HOLD = 5;                          // steps between two renewals of p

export function next({ z, centers, p, count, losses }, { power, frequency, alpha }) { // one step of gradient descent
  const before = votes(z, centers, alpha), held = count % HOLD && p ? p : target(before, power, frequency);
  const { z: onZ, centers: onC } = pulls(z, centers, held, before, alpha);
  const moved = (list, by) => list.map((a, i) => [a[0] + RATE * by[i][0], a[1] + RATE * by[i][1]]);
  return { z: moved(z, onZ), centers: moved(centers, onC), p: held, count: count + 1, losses: [...losses, divergence(held, before)] };
}

export const started = (z, centers) => ({ z, centers, p: null, count: 0, losses: [] });

// --- the page ---------------------------------------------------------------------------------------------------------

const NAMES = ["blue", "orange", "green"], NAMED = 3;

export function render({ model, el }) {
  const { gallery, dataset, view } = model.get("settings");
  const root = begin(el, "DEC on codes in the plane: votes, target and pull");
  let data, steps;
  const plane = new Plane({ view, label: "Codes coloured by their largest vote, the pull on each, and the centres as crosses. " +
    "By keyboard: arrows move a cross-hair, Enter takes and drops a code or a centre.", draw: drawPlane });
  const bars = new Plane({ view: [0.05, 0.95, 0, 1.1], ratio: 0.6, largest: 430,
    label: "Votes q, outlined, and target p, filled, of the codes A, B and C", draw: drawBars });
  const chart = new Plane({ view: [0, 30, 0, 1], ratio: 0.5, largest: 430, xlabel: "step", ylabel: "KL(P‖Q)",
    label: "The loss over the steps; dotted where p is renewed", draw: drawChart });
  bars.canvas.tabIndex = chart.canvas.tabIndex = -1;
  const says = caption(), notice = element("div", { className: "dclib-note" });
  const sets = choice("scene", gallery.map((d, i) => [String(i), d.title]), String(dataset), value => load(+value));
  const restart = () => { steps.restart(started(steps.now.z, steps.now.centers)); show(); };
  const power = slider("power of q", { min: 0.5, max: 6, step: 0.5, value: 2 }, restart);
  const frequency = slider("divide by frequency", { min: 0, max: 2, step: 0.25, value: 1 }, restart);
  const alpha = slider("degrees of freedom α", { min: 0.5, max: 10, step: 0.5, value: 1 }, restart);
  const setting = () => ({ power: power.value, frequency: frequency.value, alpha: alpha.value });
  const back = button("◀ Back", () => { steps.back(); show(); });
  const forward = button("Step ▶", () => { steps.add(next(steps.now, setting())); show(); }, true);
  const many = button("30 steps", () => { for (let i = 0; i < 30; i++) steps.add(next(steps.now, setting())); show(); });
  const reset = button("Reset", () => { power.value = 2; frequency.value = 1; alpha.value = 1; load(gallery.indexOf(data)); });
  const code = codeBox(() => {
    const shown = list => python(list.map(a => a.map(v => +v.toFixed(3))));
    return ["import torch", "", "from dclib.dec import soft_assignment, target_distribution", "",
      `z, centers = torch.tensor(${shown(steps.now.z)}), torch.tensor(${shown(steps.now.centers)})`,
      "q = soft_assignment(z, centers)", "print(q, target_distribution(q))", ""].join("\n");
  });
  root.append(row(sets.element, power.element, frequency.element, alpha.element), row(back, forward, many, reset, code.button),
    says.element, element("div", { className: "dclib-stage" }, plane.element,
      element("div", { className: "dclib-panel" }, bars.element, chart.element, notice)), code.box);

  function load(index) { data = gallery[index]; steps = new Steps(started(data.points, data.centers)); show(); }
  function now() {                                   // what the next step will use
    const { z, centers, p, count } = steps.now, q = votes(z, centers, alpha.value);
    const held = count % HOLD && p ? p : target(q, power.value, frequency.value);
    return { z, centers, q, p: held, pull: pulls(z, centers, held, q, alpha.value) };
  }
  function show() {
    back.disabled = !steps.canBack;
    const { q, p, pull } = now(), best = row => row.indexOf(Math.max(...row));
    const share = d => d[0].map((_, j) => d.reduce((s, r) => s + r[j], 0) / d.length);
    const largest = Math.max(...pull.z.map(a => Math.sqrt(squared(a))));
    const dec = power.value === 2 && frequency.value === 1 && alpha.value === 1 ? " (DEC's target)" : "";
    const turned = q.filter((r, i) => best(r) !== best(p[i])).length;
    const head = largest < 0.01 ? "<b>Nothing moves.</b> " : steps.now.count % HOLD === 0 ? "<b>p is renewed.</b> " : "";
    says.say(`${head}Step ${steps.now.count}${dec}. B votes ${NAMES[best(q[1])]}, its target is <b>${NAMES[best(p[1])]}</b>. ` +
      `${turned} of ${q.length} codes get another winner. Shares in p: ` +
      `${share(p).map((v, j) => `${NAMES[j]} ${fixed(v)}`).join(", ")}. Largest pull ${fixed(largest)}. KL(P‖Q) ${fixed(divergence(p, q), 3)}.`);
    notice.textContent = data.notice;
    plane.redraw(); bars.redraw(); chart.redraw();
  }
  function drawPlane(p) {
    const { z, centers, q, pull } = now();
    p.clear();
    z.forEach((a, i) => {
      const best = q[i].indexOf(Math.max(...q[i]));
      p.point(...a, best, color(best), 5.5, "#ffffff");
      p.arrow(a, [a[0] + 2 * pull.z[i][0], a[1] + 2 * pull.z[i][1]], INK, 2);
    });
    centers.forEach((c, j) => p.mean(...c, color(j)));
    z.slice(0, NAMED).forEach((a, i) => {            // above, but below where the arrow goes up
      const side = pull.z[i][1] > 0.3 * Math.hypot(...pull.z[i]) ? -1 : 1;
      p.text("ABC"[i], a[0], a[1] + side * 18 / p.scale);
    });
    p.done(`${z.length} codes, step ${steps.now.count}`);
  }
  function drawBars(b) {
    const { q, p } = now(), k = q[0].length, width = 0.25 / k, at = i => 0.2 + 0.3 * i; // no whole number, so no ticks
    b.clear({ whole: true });
    const box = (x, height) => [b.x(x), b.y(height), b.x(x + 0.9 * width) - b.x(x), b.y(0) - b.y(height)];
    for (let i = 0; i < NAMED; i++) {
      for (let j = 0; j < k; j++) {
        const x = at(i) + (j - k / 2) * width;
        b.g.fillStyle = COLORS[j]; b.g.fillRect(...box(x, p[i][j]));
        b.g.strokeStyle = "black"; b.g.lineWidth = 2; b.g.strokeRect(...box(x, q[i][j]));
      }
      b.text("ABC"[i], at(i), 1.03, INK, { size: 16 });
    }
    b.done(`q and p of ${NAMED} codes`);
  }
  function drawChart(c) {
    const { losses } = steps.now, all = [...losses, 0.05];
    c.view = [0, Math.max(30, losses.length), 0, 1.15 * Math.max(...all)];
    c.clear();
    losses.forEach((_, i) => { if (i % HOLD === 0) c.line([[i, 0], [i, c.view[3]]], "#999999", 1, [3, 4]); });
    c.line(losses.map((v, i) => [i, v]), dark(COLORS[0]), 3);
    c.done(`${losses.length} losses`);
  }
  plane.interact({
    grab(u, v, reach) {
      const near = list => list.findIndex(([a, b]) => Math.hypot(a - u, b - v) < reach);
      const j = near(steps.now.centers), i = near(steps.now.z);
      return j >= 0 ? { centers: j } : i >= 0 ? { z: i } : null;
    },
    drag(held, u, v) {
      const { z, centers } = steps.now, put = (list, at) => list.map((a, i) => i === at ? [u, v] : a);
      steps.restart("z" in held ? started(put(z, held.z), centers) : started(z, put(centers, held.centers)));
      show();
    },
  });
  load(dataset);
}
export default { render };
