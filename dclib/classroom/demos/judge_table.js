// A table of counts, classes by clusters, to edit, and what each score makes of it. The same as dclib.metrics.
import { COLORS, begin, button, caption, codeBox, element, fixed, python, random, row, Steps } from "./demo.js";

// --- the scores: table[i][k] samples of class i in cluster k, at least one sample -------------------------------------

const sum = list => list.reduce((a, b) => a + b, 0);
const rowSums = table => table.map(sum), columnSums = table => table[0].map((_, k) => sum(table.map(r => r[k])));
const copied = table => table.map(r => [...r]);
const entropy = counts => { const n = sum(counts); return -sum(counts.filter(v => v).map(v => v / n * Math.log(v / n))); };
const pairsIn = counts => sum(counts.map(v => v * (v - 1) / 2));

export function match(table) {                       // the one-to-one match with most right: {right, pairs of [class, cluster]}
  let best = new Map([[0, { right: 0, pairs: [] }]]); // class by class; key: the clusters that are taken, as bits
  table.forEach((counts, i) => {
    const next = new Map(best);                      // class i may stay without a cluster
    for (const [taken, { right, pairs }] of best) counts.forEach((n, k) => {
      const now = taken | 1 << k;
      if (n && now !== taken && right + n > (next.get(now)?.right ?? -1)) next.set(now, { right: right + n, pairs: [...pairs, [i, k]] });
    });
    best = next;
  });
  return [...best.values()].reduce((a, b) => b.right > a.right ? b : a);
}

export function parts(table) {                       // what the scores are made of
  const a = rowSums(table), b = columnSums(table), n = sum(a), [S, Sa, Sb] = [table.flat(), a, b].map(pairsIn);
  const E = n > 1 ? Sa * Sb / pairsIn([n]) : 0, Hy = entropy(a), Hc = entropy(b);
  const largest = b.map((_, k) => Math.max(...table.map(r => r[k]))).filter(v => v);
  return { n, S, Sa, Sb, E, Hy, Hc, I: Math.max(0, Hy + Hc - entropy(table.flat())), largest, ...match(table) };
}

export function scoresOf(table) {
  const { n, S, Sa, Sb, E, Hy, Hc, I, largest, right } = parts(table), below = (Sa + Sb) / 2 - E;
  const homogeneity = Hy > 0 ? I / Hy : 1, completeness = Hc > 0 ? I / Hc : 1, both = homogeneity + completeness;
  return { acc: right / n, purity: sum(largest) / n, homogeneity, completeness,
           v_measure: both > 0 ? 2 * homogeneity * completeness / both : 0, ari: below ? (S - E) / below : 1 };
}

// --- moves ------------------------------------------------------------------------------------------------------------

export function shuffled(table, g) {                 // the same class and cluster sizes, labels dealt out at random
  const labels = columnSums(table).flatMap((n, k) => Array(n).fill(k)), order = g.choose(labels.length, labels.length);
  let at = 0;
  return rowSums(table).map(n => {
    const counts = table[0].map(() => 0);
    for (let j = 0; j < n; j++) counts[labels[order[at++]]]++;
    return counts;
  });
}

const known = new Map();

export function chance(table, repeats = 60) {        // mean scores of shuffled labels: the same for the same sizes
  const b = columnSums(table), order = [...b.keys()].filter(k => b[k]).sort((k, l) => b[l] - b[k]);
  const sorted = table.map(r => order.map(k => r[k])), sizes = [rowSums(table), order.map(k => b[k]), repeats].join(";");
  if (!known.has(sizes)) {
    const g = random(1), all = [...Array(repeats)].map(() => scoresOf(shuffled(sorted, g)));
    known.set(sizes, Object.fromEntries(Object.keys(all[0]).map(name => [name, sum(all.map(s => s[name])) / repeats])));
  }
  return known.get(sizes);
}

export function split(table, g) {                    // half of the largest cluster moves to an empty column: [from, to, table]
  const b = columnSums(table), from = b.indexOf(Math.max(...b)), to = b.indexOf(0), made = copied(table);
  if (to < 0 || b[from] < 2) return null;
  const inside = table.flatMap((r, i) => Array(r[from]).fill(i));
  for (const j of g.choose(inside.length, inside.length >> 1)) { made[inside[j]][from]--; made[inside[j]][to]++; }
  return [from, to, made];
}

export function merge(table) {                       // the smallest cluster joins the next: [from, to, table]
  const b = columnSums(table), [from, to] = [...b.keys()].filter(k => b[k]).sort((k, l) => b[k] - b[l]), made = copied(table);
  if (to === undefined) return null;
  for (const r of made) { r[to] += r[from]; r[from] = 0; }
  return [from, to, made];
}

