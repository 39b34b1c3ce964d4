// Autoencoded k-means, recorded for several weights of the k-means term: the codes shrink, the reconstructions fade.
import { INK, begin, button, caption, codeBox, color, element, fixed, Plane, row, slider } from "./demo.js";

// --- the alarm: the rule by which dclib warns of a collapse ----------------------------------------------------------

export function alarms({ variance, shares }, startVariance) { // which of the three problems a state of training has
  const found = [];
  if (variance <= 1e-4 * startVariance) found.push("variance");
  if (shares.length > 1 && Math.max(...shares) > 0.95) found.push("one cluster");
  else if (shares.some(s => s === 0)) found.push("empty");
  return found;
}

// --- the page ---------------------------------------------------------------------------------------------------------

export function render({ model, el }) {
  const { weights, epochs, runs, digits, originals, side, view, first } = model.get("settings");
  const root = begin(el, "Autoencoded k-means for several weights of its second term");
  let timer = null;
  const weight = slider("weight λ", { min: 0, max: weights.length - 1, value: first, show: i => String(weights[i]) }, show);
  const epoch = slider("epoch", { min: 0, max: epochs.length - 1, value: epochs.length - 1, show: i => String(epochs[i]) }, () => { stop(); show(); });
  const back = button("◀ Back", () => { stop(); epoch.value = epoch.value - 1; show(); });
  const forward = button("Next ▶", () => { stop(); epoch.value = epoch.value + 1; show(); }, true);
  const play = button("Play", () => {
    if (timer) return stop();
    epoch.value = 0; show();
    play.textContent = "Stop";
    timer = setInterval(() => {
      if (epoch.value >= epochs.length - 1 || !root.isConnected) return stop();
      epoch.value = epoch.value + 1; show();
    }, 600);
  });
  const zoom = element("input", { type: "checkbox" });
  zoom.addEventListener("change", show);
  const says = caption();
  const plane = new Plane({ view, ratio: 0.85, label: "Codes of digits in the plane, with the centres as crosses", draw: drawPlane });
  const rows = new Plane({ view: [0, 1, 0, 1], ratio: 0.55, largest: 420, label: "Six digits and their reconstructions", draw: drawImages });
  rows.canvas.tabIndex = plane.canvas.tabIndex = -1;
  const code = codeBox(() => ["from dclib import AutoencodedKMeans, Autoencoder, load", "", "x = load(\"digits\").x",
    "autoencoder = Autoencoder(16, network=\"shallow\", activation=\"tanh\", epochs=60, batch_size=64, random_state=0).fit(x)",
    `model = AutoencodedKMeans(10, autoencoder=autoencoder, clustering_weight=${weights[weight.value]},`,
    `                          epochs=${Math.max(epochs[epoch.value], 1)}, random_state=0).fit(x)`, "print(model.history_.to_frame())", ""].join("\n"));
  root.append(row(weight.element, epoch.element, element("label", {}, zoom, element("span", { textContent: "magnify to fit" }))),
    row(back, forward, play, code.button), says.element, element("div", { className: "dclib-stage" }, plane.element, rows.element), code.box);

  const now = () => runs[weight.value][epoch.value];
  function stop() { clearInterval(timer); timer = null; play.textContent = "Play"; }
  function show() {
    back.disabled = epoch.value === 0; forward.disabled = epoch.value === epochs.length - 1;
    const state = now(), begun = runs[weight.value][0], used = state.shares.filter(s => s > 0).length;
    const bells = alarms(state, begun.variance), text = {
      "variance": "the latent variance is gone", "one cluster": "one cluster owns more than 95 %", "empty": "some clusters are empty" };
    says.say((bells.length ? `<b>⚠ Alarm:</b> ${bells.map(b => text[b]).join(", and ")}. ` : "<b>No alarm.</b> ") +
      `Latent variance ${fixed(state.variance, 3)} (start ${fixed(begun.variance, 3)}), ${used} of ${state.shares.length} clusters in use, ` +
      `reconstruction error ${fixed(state.error, 4)}, V <b>${fixed(state.v)}</b>.`);
    plane.redraw(); rows.redraw();
  }
  function drawPlane(p) {
    const { codes, centers } = now(), all = codes.concat(centers);
    if (zoom.checked) {
      const half = Math.max(1e-6, ...all.flat().map(Math.abs)) * 1.1;
      p.view = [-half, half, -half, half];
    } else p.view = view;
    p.clear();
    codes.forEach(([u, v], i) => p.point(u, v, digits[i], color(digits[i]), 5));
    centers.forEach(([u, v]) => p.point(u, v, 6, "#ffffff", 7, "#000000")); // small: they lie close when the codes shrink
    p.done(`λ ${weights[weight.value]}, epoch ${epochs[epoch.value]}`);
  }
  function drawImages(p) {
    const { g, width: W, height: H } = p, dpr = window.devicePixelRatio || 1, n = originals.length, size = W / n;
    p.canvas.width = W * dpr; p.canvas.height = H * dpr; p.canvas.style.width = W + "px"; p.canvas.style.height = H + "px";
    g.setTransform(dpr, 0, 0, dpr, 0, 0);
    g.fillStyle = "white"; g.fillRect(0, 0, W, H);
    g.fillStyle = INK; g.font = "17px sans-serif"; g.textBaseline = "top";
    g.fillText("image", 2, 2); g.fillText("reconstruction", 2, size + 30);
    [originals, now().images].forEach((line, r) => line.forEach((image, c) => image.forEach((value, i) => {
      const cell = (size - 4) / side, shade = Math.round(255 * value / 15);
      g.fillStyle = `rgb(${shade},${shade},${shade})`;
      g.fillRect(c * size + 2 + (i % side) * cell, 24 + r * (size + 28) + Math.floor(i / side) * cell, cell + 0.5, cell + 0.5);
    })));
    p.canvas.dataset.drawn = `${2 * n} images`;
  }
  show();
}
export default { render };
