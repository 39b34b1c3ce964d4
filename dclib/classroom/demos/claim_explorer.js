// A published number beside the runs that tried to repeat it. The rule is that of experiments.verdicts (a test compares).
import { COLORS, GRAY, INK, begin, button, caption, choice, codeBox, color, dark, element, fixed, Plane, python, random, row, slider } from "./demo.js";

// --- the rule: ours, others and byFormula are lists of numbers, a number a seed -----------------------------------------

export const mean = values => values.reduce((a, b) => a + b, 0) / values.length;
export const deviation = values => {                 // of a sample: divided by n − 1
  const m = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0) / (values.length - 1));
};
const covers = (values, { value, tolerance }) =>
  Math.min(...values) - tolerance <= value && value <= Math.max(...values) + tolerance;

export function verdict(claim, ours, others = [], byFormula = []) {
  if (claim.relation !== "number") {
    const bound = claim.value ?? mean(others), m = mean(ours), slack = claim.relation === "on par" ? claim.tolerance : 0;
    const held = claim.relation === "better" ? Math.min(...ours) > bound : m >= bound - slack;
    return held ? "confirmed" : "not reached";
  }
  if (covers(ours, claim)) return byFormula.length && !covers(byFormula, claim) ? "cannot be as printed" : "confirmed";
  return Math.min(...ours) > claim.value ? "exceeded" : "not reached";
}

export function counted(reading, order, n) {         // the values of the first n seeds of `order`
  const chosen = new Set(order.slice(0, n));
  return reading.values.filter((_, i) => chosen.has(reading.seeds[i]));
}

// The reading that counts: the nearest mean to a number, the highest where there is a bound or a rival.
export function judge(claim, order, n) {
  const usable = claim.readings.map(r => ({ name: r.name, values: counted(r, order, n) })).filter(r => r.values.length);
  const away = values => claim.relation === "number" ? Math.abs(mean(values) - claim.value) : -mean(values);
  const best = list => list.reduce((a, b) => away(b.values) < away(a.values) ? b : a);
  const rivals = claim.rivals.length ? claim.rivals.reduce((a, b) => mean(b.values) > mean(a.values) ? b : a).values : [];
  const { name, values } = best(usable);
  return { name, values, rivals, verdict: verdict(claim, values, rivals, claim.formula) };
}

export const seedsOf = claim => [...new Set(claim.readings.flatMap(r => r.seeds))].sort((a, b) => a - b);

// --- the page ---------------------------------------------------------------------------------------------------------

const ROWS = 3;                                      // at least so many rows for seeds