export function renamed(table, g) {                  // the same columns in another order
  const order = g.choose(table[0].length, table[0].length);
  return table.map(r => order.map(k => r[k]));
}

export function drawnAtRandom(counts, clusters, columns, g) { // classes of these sizes, each sample in one of the first clusters
  return counts.map(n => {
    const made = Array(columns).fill(0);
    for (let j = 0; j < n; j++) made[Math.floor(g.uniform() * clusters)]++;
    return made;
  });
}

// --- the page ---------------------------------------------------------------------------------------------------------

const NAMES = { acc: "ACC", purity: "purity", homogeneity: "homogeneity", completeness: "completeness", v_measure: "V = NMI", ari: "ARI" };
const MOST = 99, LEFT = -0.15;                       // the largest count, the left end of the bars
const LOOK = `
.dclib-counts { border-collapse: collapse; table-layout: fixed; width: 100%; max-width: 26em; font-variant-numeric: tabular-nums; }
.dclib-demo .dclib-counts th, .dclib-demo .dclib-counts td { padding: 2px; border: 0; background: white; color: #222222; text-align: center;
  font-size: 0.89em; font-weight: normal; }
.dclib-demo .dclib-counts th:first-child { width: 16%; text-align: left; }
.dclib-count { border: 4px solid transparent; border-radius: 6px; }
.dclib-count.dclib-right { border-color: #e69f00; }
.dclib-count span { display: block; font-size: 1.35em; font-weight: bold; line-height: 1.35; }
.dclib-demo .dclib-count button { display: block; width: 100%; min-height: 34px; padding: 0; border: 0; background: #ffffffa8;
  color: #222222; font-size: 1.2em; line-height: 1; }
.dclib-demo .dclib-count button:disabled { color: #8a8a8a; }
.dclib-scores { display: grid; grid-template-columns: auto minmax(60px, 1fr) auto; gap: 8px 10px; align-items: center; margin-bottom: 8px; }
.dclib-demo .dclib-scores button { text-align: left; padding: 4px 8px; }
.dclib-demo button[aria-pressed=true] { box-shadow: inset 0 -4px 0 #0072b2; }
.dclib-bar { position: relative; height: 28px; background: #f0f0f0; }
.dclib-bar div { position: absolute; top: 0; bottom: 0; }
.dclib-scores output { width: 7.5em; }
@media (max-width: 480px) { .dclib-scores output { width: 3.6em; line-height: 1.15; } .dclib-scores small { display: block; } }
`;

