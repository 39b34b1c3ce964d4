// What the demonstrations share in the page: controls, a plane of points, a chart, steps back and forth, chance, code.
// A demonstration's script imports from here; `demo.py` joins the two files into one, since a page has no other files.

export const COLORS = ["#0072b2", "#e69f00", "#009e73", "#aa3377", "#88ccee", "#bd1f01", "#000000", "#bbbbbb",
  "#440154", "#661100"];                             // as in dclib.classroom.plots; a test compares them
export const INK = "#333333", GRAY = "#777777";

export const rgb = color => [1, 3, 5].map(i => parseInt(color.slice(i, i + 2), 16));
export const color = k => k < 0 ? GRAY : COLORS[k % COLORS.length];

export function dark(value) {                        // dark enough for text on white
  let parts = rgb(value);
  const light = p => p.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  while (1.05 / (light(parts) + 0.05) < 4.5) parts = parts.map(v => v * 0.92);
  return `rgb(${parts.map(Math.round).join(",")})`;
}

export function mixed(weights) {                     // the colours of several clusters, mixed by weights that sum to 1
  const sum = [0, 0, 0];
  weights.forEach((w, k) => rgb(color(k)).forEach((v, i) => { sum[i] += w * v; }));
  return `rgb(${sum.map(Math.round).join(",")})`;
}

export function random(seed) {                       // mulberry32: the same seed gives the same numbers everywhere
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const choose = (n, k) => {                         // k different numbers below n
    const all = [...Array(n).keys()];
    for (let i = 0; i < k; i++) {
      const j = i + Math.floor(uniform() * (n - i));
      [all[i], all[j]] = [all[j], all[i]];
    }
    return all.slice(0, k);
  };
  return { uniform, normal, choose };
}

export const fixed = (value, digits = 2) => {        // a number with a real minus sign
  const text = value.toFixed(digits);
  return (/^-0\.?0*$/.test(text) ? text.slice(1) : text).replace("-", "−");
};

// --- elements ---------------------------------------------------------------------------------------------------------

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value; else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export const row = (...children) => element("div", { className: "dclib-row" }, ...children);

export function begin(el, name) {                    // the frame of a demonstration; keys stay inside it
  const root = element("div", { className: "dclib-demo", role: "group", "aria-label": name });
  root.addEventListener("keydown", event => event.stopPropagation());
  el.append(root);
  return root;
}

export function button(text, action, main = false) {
  const made = element("button", { type: "button", textContent: text, className: main ? "dclib-main" : "" });
  made.addEventListener("click", action);
  return made;
}

export function slider(text, { min, max, step = 1, value, show = v => String(v) }, change) {
  const input = element("input", { type: "range", min, max, step, value, "aria-label": text });
  const output = element("output", { textContent: show(+input.value) });
  const label = element("label", {}, element("span", { textContent: text }), input, output);
  const say = () => {
    output.textContent = show(+input.value);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => { say(); change(+input.value); });
  say();
  return { element: label, input, get value() { return +input.value; }, set value(v) { input.value = v; say(); } };
}

export function choice(text, options, value, change) { // options: [value, text] pairs
  const select = element("select", { "aria-label": text });
  for (const [key, words] of options) select.append(element("option", { value: key, textContent: words }));
  select.value = value;
  select.addEventListener("change", () => change(select.value));
  return { element: element("label", {}, element("span", { textContent: text }), select), select,
           get value() { return select.value; }, set value(v) { select.value = v; } };
}

export function caption() {                          // what to look for; a screen reader says each new text
  const box = element("div", { className: "dclib-caption", "aria-live": "polite" });
  return { element: box, say(html) { box.innerHTML = html; } };
}