export function render({ model, el }) {
  const { claims } = model.get("settings");
  const root = begin(el, "Claims and the seeds that tried to repeat them");
  const papers = [...new Set(claims.map(c => c.paper))];
  let claim = claims[0], order = seedsOf(claim), draw = 0, near = false, looked = null;

  const plane = new Plane({ view: [0, 1, -0.8, 5], ratio: 0.6, largest: 760, xlabel: " ", label: "Scores of the runs, a row a seed, with the printed " +
    "number as a line. By keyboard: arrows move a cross-hair over the points.", draw: drawPlane });
  const says = caption(), notice = element("div", { className: "dclib-note" });
  const readout = element("div", { className: "dclib-note", "aria-live": "polite" });
  const paper = choice("paper", papers.map(p => [p, p]), claim.paper, value => take(claims.find(c => c.paper === value)));
  const which = choice("claim", [], "", value => take(claims[+value]));
  which.select.style.maxWidth = "min(100%, 560px)"; which.element.style.maxWidth = "100%"; which.select.style.minWidth = "0";
  const back = button("◀ Back", () => take(claims[claims.indexOf(claim) - 1]));
  const forward = button("Next claim ▶", () => take(claims[claims.indexOf(claim) + 1]), true);
  const seeds = slider("seeds that count", { min: 1, max: 1, value: 1, show: v => `${v} of ${order.length}` }, show);
  const other = button("Other seeds", () => { draw++; shuffle(); show(); });
  const zoom = button("Zoom in", () => { near = !near; show(); });
  const reset = button("Reset", () => take(claim));
  const code = codeBox(() => {
    const { values, rivals } = judge(claim, order, seeds.value);
    const tail = claim.relation === "number" ? [`printed = ${claim.value}`,
      `low, high = min(ours) - ${claim.tolerance}, max(ours) + ${claim.tolerance}`,
      'print("confirmed" if low <= printed <= high else "exceeded" if min(ours) > printed else "not reached")']
      : [claim.value === null ? `others = np.array(${python(rivals)})` : `bound = ${claim.value}`,
        ...(claim.value === null ? ["bound = others.mean()"] : []),
        claim.relation === "better" ? "print(min(ours) > bound)" : `print(ours.mean() >= bound${claim.relation === "on par" ? ` - ${claim.tolerance}` : ""})`];
    return ["import numpy as np", "", `# ${claim.paper}, ${claim.what}`, `ours = np.array(${python(values)})`, ...tail, ""].join("\n");
  });
  root.append(row(paper.element, which.element), row(back, forward, seeds.element, other, zoom, reset, code.button),
    says.element, plane.element, readout, notice, code.box);

  const text = v => Math.abs(v) >= 2 ? fixed(v, 1) : fixed(v, 3).replace(/^(−?)0\./, "$1.");
  function shuffle() {                               // seed 0 keeps the order on file
    const all = seedsOf(claim);
    order = draw === 0 ? all : random(draw).choose(all.length, all.length).map(i => all[i]);
  }
  function take(next) {
    claim = next; draw = 0; near = false; looked = null; shuffle();
    paper.value = claim.paper;
    which.select.replaceChildren(...claims.map((c, i) => [c, i]).filter(([c]) => c.paper === claim.paper)
      .map(([c, i]) => element("option", { value: String(i), textContent: c.what })));
    which.value = String(claims.indexOf(claim));
    seeds.input.max = order.length; seeds.value = order.length;
    show();
  }
  function show() {
    const at = claims.indexOf(claim), now = judge(claim, order, seeds.value), all = judge(claim, order, order.length);
    back.disabled = at === 0; forward.disabled = at === claims.length - 1;
    other.disabled = order.length < 2; zoom.textContent = near ? "Show all" : "Zoom in";
    seeds.value = seeds.value;                       // says "n of all" anew
    const spread = now.values.length > 1 ? ` ± ${text(deviation(now.values))}` : "";
    const against = now.rivals.length ? `, against ${text(mean(now.rivals))}` : "";
    const others = claim.readings.length > 1 ? ` Of ${claim.readings.length} readings the ${claim.relation === "number" ? "nearest" : "highest"} counts: ${now.name}.` : "";
    const changed = now.verdict === all.verdict ? "" : ` With all seeds it is <b>${all.verdict}</b>.`;
    const formula = now.verdict === "cannot be as printed" ? ` By the printed formula it is ${claim.formula.map(text).join(", ")}.` : "";
    says.say(`<b>${now.verdict[0].toUpperCase()}${now.verdict.slice(1)}.</b> Printed ${escaped(claim.printed)}; ours ${text(mean(now.values))}${spread}, ` +
      `${now.values.length} ${now.values.length > 1 ? "seeds" : "seed"}${against}.${others}${formula}${changed}`);
    notice.textContent = [claim.unfinished && `The training is not finished (${claim.unfinished}).`,
      claim.reason && `Why: ${claim.reason}.`, `Claim ${at + 1} of ${claims.length}.`].filter(Boolean).join(" ");
    plane.redraw(); tell();
  }
  const escaped = words => words.replace(/[&<>]/g, c => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
  function points() {                                // [x, y, reading, seed], of all readings
    const height = 0.5 / Math.max(claim.readings.length, 1), all = seedsOf(claim);
    return claim.readings.flatMap((r, k) => r.values.map((v, i) =>
      [v, all.indexOf(r.seeds[i]) + height * (k - (claim.readings.length - 1) / 2), k, r.seeds[i]]));
  }
  function tell() {
    readout.textContent = looked === null ? "Move over a point to read it."
      : `${claim.readings[looked[2]].name}, seed ${looked[3]}: ${text(looked[0])}`;
  }

  function drawPlane(p) {
    const now = judge(claim, order, seeds.value), rows = Math.max(ROWS, order.length), drawn = points();
    const near_ = [...drawn.map(d => d[0]), ...(claim.value === null ? [] : [claim.value]), ...now.rivals];
    const all = near ? near_ : [...near_, ...claim.beside.map(([, v]) => v)];
    const low = Math.min(...all), high = Math.max(...all), room = Math.max(0.12 * (high - low), 0.02 * Math.abs(high), 0.01);
    p.view = [low - room, high + room, -0.8, rows + 0.38 * rows + 0.5];
    p.xlabel = { ACC: "ACC", V: "V-measure", ARI: "adjusted Rand index", AMI: "adjusted mutual information", dB: "PSNR, dB" }[claim.score] || "value";
    p.clear();
    const line = (v, stroke, dash = []) => p.line([[v, -0.8], [v, p.view[3]]], stroke, 3, dash);
    const heights = [0.94, 0.85, 0.76].map(part => p.view[2] + part * (p.view[3] - p.view[2]));
    const name = (words, v, level, fill) => {
      const left = p.x(v) > p.width * 0.62;          // towards the middle of the picture
      p.text(words, v + (left ? -7 : 7) / p.scale, heights[level], fill, { align: left ? "right" : "left", size: p.width < 420 ? 15 : 17 });
    };
    if (claim.relation === "number") {               // the band within which a run confirms
      const { g } = p;
      g.fillStyle = "#e69f0033";
      g.fillRect(p.x(claim.value - claim.tolerance), 0, p.x(claim.value + claim.tolerance) - p.x(claim.value - claim.tolerance), p.height);
    }
    for (const [, v] of claim.beside) line(v, "#999999", [4, 6]);
    if (claim.value !== null) line(claim.value, COLORS[1]);
    if (now.rivals.length) line(mean(now.rivals), COLORS[3], [10, 6]);
    const counts = new Set(order.slice(0, seeds.value));
    for (const [v, y, k, seed] of drawn) {
      const used = claim.readings[k].name === now.name && counts.has(seed);
      const on = looked && looked[2] === k && looked[3] === seed;
      p.point(v, y, k, used ? COLORS[0] : "#c9d9e6", used ? 8 : 6, on ? "black" : used ? "white" : GRAY);
    }
    claim.beside.forEach(([words, v], i) => { if (v >= p.view[0]) name(words, v, 1 + i, GRAY); });
    if (claim.value !== null) name(claim.relation === "above" ? "bound" : "printed", claim.value, 0, dark(COLORS[1]));
    if (now.rivals.length) name("rival's mean", mean(now.rivals), 0, dark(COLORS[3]));
    p.done(`${drawn.length} points, ${seeds.value} of ${order.length} seeds, ${now.verdict}`);
    const { g } = p, pad = p.pad;                    // rows are seeds, no scale: their names instead of ticks
    g.fillStyle = "white"; g.fillRect(0, 0, pad.l - 1, p.height - pad.b + 2);
    g.fillStyle = INK; g.font = "16px sans-serif"; g.textAlign = "right"; g.textBaseline = "middle";
    const step = rows * 20 > (p.height - pad.t - pad.b) * 0.72 ? 2 : 1;
    seedsOf(claim).forEach((seed, i) => { if (i % step === 0) g.fillText(String(seed), pad.l - 8, p.y(i)); });
    g.save(); g.translate(10, p.y((order.length - 1) / 2)); g.rotate(-Math.PI / 2); g.textAlign = "center"; g.fillText("seed", 0, 0); g.restore();
  }
  plane.interact({
    look(u, v, reach) {
      let best = reach * plane.scale + 14, found = null;   // the nearest within 32 pixels
      for (const d of points()) {
        const away = Math.hypot(plane.x(d[0]) - plane.x(u), plane.y(d[1]) - plane.y(v));
        if (away < best) { best = away; found = d; }
      }
      if (String(found) !== String(looked)) { looked = found; tell(); plane.redraw(); }
    },
    click(u, v) { this.look(u, v, 24 / plane.scale); },
  });
  take(claims.find(c => c.headline) ?? claim);
}
export default { render };