export function render({ model, el }) {
  const { classes, columns, presets, preset } = model.get("settings");
  const root = begin(el, "A table of counts to edit, and its scores");
  let chosen, seed, steps, at = [0, 0], shown = "acc";
  const says = caption(), words = element("div", { className: "dclib-note", "aria-live": "polite" }), how = element("div", { className: "dclib-note" });

  const starts = presets.map((p, i) => button(p.title, () => load(i)));
  const back = button("◀ Back", () => { steps.back(); show(); });
  const forward = button("Forward ▶", () => { if (steps.at + 1 < steps.states.length) steps.at++; show(); });
  const reset = button("Reset", () => { seed = 0; load(chosen); });
  const fresh = button("New seed", () => { seed++; load(presets.findIndex(p => p.random), true); });
  const g = () => random(1000 * seed + steps.at + 1);
  const does = (what, made) => { steps.add({ table: made, what }); show(); };
  const moves = [
    button("Split a cluster", () => {
      const [from, to, made] = split(steps.now.table, g());
      does(`<b>Split:</b> half of cluster ${from} became cluster ${to}.`, made);
    }),
    button("Merge two", () => {
      const [from, to, made] = merge(steps.now.table);
      does(`<b>Merged:</b> cluster ${from} joined cluster ${to}.`, made);
    }),
    button("Rename clusters", () => does("<b>Renamed:</b> the same clusters under other numbers.", renamed(steps.now.table, g()))),
    button("Shuffle labels", () => does("<b>Shuffled:</b> the same sizes, labels dealt out at random. Do the bars go to their ticks?",
      shuffled(steps.now.table, g()))),
  ];
  const code = codeBox(() => ["import numpy as np", "from sklearn.metrics import homogeneity_completeness_v_measure", "",
    "from dclib import scores", "", `table = np.array(${python(steps.now.table)})`, "rows, columns = np.indices(table.shape)",
    "y, labels = np.repeat(rows.ravel(), table.ravel()), np.repeat(columns.ravel(), table.ravel())",
    "print(scores(y, labels), homogeneity_completeness_v_measure(y, labels))", ""].join("\n"));

  // The table. Keyboard: one tab stop; arrows left and right go from cell to cell, up and down (or + and −) count.
  const cells = classes.map((name, i) => [...Array(columns).keys()].map(k => {
    const count = element("span"), more = button("+", () => change(i, k, 1)), less = button("−", () => change(i, k, -1));
    for (const b of [more, less]) { b.tabIndex = -1; b.setAttribute("aria-hidden", "true"); }
    const box = element("div", { className: "dclib-count", role: "spinbutton", "aria-label": `${name}, cluster ${k}`,
                                 "aria-valuemin": 0, "aria-valuemax": MOST }, more, count, less);
    box.addEventListener("focusin", () => { at = [i, k]; });
    box.addEventListener("keydown", event => {
      const by = { ArrowUp: 1, "+": 1, ArrowDown: -1, "-": -1 }[event.key], go = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) change(i, k, by);
      else if (go) {
        const all = cells.flat(), to = (i * columns + k + go + all.length) % all.length;
        all[to].box.focus();
      }
      else return;
      event.preventDefault();
    });
    return { box, count, more, less };
  }));
  const sums = classes.map(() => element("td")), below = [...Array(columns)].map(() => element("td")), total = element("td");
  const head = (text, scope) => element("th", { textContent: text, scope });
  const grid = element("table", { className: "dclib-counts",
    "aria-label": "samples of each class in each cluster; arrows left and right choose a cell, up and down count" },
    element("tr", {}, head("cluster", "row"), ...below.map((_, k) => head(String(k), "col")), head("sum", "col")),
    ...cells.map((line, i) => element("tr", {}, head(classes[i], "row"), ...line.map(c => element("td", {}, c.box)), sums[i])),
    element("tr", {}, head("sum", "row"), ...below, total));

  const bars = Object.fromEntries(Object.entries(NAMES).map(([name, text]) => {
    const bar = element("div"), tick = element("div"), value = element("output");
    const choose = button(text, () => { shown = name; show(); });
    return [name, { choose, bar, tick, value, track: element("div", { className: "dclib-bar" }, bar, tick) }];
  }));
  const board = element("div", { className: "dclib-scores" }, ...Object.values(bars).flatMap(b => [b.choose, b.track, b.value]));

  root.append(element("style", { textContent: LOOK }), row(...starts), row(...moves), row(back, forward, reset, fresh, code.button), says.element,
    element("div", { className: "dclib-stage dclib-whole" }, element("div", { className: "dclib-panel" }, grid, words),
      element("div", { className: "dclib-panel" }, board, how, element("div", { className: "dclib-note",
        textContent: "Orange frames: what ACC counts as right. Black tick: the mean score of shuffled labels. In brackets: the change by the last move." }))), code.box);

  function load(index, keep = false) {               // a preset is a new beginning; another random table is one more step
    const p = presets[index], made = p.random ? drawnAtRandom(p.random, p.clusters, columns, random(seed + 1))
      : p.table.map(r => [...r, ...Array(columns - r.length).fill(0)]);
    const state = { table: made, what: `<b>${p.title}${p.random ? `, seed ${seed}` : ""}.</b> ${p.notice}` };
    if (keep && chosen === index) steps.add(state); else steps = new Steps(state);
    chosen = index;
    show();
  }
  function change(i, k, by) {
    const made = copied(steps.now.table), value = made[i][k] + by;
    if (value < 0 || value > MOST) return;
    made[i][k] = value;
    does(`<b>${by > 0 ? "One more" : "One less"}:</b> ${classes[i]} in cluster ${k}.`, made);
  }

  function show() {
    const { table, what } = steps.now, counts = table.flat(), empty = !counts.some(v => v), most = Math.max(...counts, 1);
    const a = rowSums(table), b = columnSums(table), last = steps.at ? steps.states[steps.at - 1].table : null;
    const old = last && last.flat().some(v => v) ? scoresOf(last) : null;
    const [found, now, byChance] = empty ? [null, null, null] : [parts(table), scoresOf(table), chance(table)];
    starts.forEach((s, i) => s.setAttribute("aria-pressed", String(i === chosen)));
    back.disabled = !steps.canBack; forward.disabled = steps.at + 1 >= steps.states.length;
    moves.forEach((m, i) => { m.disabled = empty || (i === 0 && !split(table, g())) || (i === 1 && !merge(table)); });
    cells.forEach((line, i) => line.forEach(({ box, count, more, less }, k) => {
      const n = table[i][k];
      count.textContent = n || "·"; box.setAttribute("aria-valuenow", n); more.disabled = n >= MOST; less.disabled = n <= 0;
      box.tabIndex = at[0] === i && at[1] === k ? 0 : -1;
      box.style.background = `rgba(0, 114, 178, ${0.42 * n / most})`;
      box.classList.toggle("dclib-right", Boolean(found && found.pairs.some(([c, d]) => c === i && d === k)));
    }));
    sums.forEach((td, i) => { td.textContent = a[i]; }); below.forEach((td, k) => { td.textContent = b[k] || "·"; }); total.textContent = sum(a);
    const moved = {}, place = v => 100 * (Math.max(v, LEFT) - LEFT) / (1 - LEFT);
    for (const [name, { choose, bar, tick, value, track }] of Object.entries(bars)) {
      choose.setAttribute("aria-pressed", String(name === shown)); track.hidden = empty;
      if (empty) { value.textContent = "—"; continue; }
      const v = now[name], zero = place(0);
      moved[name] = old ? v - old[name] : 0;
      bar.style.left = `${Math.min(place(v), zero)}%`; bar.style.width = `${Math.abs(place(v) - zero)}%`;
      bar.style.background = name === "acc" ? COLORS[1] : COLORS[4];
      tick.style.left = `calc(${place(byChance[name])}% - 2px)`; tick.style.width = "4px"; tick.style.background = "black";
      value.textContent = fixed(v) + " ";
      if (Math.abs(moved[name]) >= 0.005) value.append(element("small", { textContent: `(${moved[name] > 0 ? "+" : ""}${fixed(moved[name])})` }));
    }
    says.say(empty ? "<b>The table is empty.</b> Give some class a sample in some cluster." : what + (old ? " " + inWords(moved) : ""));
    words.textContent = empty ? "" : matched(table, found.pairs);
    how.innerHTML = empty ? "" : formula(found, now);
    grid.dataset.drawn = `${python(table)} ${Object.keys(NAMES).map(name => empty ? "—" : now[name].toFixed(3)).join(" ")}`;
  }

  function inWords(moved) {                          // what the last move did
    const names = Object.keys(NAMES), biggest = names.reduce((x, y) => Math.abs(moved[y]) > Math.abs(moved[x]) + 1e-9 ? y : x);
    if (Math.abs(moved[biggest]) < 1e-9) return "No score has moved.";
    const still = names.filter(name => Math.abs(moved[name]) < 1e-9).map(name => NAMES[name]);
    return `Moved most: ${NAMES[biggest]} (${moved[biggest] > 0 ? "+" : ""}${fixed(moved[biggest])}). Unmoved: ${still.join(", ") || "none"}.`;
  }
  function matched(table, found) {                   // what ACC takes for what, and what is left over
    const b = columnSums(table), alone = [...b.keys()].filter(k => b[k] && !found.some(([, d]) => d === k));
    const lost = classes.filter((_, i) => sum(table[i]) && !found.some(([c]) => c === i));
    let text = `ACC: ${found.map(([i, k]) => `cluster ${k} stands for ${classes[i]}`).join(", ")}.`;
    if (alone.length) text += ` No class is left for cluster${alone.length > 1 ? "s" : ""} ${alone.join(", ")}: ${sum(alone.map(k => b[k]))} wrong.`;
    if (lost.length) text += ` No cluster is left for ${lost.join(", ")}.`;
    return text;
  }
  function formula({ n, S, Sa, Sb, E, Hy, Hc, I, largest, pairs }, now) {
    const right = pairs.map(([i, k]) => steps.now.table[i][k]), added = l => l.length > 1 ? `(${l.join(" + ")})` : l[0];
    return {
      acc: `ACC = ${added(right)} / ${n}: the framed counts`,
      purity: `purity = ${added(largest)} / ${n}: the largest count of each cluster`,
      homogeneity: `homogeneity = I / H(y) = ${fixed(I)} / ${fixed(Hy)}: does the cluster tell the class?`,
      completeness: `completeness = I / H(c) = ${fixed(I)} / ${fixed(Hc)}: does the class tell the cluster?`,
      v_measure: `V = 2 I / (H(y) + H(c)) = 2 · ${fixed(I)} / (${fixed(Hy)} + ${fixed(Hc)})`,
      ari: "ARI = (S − E) / (½ (S<sub>a</sub> + S<sub>b</sub>) − E) = " +
        `(${S} − ${fixed(E, 1)}) / (½ (${Sa} + ${Sb}) − ${fixed(E, 1)})`,
    }[shown] + ` → <b>${fixed(now[shown], 3)}</b>`;
  }
  seed = 0;
  load(preset);
}
export default { render };
