// What a training costs: minutes and memory, from counted operations and measured rates. As cost_calculator.py.
import { COLORS, begin, button, caption, choice, codeBox, color, dark, element, fixed, Plane, python, row, slider, Steps } from "./demo.js";

// --- the arithmetic ---------------------------------------------------------------------------------------------------

const BYTES_A_WEIGHT = 40, CLUSTERS = 10;

export function refreshes(n, epochs, batch, interval) { // how often DEC computes p
  return 1 + epochs * (1 + Math.floor((Math.ceil(n / batch) - 1) / interval));
}

export function cost(work, device, method, n, epochs, batch, interval) { // seconds and bytes, by parts
  const part = work[method], steps = epochs * Math.ceil(n / batch), rate = 1e9 * device[work.kind], joint = +(method === "DEC");
  return {
    arithmetic: epochs * n * part.training / rate,
    weights: steps * BYTES_A_WEIGHT * part.weights / (1e9 * device.bandwidth),
    launch: steps * device.overhead / 1e3,
    p: joint * refreshes(n, epochs, batch, interval) * n * part.forward / rate,
    "model bytes": 16 * part.weights + 4 * joint * (work.autoencoder.weights - part.weights),
    "batch bytes": 4 * part.kept * Math.min(batch, n),
    "data bytes": 4 * n * work.size + 4 * joint * n * CLUSTERS,
  };
}

export const seconds = found => found.arithmetic + found.weights + found.launch + found.p;

// --- the page ---------------------------------------------------------------------------------------------------------

export const COUNTS = [1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 6e4, 7e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7];
const PARTS = [["arithmetic", "arithmetic"], ["weights", "moving the weights"], ["launch", "starting the steps"], ["p", "computing p"]];
const MEMORY = [["data bytes", "images"], ["model bytes", "weights, gradients, Adam"], ["batch bytes", "kept for a batch"]];
const DASHES = [[], [10, 5], [3, 4], [12, 4, 3, 4]];

const short = v => v >= 99.5 ? fixed(v, 0) : v >= 9.95 ? fixed(v, 1) : fixed(v, 2);
const unit = s => s < 100 ? [1, "seconds"] : s < 6000 ? [60, "minutes"] : [3600, "hours"];
const time = s => { const [by, name] = unit(s); return `${short(s / by)} ${name}`; };
const size = b => b < 1e9 ? `${short(b / 1e6)} MB` : `${short(b / 1e9)} GB`;
const thousands = n => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

