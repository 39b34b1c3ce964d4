// Recorded frames: an image, the same with noise, and what each network draws from it; decibels over the noise.
import { COLORS, INK, begin, button, caption, choice, codeBox, dark, element, fixed, Plane, row, slider, Steps } from "./demo.js";

// --- where things are -------------------------------------------------------------------------------------------------

// The number of a frame. Clean images come first, then [draw][level][row][image]; row 0 is the noisy image.
export function frameOf({ names, methods, sigmas }, { draw, level, row, image }) {
  return names.length * (1 + (draw * sigmas.length + level) * (methods.length + 1) + row) + image;
}

// The rows from best to worst at this place, by decibels.
export const ranking = decibels => decibels.map((_, r) => r).sort((a, b) => decibels[b] - decibels[a]);

// --- the page ---------------------------------------------------------------------------------------------------------

export function render({ model, el }) {
  const settings = model.get("settings"), { names, methods, sigmas, draws, sprite, tile, decibels, stays, code: python } = settings;
  const root = begin(el, "Noise on an image, and the networks' answers"), sheet = new Image();
  const rows = ["noisy image", ...methods], shade = r => r ? COLORS[r - 1] : "#666666";
  const first = { image: Math.min(1, names.length - 1), draw: 0, level: settings.level }, steps = new Steps(first);
  let timer = null;

  const says = caption();
  const images = choice("image", names.map((n, i) => [String(i), n]), String(first.image), v => go({ image: +v }));
  const noise = slider("noise σ", { min: 0, max: sigmas.length - 1, value: first.level, show: i => fixed(sigmas[i], 1) },
    level => go({ level }));
  const less = button("◀ Less", () => go({ level: Math.max(0, steps.now.level - 1) }));
  const more = button("More noise ▶", () => go({ level: Math.min(sigmas.length - 1, steps.now.level + 1) }), true);
  const play = button("Play", () => { if (timer) stop(); else start(); });
  const again = button("Other noise", () => go({ draw: (steps.now.draw + 1) % draws }));
  const back = button("Back", () => { stop(); steps.back(); show(); });
  const reset = button("Reset", () => { stop(); steps.restart(first); show(); });
  const code = codeBox(() => python);

  const cards = ["clean image", ...rows].map((name, i) => {
    const picture = element("canvas", { width: tile[0], height: tile[1], role: "img" });
    picture.style.cssText = "width:100%;image-rendering:pixelated;border:1px solid #999999";
    const text = element("div"), title = element("b", { textContent: name });
    title.style.color = i > 1 ? dark(shade(i - 1)) : INK;
    const card = element("div", {}, picture, title, text);
    card.style.cssText = "flex:1 1 100px;max-width:min(180px,31%);min-width:88px;font-size:17px;line-height:1.25";
    return { card, picture, text, name };
  });
  const strip = element("div", { className: "dclib-stage dclib-whole" }, ...cards.map(c => c.card));
  const top = Math.min(30, Math.ceil(Math.max(...decibels.flat().slice(1).flat(2).filter(v => v < 99)) / 5) * 5);
  const chart = new Plane({ view: [0, sigmas.at(-1) * 1.28, 0, top], ratio: 0.6, largest: 640, xlabel: "σ of the noise",
    ylabel: "PSNR in dB", label: "Decibels of the noisy image and of each network against the noise. Click to choose a noise.",
    draw: drawChart });
  root.append(row(images.element, noise.element), row(less, more, play, again, back, reset, code.button), says.element, strip,
    chart.element, code.box);

  function stop() { clearInterval(timer); timer = null; play.textContent = "Play"; }
  function start() {
    if (steps.now.level === sigmas.length - 1) go({ level: 0 });
    play.textContent = "Pause";
    timer = setInterval(() => {
      if (!root.isConnected || steps.now.level === sigmas.length - 1) stop(); else go({ level: steps.now.level + 1 });
    }, 700);
  }
  function go(change) {
    const next = { ...steps.now, ...change };
    if (Object.keys(next).some(key => next[key] !== steps.now[key])) { steps.add(next); show(); }
  }
  const here = r => decibels[steps.now.draw][steps.now.level][r][steps.now.image];
  const size = v => v >= 99 ? "exact" : `${fixed(v, 1)} dB`;

  function show() {
    const { image, draw, level } = steps.now;
    images.value = String(image); noise.value = level;
    less.disabled = level === 0; more.disabled = level === sigmas.length - 1; back.disabled = !steps.canBack;
    again.disabled = draws < 2;
    cards.forEach(({ picture, text, name }, i) => {
      const kept = i > 1 && stays[draw][level][i - 2][image];
      text.textContent = i ? size(here(i - 1)) + (i > 1 ? kept ? ", cluster stays" : ", other cluster" : "") : names[image];
      picture.setAttribute("aria-label", `${name}: ${text.textContent}`);
      if (!sheet.width) return;
      const [w, h] = tile, columns = Math.floor(sheet.width / w);
      const n = i ? frameOf(settings, { draw, level, row: i - 1, image }) : image;
      picture.getContext("2d").drawImage(sheet, (n % columns) * w, Math.floor(n / columns) * h, w, h, 0, 0, w, h);
    });
    tell(); chart.redraw();
  }
  function tell() {
    const { level } = steps.now, values = rows.map((_, r) => here(r)), order = ranking(values), best = order[0];
    const worse = methods.filter((_, m) => values[m + 1] < values[0]).length;
    const lost = methods.filter((_, m) => !stays[steps.now.draw][level][m][steps.now.image]);
    let words = `<b>σ = ${fixed(sigmas[level], 1)}: the input has ${size(values[0])}.</b> `;
    if (worse === methods.length) words += "Every network does worse than leaving the image as it is. ";
    else words += `Highest: ${rows[best]}, ${size(values[best])}. `;
    words += lost.length ? `The cluster is another one than without noise for: ${lost.join(", ")}.` :
      level ? "All keep the cluster of the clean image." : "More noise: at which σ does a network begin to pay?";
    says.say(words);
  }
  function drawChart(p) {
    p.view[1] = sigmas.at(-1) * (p.width < 480 ? 1.6 : 1.28); // room for the names
    p.clear();
    const { image, draw, level } = steps.now, end = sigmas.length - 1;
    p.line([[sigmas[level], 0], [sigmas[level], top]], INK, 1.5, [6, 5]);
    const curve = r => sigmas.map((s, l) => [s, Math.min(decibels[draw][l][r][image], 2 * top)]);
    rows.forEach((_, r) => {
      p.line(curve(r), shade(r), 3);
      curve(r).forEach(([s, v]) => p.point(s, v, r, shade(r), 5));
    });
    const gap = 22 / (p.y(0) - p.y(1)), at = rows.map((_, r) => curve(r)[end][1]);
    const order = at.map((_, r) => r).sort((a, b) => at[a] - at[b]);
    order.forEach((r, i) => { at[r] = Math.max(at[r], i ? at[order[i - 1]] + gap : gap / 2); });
    rows.forEach((name, r) => p.text(r ? name : "noisy", sigmas[end] + 0.03, at[r], r ? dark(shade(r)) : INK, { align: "left", size: 15 }));
    p.done(`σ ${fixed(sigmas[level], 1)}, image ${names[image]}, draw ${draw}`);
  }
  chart.interact({ click(u) {
    const distance = sigmas.map(s => Math.abs(s - u));
    go({ level: distance.indexOf(Math.min(...distance)) });
  } });
  sheet.onload = show;
  sheet.src = sprite;
  show();
}
export default { render };
