// The half of PointCanvas (point_canvas.py) in the page: points on a canvas, a card on hover.
const INK = "#333333";

function floats(model, name) {                       // little-endian float32, as numpy sends them
  const v = model.get(name);
  if (!v || !v.byteLength) return new Float32Array(0);
  return new Float32Array(v.buffer.slice(v.byteOffset, v.byteOffset + v.byteLength));
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

const SHAPES = {
  "o": (g, x, y, r) => { g.moveTo(x + r, y); g.arc(x, y, r, 0, 2 * Math.PI); },
  "s": (g, x, y, r) => g.rect(x - 0.87 * r, y - 0.87 * r, 1.74 * r, 1.74 * r),
  "^": (g, x, y, r) => polygon(g, x, y, 1.2 * r, 3, -Math.PI / 2),
  "v": (g, x, y, r) => polygon(g, x, y, 1.2 * r, 3, Math.PI / 2),
  "D": (g, x, y, r) => polygon(g, x, y, 1.15 * r, 4, 0),
  "P": (g, x, y, r) => cross(g, x, y, 1.1 * r, 0),
  "X": (g, x, y, r) => cross(g, x, y, 1.2 * r, Math.PI / 4),
  "*": (g, x, y, r) => polygon(g, x, y, 1.35 * r, 5, -Math.PI / 2, 0.42),
  "p": (g, x, y, r) => polygon(g, x, y, 1.1 * r, 5, -Math.PI / 2),
  "h": (g, x, y, r) => polygon(g, x, y, 1.1 * r, 6, 0),
};

function ticks(a, b) {                               // about five round numbers in [a, b]
  const raw = (b - a) / 5, ten = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(f => f * ten).find(s => s >= raw);
  const found = [];
  for (let i = Math.ceil(a / step); i * step <= b + 1e-9; i++) found.push(+(i * step).toPrecision(6));
  return found;
}

function render({ model, el }) {
  const root = document.createElement("div"), canvas = document.createElement("canvas");
  const card = document.createElement("div"), thumb = document.createElement("canvas");
  const text = document.createElement("div"), live = document.createElement("div");
  root.className = "dclib-points"; card.className = "dclib-card"; live.className = "dclib-live";
  card.append(thumb, text); card.hidden = true;
  canvas.tabIndex = 0;
  live.setAttribute("aria-live", "polite");
  root.append(canvas, card, live); el.append(root);
  const g = canvas.getContext("2d");
  let sprite = null, cursor = null, near = -1;

  const pad = () => model.get("axes") ? { l: 46, r: 8, t: 8, b: 34 } : { l: 4, r: 4, t: 4, b: 4 };
  const color = k => k < 0 ? "#777777" : model.get("colors")[k % model.get("colors").length];
  const shape = k => {                                // as plots.marker: ten, then the same moved on by one
    const colors = model.get("colors").length, markers = model.get("markers");
    return k < 0 ? "o" : markers[(k + Math.floor(k / colors)) % markers.length];
  };
  const label = i => { const v = floats(model, "labels"); return i < v.length ? Math.round(v[i]) : -1; };
  function scales() {
    const [x0, x1, y0, y1] = model.get("view"), p = pad();
    const w = model.get("width") - p.l - p.r, h = model.get("height") - p.t - p.b;
    return { x: v => p.l + (v - x0) / (x1 - x0) * w, y: v => p.t + (y1 - v) / (y1 - y0) * h };
  }

  function draw() {
    const W = model.get("width"), H = model.get("height"), dpr = window.devicePixelRatio || 1, p = pad(), s = scales();
    canvas.width = W * dpr; canvas.height = H * dpr;
    canvas.style.width = W + "px"; canvas.style.aspectRatio = `${W} / ${H}`;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", model.get("description"));
    g.setTransform(dpr, 0, 0, dpr, 0, 0);
    g.fillStyle = "white"; g.fillRect(0, 0, W, H);
    g.strokeStyle = "#999999"; g.lineWidth = 1; g.strokeRect(p.l, p.t, W - p.l - p.r, H - p.t - p.b);
    if (model.get("axes")) {
      const [x0, x1, y0, y1] = model.get("view");
      g.fillStyle = INK; g.font = "15px sans-serif"; g.textBaseline = "top"; g.textAlign = "center";
      for (const t of ticks(x0, x1)) g.fillText(t, s.x(t), H - p.b + 8);
      g.textBaseline = "middle"; g.textAlign = "right";
      for (const t of ticks(y0, y1)) g.fillText(t, p.l - 6, s.y(t));
    }
    const xy = floats(model, "points"), lab = floats(model, "labels"), r = model.get("radius");
    g.save(); g.beginPath(); g.rect(p.l, p.t, W - p.l - p.r, H - p.t - p.b); g.clip();
    g.globalAlpha = xy.length > 1200 ? 0.65 : 0.85;
    for (let i = 0; i < xy.length / 2; i++) {
      const k = i < lab.length ? Math.round(lab[i]) : -1;
      g.beginPath(); SHAPES[shape(k)](g, s.x(xy[2 * i]), s.y(xy[2 * i + 1]), r);
      g.fillStyle = color(k); g.fill();
    }
    g.globalAlpha = 1;
    g.font = "bold 18px sans-serif"; g.textAlign = "center"; g.textBaseline = "middle";
    g.lineWidth = 5; g.lineJoin = "round";
    for (const t of model.get("tags")) {
      g.strokeStyle = "white"; g.strokeText(t.text, s.x(t.x), s.y(t.y));
      g.fillStyle = t.color || INK; g.fillText(t.text, s.x(t.x), s.y(t.y));
    }
    if (near >= 0 && 2 * near < xy.length) {
      g.beginPath(); g.arc(s.x(xy[2 * near]), s.y(xy[2 * near + 1]), r + 4, 0, 2 * Math.PI);
      g.lineWidth = 2.5; g.strokeStyle = "black"; g.stroke();
    }
    if (cursor) {
      g.lineWidth = 1.5; g.strokeStyle = "black"; g.beginPath();
      g.moveTo(cursor.x - 10, cursor.y); g.lineTo(cursor.x + 10, cursor.y);
      g.moveTo(cursor.x, cursor.y - 10); g.lineTo(cursor.x, cursor.y + 10); g.stroke();
    }
    g.restore();
    canvas.dataset.drawn = `${xy.length / 2} points`;
  }

  function say(i) {
    const names = model.get("names"), k = label(i);
    const caption = model.get("captions")[i];
    return caption || (k < 0 ? `point ${i}` : names[k] ?? `cluster ${k}`);
  }

  function look(x, y, reach) {                        // the point nearest to (x, y) on the canvas, shown in the card
    const xy = floats(model, "points"), s = scales();
    let best = reach * reach, found = -1;
    for (let i = 0; i < xy.length / 2; i++) {
      const d = (s.x(xy[2 * i]) - x) ** 2 + (s.y(xy[2 * i + 1]) - y) ** 2;
      if (d < best) { best = d; found = i; }
    }
    if (found !== near) { near = found; show(); draw(); }
  }

  function show() {
    card.hidden = near < 0;
    if (near < 0) return;
    text.textContent = say(near); live.textContent = say(near);
    const [w, h] = model.get("tile");
    thumb.hidden = !sprite;
    if (sprite) {
      const columns = Math.floor(sprite.width / w), zoom = Math.max(1, Math.round(112 / h));
      thumb.width = w * zoom; thumb.height = h * zoom;
      const t = thumb.getContext("2d");
      t.imageSmoothingEnabled = false;
      t.drawImage(sprite, (near % columns) * w, Math.floor(near / columns) * h, w, h, 0, 0, w * zoom, h * zoom);
    }
    const xy = floats(model, "points"), s = scales(), shown = canvas.clientWidth / model.get("width");
    const x = s.x(xy[2 * near]) * shown, y = s.y(xy[2 * near + 1]) * shown;
    card.style.left = (x > canvas.clientWidth / 2 ? x - card.offsetWidth - 14 : x + 14) + "px";
    card.style.top = Math.max(0, Math.min(y - card.offsetHeight / 2, canvas.clientHeight - card.offsetHeight)) + "px";
    card.dataset.point = near;
  }

  function place(event) {                             // canvas pixels of a mouse event, also where the page shrank it
    const box = canvas.getBoundingClientRect(), f = model.get("width") / box.width;
    return { x: (event.clientX - box.left) * f, y: (event.clientY - box.top) * f };
  }

  canvas.addEventListener("pointermove", e => {
    const at = place(e);
    look(at.x, at.y, 14);
  });
  canvas.addEventListener("pointerleave", () => { near = -1; show(); draw(); });
  canvas.addEventListener("pointerdown", e => {       // by touch there is no hover
    const at = place(e);
    canvas.focus();
    look(at.x, at.y, 14);
  });
  canvas.addEventListener("keydown", e => {           // arrows move a cross-hair
    const W = model.get("width"), H = model.get("height"), step = e.shiftKey ? 40 : 8;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (way) {
      cursor = cursor || { x: W / 2, y: H / 2 };
      const into = (v, end) => Math.min(end, Math.max(0, v));
      cursor = { x: into(cursor.x + step * way[0], W), y: into(cursor.y + step * way[1], H) };
      look(cursor.x, cursor.y, 14); draw();
    } else if (e.key === "Escape") { cursor = null; near = -1; show(); draw(); }
    else return;
    e.preventDefault(); e.stopPropagation();          // JupyterLab's own shortcuts must not see these keys
  });
  canvas.addEventListener("blur", () => { cursor = null; near = -1; show(); draw(); });

  async function unpack() {
    const v = model.get("sprite");
    sprite = v && v.byteLength ? await createImageBitmap(new Blob([v], { type: "image/png" })) : null;
    root.dataset.sprite = sprite ? `${sprite.width} × ${sprite.height}` : "";
  }
  model.on("change:sprite", unpack);
  const drawn = ["points", "labels", "view", "tags", "width", "height", "radius", "description"];
  for (const name of drawn) model.on("change:" + name, draw);
  model.on("change:points", () => { near = -1; show(); });
  unpack(); draw();
}
export default { render };