export function codeBox(write) {                     // a button that shows the same as Python and copies it
  const box = element("textarea", { className: "dclib-code", readOnly: true, hidden: true, spellcheck: false,
                                    "aria-label": "the same as dclib code" });
  const fresh = new MutationObserver(() => {         // while it is open it follows what is on the page
    if (copy.disabled) box.hidden = true;
    const now = box.hidden ? box.value : write();
    if (box.value !== now) box.value = now;
  });
  const copy = button("Copy as dclib code", async () => {
    box.value = write(); box.hidden = false; box.focus(); box.select();
    const root = box.closest(".dclib-demo");         // a redrawn picture or another text: something has changed
    fresh.observe(root, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-drawn"] });
    try { await navigator.clipboard.writeText(box.value); } catch { /* not allowed here: the text is selected */ }
  });
  return { button: copy, box };
}

export const python = value => Array.isArray(value) ? `[${value.map(python).join(", ")}]` : String(value);

// --- steps back and forth ---------------------------------------------------------------------------------------------

export class Steps {                                 // states that were shown; a new step forgets what lay ahead
  constructor(first) { this.restart(first); }
  restart(first) { this.states = [first]; this.at = 0; }
  get now() { return this.states[this.at]; }
  get canBack() { return this.at > 0; }
  add(state) { this.states.length = ++this.at; this.states.push(state); }
  back() { if (this.canBack) this.at--; }
}

// --- a plane and a chart, on canvases ---------------------------------------------------------------------------------

function ticks(low, high, count = 5) {               // about five round numbers in [low, high]
  const raw = (high - low) / count, ten = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(f => f * ten).find(s => s >= raw * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(+(i * step).toPrecision(6));
  return found.length > 1 || count > 20 ? found : ticks(low, high, 2 * count); // one number alone gives no scale
}

function polygon(g, x, y, r, n, turn, inner) {       // n corners; with `inner` a star
  const m = inner ? 2 * n : n;
  for (let i = 0; i < m; i++) {
    const a = turn + 2 * Math.PI * i / m, s = inner && i % 2 ? r * inner : r;
    g[i ? "lineTo" : "moveTo"](x + s * Math.cos(a), y + s * Math.sin(a));
  }
  g.closePath();
}

function cross(g, x, y, r, turn) {                   // a filled plus, turned
  const w = 0.38 * r, c = Math.cos(turn), s = Math.sin(turn);
  [[-w, -r], [w, -r], [w, -w], [r, -w], [r, w], [w, w], [w, r], [-w, r], [-w, w], [-r, w], [-r, -w], [-w, -w]]
    .forEach(([a, b], i) => g[i ? "lineTo" : "moveTo"](x + a * c - b * s, y + a * s + b * c));
  g.closePath();
}

const SHAPES = [                                     // the order of plots.MARKERS: o s ^ D v P X * p h
  (g, x, y, r) => { g.moveTo(x + r, y); g.arc(x, y, r, 0, 2 * Math.PI); },
  (g, x, y, r) => g.rect(x - 0.87 * r, y - 0.87 * r, 1.74 * r, 1.74 * r),
  (g, x, y, r) => polygon(g, x, y, 1.2 * r, 3, -Math.PI / 2),
  (g, x, y, r) => polygon(g, x, y, 1.15 * r, 4, 0),
  (g, x, y, r) => polygon(g, x, y, 1.2 * r, 3, Math.PI / 2),
  (g, x, y, r) => cross(g, x, y, 1.1 * r, 0),
  (g, x, y, r) => cross(g, x, y, 1.2 * r, Math.PI / 4),
  (g, x, y, r) => polygon(g, x, y, 1.35 * r, 5, -Math.PI / 2, 0.42),
  (g, x, y, r) => polygon(g, x, y, 1.1 * r, 5, -Math.PI / 2),
  (g, x, y, r) => polygon(g, x, y, 1.1 * r, 6, 0),
];

// Axes in a canvas that takes the width it is given, so that text keeps its size on a phone.
// view: [x0, x1, y0, y1] of the data; ratio: height by width; draw: called with the plane after each change of size.
export class Plane {
  constructor({ view, ratio = 0.8, largest = 640, label, xlabel = "", ylabel = "", draw }) {
    Object.assign(this, { view, ratio, largest, xlabel, ylabel, cursor: null });
    this.canvas = element("canvas", { tabIndex: 0, role: "img", "aria-label": label });
    this.element = element("div", { className: "dclib-panel" }, this.canvas);
    this.g = this.canvas.getContext("2d");
    this.width = 0;
    this.redraw = () => { if (this.width) draw(this); };
    const resize = () => {
      const width = Math.min(this.largest, Math.floor(this.element.clientWidth));
      if (width > 0 && width !== this.width) { this.width = width; this.height = Math.round(width * ratio); this.redraw(); }
    };
    new ResizeObserver(resize).observe(this.element);
    requestAnimationFrame(resize);
  }
  get pad() { return { l: this.ylabel ? 88 : 44, r: 10, t: 12, b: this.xlabel ? 56 : 34 }; }
  get scale() {                                      // pixels of one unit of x
    return (this.width - this.pad.l - this.pad.r) / (this.view[1] - this.view[0]);
  }
  x(v) { const p = this.pad, [a, b] = this.view; return p.l + (v - a) / (b - a) * (this.width - p.l - p.r); }
  y(v) { const p = this.pad, [, , a, b] = this.view; return p.t + (b - v) / (b - a) * (this.height - p.t - p.b); }
  at(px, py) {                                       // data of a pixel
    const p = this.pad, [a, b, c, d] = this.view;
    return [a + (px - p.l) / (this.width - p.l - p.r) * (b - a), d - (py - p.t) / (this.height - p.t - p.b) * (d - c)];
  }
  pixel(event) { const box = this.canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; }
  inside(px, py) { const p = this.pad; return px >= p.l && px <= this.width - p.r && py >= p.t && py <= this.height - p.b; }

  clear({ whole = false } = {}) {                    // white, with axes; what follows is clipped to them
    const { g, width: W, height: H, pad: p } = this, dpr = window.devicePixelRatio || 1;
    this.canvas.width = W * dpr; this.canvas.height = H * dpr;
    this.canvas.style.width = W + "px"; this.canvas.style.height = H + "px";
    g.setTransform(dpr, 0, 0, dpr, 0, 0);
    g.fillStyle = "white"; g.fillRect(0, 0, W, H);
    g.strokeStyle = "#999999"; g.lineWidth = 1; g.strokeRect(p.l, p.t, W - p.l - p.r, H - p.t - p.b);
    g.fillStyle = INK; g.font = "16px sans-serif"; g.textBaseline = "top"; g.textAlign = "center";
    const [x0, x1, y0, y1] = this.view;
    const across = ticks(x0, x1, W < 400 ? 4 : 5).filter(t => !whole || Number.isInteger(t));
    for (const t of across) g.fillText(fixed(t, Number.isInteger(t) ? 0 : 1), this.x(t), H - p.b + 8);
    g.textBaseline = "middle"; g.textAlign = "right";
    const up = ticks(y0, y1, 5), digits = up.every(Number.isInteger) ? 0 : up[1] - up[0] < 0.1 ? 2 : 1;
    for (const t of up) g.fillText(fixed(t, digits), p.l - 6, this.y(t));
    g.textAlign = "center"; g.font = "17px sans-serif";
    if (this.xlabel) g.fillText(this.xlabel, (p.l + W - p.r) / 2, H - 12);
    if (this.ylabel) {
      g.save(); g.translate(12, (p.t + H - p.b) / 2); g.rotate(-Math.PI / 2); g.fillText(this.ylabel, 0, 0); g.restore();
    }
    g.save(); g.beginPath(); g.rect(p.l, p.t, W - p.l - p.r, H - p.t - p.b); g.clip();
  }
  done(drawn) {                                      // ends what `clear` began; `drawn` says in words what is on it
    const { g } = this;
    if (this.cursor) {
      const [x, y] = this.cursor;
      g.lineWidth = 2; g.strokeStyle = "black"; g.beginPath();
      g.moveTo(x - 12, y); g.lineTo(x + 12, y); g.moveTo(x, y - 12); g.lineTo(x, y + 12); g.stroke();
    }
    g.restore();
    this.canvas.dataset.drawn = drawn;
  }
  point(x, y, shape, fill, r = 5, ring = "") {
    const { g } = this;
    g.beginPath(); SHAPES[Math.max(shape, 0) % SHAPES.length](g, this.x(x), this.y(y), r);
    g.fillStyle = fill; g.fill();
    if (ring) { g.strokeStyle = ring; g.lineWidth = 1.5; g.stroke(); }
  }
  mean(x, y, fill) {                                 // a centre: a cross with a white and a black edge
    const { g } = this;
    g.beginPath(); cross(g, this.x(x), this.y(y), 13, Math.PI / 4);
    g.lineWidth = 5; g.strokeStyle = "white"; g.stroke(); g.lineWidth = 2; g.strokeStyle = "black"; g.stroke();
    g.fillStyle = fill; g.fill();
  }
  line(points, stroke, width = 2.5, dash = []) {
    const { g } = this;
    g.beginPath(); points.forEach(([x, y], i) => g[i ? "lineTo" : "moveTo"](this.x(x), this.y(y)));
    g.setLineDash(dash); g.lineWidth = width; g.strokeStyle = stroke; g.lineJoin = "round"; g.stroke(); g.setLineDash([]);
  }
  arrow([x0, y0], [x1, y1], stroke, width = 3) {
    const { g } = this, a = [this.x(x0), this.y(y0)], b = [this.x(x1), this.y(y1)];
    const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
    if (length < 2) return;
    const turn = Math.atan2(b[1] - a[1], b[0] - a[0]), head = Math.min(14, 0.6 * length);
    g.lineWidth = width; g.strokeStyle = g.fillStyle = stroke;
    g.beginPath(); g.moveTo(...a);
    g.lineTo(b[0] - 0.7 * head * Math.cos(turn), b[1] - 0.7 * head * Math.sin(turn)); g.stroke();
    g.beginPath(); g.moveTo(...b);
    for (const side of [-0.45, 0.45]) g.lineTo(b[0] - head * Math.cos(turn + side), b[1] - head * Math.sin(turn + side));
    g.closePath(); g.fill();
  }
  ellipse([mx, my], [a, b, c], radius, stroke, fill = "", width = 3) { // {x: (x − m)ᵀ Σ⁻¹ (x − m) = radius²}
    const { g } = this, lower = [Math.sqrt(a), b / Math.sqrt(a), Math.sqrt(Math.max(c - b * b / a, 0))];
    g.beginPath();
    for (let i = 0; i <= 72; i++) {
      const u = radius * Math.cos(i * Math.PI / 36), v = radius * Math.sin(i * Math.PI / 36);
      g[i ? "lineTo" : "moveTo"](this.x(mx + lower[0] * u), this.y(my + lower[1] * u + lower[2] * v));
    }
    if (fill) { g.fillStyle = fill; g.fill(); }
    g.lineWidth = width; g.strokeStyle = stroke; g.stroke();
  }
  text(words, x, y, fill = INK, { align = "center", size = 18 } = {}) {
    const { g } = this;
    g.font = `bold ${size}px sans-serif`; g.textAlign = align; g.textBaseline = "middle"; g.lineJoin = "round";
    g.lineWidth = 5; g.strokeStyle = "white"; g.strokeText(words, this.x(x), this.y(y));
    g.fillStyle = fill; g.fillText(words, this.x(x), this.y(y));
  }

  // Pointer and keyboard alike. grab(x, y, reach) -> a handle or null; drag(handle, x, y); drop(handle);
  // click(x, y); look(x, y, reach). A handle "lasso" is one that only a pointer can drag.
  // Arrows move a cross-hair (with Shift: faster), Enter or the space bar grabs or drops a handle there, or clicks.
  interact({ grab = () => null, drag = () => {}, drop = () => {}, click = () => {}, look = () => {} }) {
    const { canvas } = this;
    let held = null, from = null;                    // from: where the pointer went down, until it has moved
    canvas.setAttribute("role", "application");
    const reach = () => 18 / this.scale;
    canvas.addEventListener("pointerdown", event => {
      from = this.pixel(event);
      held = grab(...this.at(...from), reach()); this.cursor = null;
      if (held !== null) canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", event => {
      const px = this.pixel(event), at = this.at(...px);
      if (from && Math.hypot(px[0] - from[0], px[1] - from[1]) > 4) from = null;
      if (held === null) look(...at, reach());
      else if (!from && this.inside(...px)) drag(held, ...at);
    });
    canvas.addEventListener("pointerup", event => {
      const px = this.pixel(event);
      if (held === null || from) { if (this.inside(...px)) click(...this.at(...px)); } else drop(held);
      held = from = null;
    });
    canvas.addEventListener("pointercancel", () => { held = from = null; });
    canvas.addEventListener("pointerleave", () => { if (held === null) look(NaN, NaN, 0); });
    canvas.addEventListener("blur", () => { this.cursor = null; held = null; this.redraw(); });
    canvas.addEventListener("keydown", event => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      const { pad: p } = this, step = event.shiftKey ? 40 : 8;
      if (way) {
        const [x, y] = this.cursor || [(p.l + this.width - p.r) / 2, (p.t + this.height - p.b) / 2];
        this.cursor = [Math.min(this.width - p.r, Math.max(p.l, x + step * way[0])),
                       Math.min(this.height - p.b, Math.max(p.t, y + step * way[1]))];
        const at = this.at(...this.cursor);
        if (held !== null) drag(held, ...at); else look(...at, reach());
        this.redraw();
      } else if ((event.key === "Enter" || event.key === " ") && this.cursor) {
        const at = this.at(...this.cursor);
        if (held !== null) { drop(held); held = null; }
        else { held = grab(...at, reach()); if (held === null || held === "lasso") { held = null; click(...at); } }
      } else return;
      event.preventDefault();
    });
  }
}
