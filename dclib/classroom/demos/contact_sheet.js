// Contact sheets of clusters: their images by distance to the centre, what classes they have, one image followed.
import { INK, GRAY, begin, button, caption, choice, codeBox, element, fixed, row, Steps } from "./demo.js";

// --- the algorithm ----------------------------------------------------------------------------------------------------

export function sheetOf(labels, distances, cluster, farthest = false) { // its rows, the nearest (or farthest) first
  const sign = farthest ? -1 : 1;
  return labels.map((k, i) => k === cluster ? i : -1).filter(i => i >= 0)
    .sort((a, b) => sign * (distances[a] - distances[b]) || a - b);
}

export function classCounts(y, rows, nClasses) {     // how many of each class
  const counts = Array(nClasses).fill(0);
  for (const i of rows) counts[y[i]]++;
  return counts;
}

// --- the page ---------------------------------------------------------------------------------------------------------

const MOST = 60, WISHED = 58;                        // images on a sheet, pixels of one

export function render({ model, el }) {
  const { kinds, y, names, sprite, tile, columns: inSprite, code: python } = model.get("settings");
  const root = begin(el, "Contact sheets of clusters"), image = new Image();
  const clustersOf = kind => [...new Set(kinds[kind].labels)].sort((a, b) => a - b);
  const first = Math.min(1, kinds.length - 1), begun = { kind: first, cluster: clustersOf(first)[0], farthest: false, chosen: -1 };
  const steps = new Steps(begun);
  let looked = -1, rows = [], across = 1, size = WISHED; // looked: place on the sheet under the pointer or cursor

  const canvas = element("canvas", { tabIndex: 0, role: "application", "aria-label": "The images of the cluster. By " +
    "keyboard: arrows move a frame, Enter chooses the image." });
  const panel = element("div", { className: "dclib-panel", style: "flex: 3 1 300px" }, canvas);
  const bars = element("canvas", { role: "img", "aria-label": "Classes of the images in the cluster" });
  const side = element("div", { className: "dclib-panel", style: "flex: 1 1 250px" }, bars);
  const says = caption();
  const kindChoice = choice("clustering", kinds.map((k, i) => [String(i), k.name]), String(first), value => {
    const kind = +value, { chosen } = steps.now;
    const cluster = chosen >= 0 ? kinds[kind].labels[chosen]
      : clustersOf(kind).includes(steps.now.cluster) ? steps.now.cluster : clustersOf(kind)[0];
    go({ kind, cluster });
  });
  const farthest = element("input", { type: "checkbox" }), framed = element("input", { type: "checkbox" });
  farthest.addEventListener("change", () => go({ farthest: farthest.checked }));
  framed.addEventListener("change", show);
  const turn = by => {
    const all = clustersOf(steps.now.kind), at = all.indexOf(steps.now.cluster);
    go({ cluster: all[(at + by + all.length) % all.length], chosen: -1 });
  };
  const back = button("◀ Back", () => { steps.back(); looked = -1; show(); });
  const reset = button("Reset", () => { steps.restart(begun); framed.checked = false; looked = -1; show(); });
  const code = codeBox(() => python);
  root.append(row(kindChoice.element, button("Previous cluster", () => turn(-1)), button("Next cluster ▶", () => turn(1), true)),
    row(element("label", {}, farthest, element("span", { textContent: "farthest first" })),
      element("label", {}, framed, element("span", { textContent: "frame the other classes" })), back, reset, code.button),
    says.element, element("div", { className: "dclib-stage dclib-tall" }, panel, side), code.box);

  function go(change) { steps.add({ ...steps.now, ...change }); looked = -1; show(); }
  function all() {
    const { kind, cluster, farthest: far } = steps.now;
    return sheetOf(kinds[kind].labels, kinds[kind].distances, cluster, far);
  }
  function show() {
    const now = steps.now, everything = all();
    rows = everything.slice(0, MOST);
    if (now.chosen >= 0 && !rows.includes(now.chosen) && everything.includes(now.chosen)) rows = [...rows.slice(0, -1), now.chosen];
    kindChoice.value = String(now.kind); farthest.checked = now.farthest; back.disabled = !steps.canBack;
    tell(); draw(); drawBars();
  }
  function tell() {
    const now = steps.now, everything = all(), counts = classCounts(y, everything, names.length);
    const i = looked >= 0 ? rows[looked] : now.chosen;
    if (i >= 0) {
      const place = 1 + sheetOf(kinds[now.kind].labels, kinds[now.kind].distances, now.cluster).indexOf(i);
      says.say(`<b>${names[y[i]]}</b>, number ${place} of ${everything.length} from the centre (distance ` +
        `${fixed(kinds[now.kind].distances[i])}). ` + (i === now.chosen ? "Change the clustering: the sheet follows this image."
          : "Click it to follow it into the other clusterings."));
      return;
    }
    const order = counts.map((n, c) => [n, c]).sort((a, b) => b[0] - a[0] || a[1] - b[1]).filter(([n]) => n).slice(0, 3);
    says.say(`<b>${kinds[now.kind].name}, cluster ${now.cluster}: ${everything.length} images</b>, ` +
      order.map(([n, c]) => `${Math.round(100 * n / everything.length)}% ${names[c]}`).join(", ") + ", … " +
      (now.farthest ? "The farthest first: do they still belong here?"
        : now.kind === 0 && kinds.length > 1 ? "What do they share: a thing, or a colour?" : "What do the images in the first rows share?"));
  }

  function prepare(target, width, height) {
    const dpr = window.devicePixelRatio || 1, g = target.getContext("2d");
    target.width = width * dpr; target.height = height * dpr;
    target.style.width = width + "px"; target.style.height = height + "px";
    g.setTransform(dpr, 0, 0, dpr, 0, 0);
    g.fillStyle = "white"; g.fillRect(0, 0, width, height);
    return g;
  }
  function draw() {
    const width = Math.min(Math.floor(panel.clientWidth), 720), now = steps.now;
    if (width <= 0) return;
    across = Math.max(4, Math.floor(width / WISHED)); size = width / across;
    const g = prepare(canvas, width, Math.max(1, Math.ceil(rows.length / across)) * size), [w, h] = tile;
    g.imageSmoothingEnabled = true;
    const counts = classCounts(y, all(), names.length), commonest = counts.indexOf(Math.max(...counts));
    rows.forEach((i, n) => {
      const left = (n % across) * size, top = Math.floor(n / across) * size;
      if (image.width) g.drawImage(image, (i % inSprite) * w, Math.floor(i / inSprite) * h, w, h, left + 2, top + 2, size - 4, size - 4);
      const other = framed.checked && y[i] !== commonest;
      if (other || n === looked || i === now.chosen) {
        g.strokeStyle = i === now.chosen ? "#000000" : n === looked ? GRAY : "#bd1f01"; g.lineWidth = 4;
        g.setLineDash(i === now.chosen || n === looked ? [] : [6, 4]);
        g.strokeRect(left + 2, top + 2, size - 4, size - 4); g.setLineDash([]);
      }
    });
    canvas.dataset.drawn = `${rows.length} images, ${kinds[now.kind].name}, cluster ${now.cluster}` +
      (now.chosen >= 0 ? `, chosen ${now.chosen}` : "") + (image.width ? "" : ", no pictures yet");
  }
  function drawBars() {
    const width = Math.min(Math.floor(side.clientWidth), 380), line = 26;
    if (width <= 0) return;
    const counts = classCounts(y, all(), names.length), most = Math.max(...counts, 1), left = 104;
    const g = prepare(bars, width, names.length * line + 6);
    g.font = "17px sans-serif"; g.textBaseline = "middle";
    counts.forEach((n, c) => {
      const middle = c * line + line / 2 + 2, long = (width - left - 46) * n / most;
      g.fillStyle = INK; g.textAlign = "right"; g.fillText(names[c], left - 8, middle);
      g.fillStyle = n === most ? "#0072b2" : "#9a9a9a"; g.fillRect(left, middle - 9, long, 18);
      g.fillStyle = INK; g.textAlign = "left"; g.fillText(String(n), left + long + 6, middle);
    });
    bars.dataset.drawn = counts.join(" ");
  }

  const under = event => {
    const box = canvas.getBoundingClientRect(), column = Math.floor((event.clientX - box.left) / size);
    const at = Math.floor((event.clientY - box.top) / size) * across + column;
    return column >= 0 && column < across && at >= 0 && at < rows.length ? at : -1;
  };
  const choose = at => { if (at >= 0) go({ chosen: steps.now.chosen === rows[at] ? -1 : rows[at] }); };
  canvas.style.touchAction = "manipulation";         // the page scrolls as usual
  canvas.addEventListener("pointermove", event => {
    const at = event.pointerType === "touch" ? -1 : under(event);
    if (at !== looked) { looked = at; tell(); draw(); }
  });
  for (const end of ["pointerleave", "blur"]) canvas.addEventListener(end, () => { if (looked >= 0) { looked = -1; tell(); draw(); } });
  canvas.addEventListener("click", event => choose(under(event)));
  canvas.addEventListener("keydown", event => {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
    if (by) {
      looked = looked < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, looked + by));
      tell(); draw();
    } else if (event.key === "Enter" || event.key === " ") choose(looked); else return;
    event.preventDefault();
  });
  new ResizeObserver(() => { draw(); drawBars(); }).observe(root);
  image.onload = () => draw();
  image.src = sprite;
  requestAnimationFrame(show);
  show();
}
export default { render };