export function render({ model, el }) {
  const first = model.get("settings"), { gallery, works, interval } = first;
  let { devices, measured } = first, steps, changed = "";
  const root = begin(el, "Minutes and memory of a training");
  const plane = new Plane({ view: [4, 12, 0, 1], ratio: 0.7, largest: 560, xlabel: "batch size: 2 to the power of", ylabel: "minutes",
    label: "Time of the training over the batch size, its parts as thin lines, their sum as a thick one", draw });
  const says = caption(), notice = element("div", { className: "dclib-note" }), table = element("div");
  const pairs = names => names.map(name => [name, name]);
  const controls = {
    example: choice("example", gallery.map((g, i) => [String(i), g.title]), "0", value => load(+value)),
    n: slider("images", { min: 0, max: COUNTS.length - 1, value: 0, show: i => thousands(COUNTS[i]) }, i => change("n", COUNTS[i])),
    images: choice("of", pairs(Object.keys(Object.values(works)[0])), "", value => change("images", value)),
    network: choice("network", pairs(Object.keys(works)), "", value => change("network", value)),
    method: choice("method", pairs(["autoencoder", "DEC"]), "", value => change("method", value)),
    device: choice("device", devices.map((d, i) => [String(i), d.name]), "0", value => change("device", +value)),
    batch: slider("batch size", { min: 4, max: 12, value: 8, show: v => String(2 ** v) }, v => change("batch", 2 ** v)),
    epochs: slider("epochs", { min: 1, max: 100, value: 30 }, v => change("epochs", v)),
  };
  const back = button("◀ Back", () => { steps.back(); changed = ""; show(); });
  const next = button("Next example ▶", () => load((steps.now.example + 1) % gallery.length), true);
  const reset = button("Reset", () => load(steps.now.example));
  const measure = button("Measure this machine", () => {
    measure.disabled = true; measure.textContent = "Measuring …"; model.send("measure");
  });
  const code = codeBox(() => {
    const s = steps.now, w = works[s.network][s.images], d = devices[s.device];
    const words = value => typeof value === "object" ? `{${Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${words(v)}`).join(", ")}}`
      : typeof value === "string" ? JSON.stringify(value) : python(value);
    return ["from dclib.classroom.demos.cost_calculator import cost, work", "", `device = ${words(d)}`,
      `found = work(${words(s.network)}, ${words(s.images)})`,
      `print(cost(found, device, ${words(s.method)}, n=${s.n}, epochs=${s.epochs}, batch=${s.batch}))`, ""].join("\n");
  });
  root.append(row(controls.example.element, next, back, reset),
    row(controls.n.element, controls.images.element, controls.network.element, controls.method.element),
    row(controls.device.element, controls.batch.element, controls.epochs.element, measure, code.button), says.element,
    element("div", { className: "dclib-stage" }, plane.element, element("div", { className: "dclib-panel" }, table, notice)), code.box);
  if (!model.send) {                                 // a page without a kernel
    measure.disabled = true; measure.title = "needs a running kernel";
  }
  model.on("change:settings", () => {
    ({ devices, measured } = model.get("settings"));
    measure.disabled = false; measure.textContent = "Measure again";
    devices.forEach((d, i) => { controls.device.select.options[i].textContent = d.name; });
    show();
  });

  const costs = (s, batch) => cost(works[s.network][s.images], devices[s.device], s.method, s.n, s.epochs, batch, interval);
  function load(index) {
    const { images, network, n, epochs, batch, method } = gallery[index];
    const state = { example: index, images, network, n, epochs, batch, method, device: steps ? steps.now.device : 0 };
    if (steps) steps.add(state); else steps = new Steps(state);
    changed = ""; show();
  }
  function change(name, value) {                     // one control moved on and on is one step back
    const state = { ...steps.now, [name]: value };
    if (changed === name) steps.states[steps.at] = state; else steps.add(state);
    changed = name; show();
  }
  function show() {
    const s = steps.now;
    back.disabled = !steps.canBack;
    controls.example.value = String(s.example); controls.n.value = COUNTS.indexOf(s.n);
    for (const name of ["images", "network", "method"]) controls[name].value = s[name];
    controls.device.value = String(s.device); controls.batch.value = Math.log2(s.batch); controls.epochs.value = s.epochs;
    const found = costs(s, s.batch), total = seconds(found), bytes = MEMORY.reduce((sum, [key]) => sum + found[key], 0);
    says.say(words(s, found, total, bytes));
    notice.textContent = gallery[s.example].notice;
    const bar = (part, whole, fill) => `<div style="height:10px;width:${part ? Math.max(1, 100 * part / whole) : 0}%;background:${fill}"></div>`;
    const line = (name, value, share, fill) => `<tr><td>${name}${share}</td><td style="text-align:right;padding-left:12px">${value}</td></tr>` +
      `<tr><td colspan="2">${fill}</td></tr>`;
    table.innerHTML = `<table style="width:100%;border-collapse:collapse;font-size:16px">` +
      PARTS.map(([key, name], k) => line(name, time(found[key]), "", bar(found[key], total, color(k)))).join("") +
      MEMORY.map(([key, name]) => line(name, size(found[key]), "", bar(found[key], bytes, "#777777"))).join("") + "</table>";
    plane.redraw();
  }
  function words(s, found, total, bytes) {
    const d = devices[s.device], [key, name] = PARTS.reduce((a, b) => found[b[0]] > found[a[0]] ? b : a);
    const source = s.device > 1 ? "From a data sheet and assumed shares of the peak, not tried."
      : measured ? "From rates measured on this machine." : "From stored rates of one busy core.";
    const room = bytes < 1e9 * d.memory ? "" : found["data bytes"] > 0.5 * bytes
      ? ` <b>More than the ${short(d.memory)} GB here:</b> keep the images on disk, a memmap, or in main memory.`
      : ` <b>More than the ${short(d.memory)} GB here:</b> take a smaller batch.`;
    return `<b>${time(total)}, ${size(bytes)}.</b> Most of the time, ${fixed(100 * found[key] / total, 0)} %, is ${name}.${room} ${source}`;
  }
  function draw(p) {
    const s = steps.now, powers = [...Array(33)].map((_, i) => 4 + i / 4);
    const found = powers.map(v => costs(s, Math.round(2 ** v)));
    const [by, name] = unit(Math.max(...found.map(seconds)));
    p.view = [4, 12, 0, 1.08 * Math.max(...found.map(seconds)) / by]; p.ylabel = name;
    p.clear();
    PARTS.forEach(([key], k) => p.line(found.map((f, i) => [powers[i], f[key] / by]), dark(COLORS[k]), 3, DASHES[k]));
    p.line(found.map((f, i) => [powers[i], seconds(f) / by]), "#222222", 5);
    const now = costs(s, s.batch);
    p.point(Math.log2(s.batch), seconds(now) / by, 0, "#222222", 10, "white");
    p.text("all together", 4.8, seconds(found[1]) / by + 0.05 * p.view[3], "#222222", { align: "left" });
    p.done(`${time(seconds(now))}, batch ${s.batch}, ${devices[s.device].name}, measured ${measured}`);
  }
  load(first.dataset);
}
export default { render };
