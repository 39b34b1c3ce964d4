// Codes in the plane with the images behind them: hover one, lasso many, colour by class or by clustering.
import { INK, begin, button, caption, choice, codeBox, color, dark, element, Plane, row, Steps } from "./demo.js";

// --- the algorithm ----------------------------------------------------------------------------------------------------

export function inside([x, y], polygon) {            // is the point in the polygon? Count the edges to its right
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [ax, ay] = polygon[i], [bx, by] = polygon[j];
    if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}

export const lassoed = (points, polygon) => points.map((p, i) => inside(p, polygon) ? i : -1).filter(i => i >= 0);

export function counted(labels, rows) {              // [label, how many] of these rows, the commonest first
  const counts = new Map();
  for (const i of rows) counts.set(labels[i], (counts.get(labels[i]) || 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

// --- the page ---------------------------------------------------------------------------------------------------------

export function render({ model, el }) {
  const { points, labels, names, sprite, tile, view, code: python } = model.get("settings");
  const root = begin(el, "The latent space, with its images");
  const kinds = Object.keys(labels), sheet = new Image(), steps = new Steps({ rows: [], polygon: [] });
  let looked = -1, drawing = null;

  const plane = new Plane({ view, ratio: 0.86, label: "Codes as points. Drag to lasso some of them. By keyboard: arrows move " +
    "a cross-hair, Enter takes the points around it.", draw: drawPlane });
  const shown = new Plane({ view: [0, 1, 0, 1], ratio: 1, largest: 380, label: "Images of the chosen points", draw: drawSheet });
  shown.canvas.tabIndex = -1;
  const says = caption();
  const colours = choice("colour", kinds.map(k => [k, k]), kinds[0], show);
  const wrong = element("input", { type: "checkbox" });
  wrong.addEventListener("change", show);
  const back = button("◀ Back", () => { steps.back(); show(); });
  const reset = button("Reset", () => { steps.restart({ rows: [], polygon: [] }); wrong.checked = false; show(); });
  const code = codeBox(() => python);
  root.append(row(colours.element, element("label", {}, wrong, element("span", { textContent: "only where the two disagree" })),
    back, reset, code.button), says.element, element("div", { className: "dclib-stage dclib-whole" }, plane.element, shown.element), code.box);

  const visible = i => !wrong.checked || (colours.value === kinds[0]
    ? kinds.some(k => labels[k][i] !== labels[kinds[0]][i]) : labels[colours.value][i] !== labels[kinds[0]][i]);

  function show() { back.disabled = !steps.canBack; tell(); plane.redraw(); shown.redraw(); }
  function tell() {
    const { rows } = steps.now, seen = points.filter((_, i) => visible(i)).length;
    if (looked >= 0) {
      says.say(`<b>${kinds[0]} ${names[labels[kinds[0]][looked]]}</b>: ` +
        kinds.slice(1).map(k => `${k} says ${names[labels[k][looked]] ?? labels[k][looked]}`).join(", ") + ".");
    } else if (rows.length) {
      const list = kind => counted(labels[kind], rows).slice(0, 4).map(([k, n]) => `${n} × ${names[k] ?? k}`).join(", ");
      says.say(`<b>${rows.length} point${rows.length > 1 ? "s" : ""}.</b> ` + kinds.map(k => `${k}: ${list(k)}`).join("; ") + ".");
    } else says.say(`<b>${seen} images</b>, coloured by ${colours.value}. Move over a point, or drag around some of them.`);
  }
  function take(polygon, rows) { steps.add({ polygon, rows: rows.filter(visible) }); looked = -1; show(); }

  function drawPlane(p) {
    p.clear();
    const { polygon, rows } = steps.now, chosen = new Set(rows);
    points.forEach(([u, v], i) => {
      if (!visible(i)) return;
      const k = labels[colours.value][i];
      p.point(u, v, k, color(k), chosen.has(i) ? 7 : 4.5, i === looked || chosen.has(i) ? "black" : "");
    });
    const line = drawing || polygon;
    if (line.length) p.line([...line, line[0]], "black", 2, [7, 5]);
    for (let k = 0; k < names.length; k++) {
      const own = points.filter((_, i) => labels[colours.value][i] === k);
      if (own.length < 8) continue;
      const middle = axis => own.map(q => q[axis]).sort((a, b) => a - b)[own.length >> 1];
      p.text(names[k], middle(0), middle(1), dark(color(k)), { size: 22 });
    }
    p.done(`${points.filter((_, i) => visible(i)).length} points, ${rows.length} chosen, by ${colours.value}`);
  }

  function drawSheet(p) {
    const { g, width: W, height: H } = p, dpr = window.devicePixelRatio || 1;
    p.canvas.width = W * dpr; p.canvas.height = H * dpr; p.canvas.style.width = W + "px"; p.canvas.style.height = H + "px";
    g.setTransform(dpr, 0, 0, dpr, 0, 0);
    g.fillStyle = "white"; g.fillRect(0, 0, W, H);
    g.strokeStyle = "#999999"; g.strokeRect(0.5, 0.5, W - 1, H - 1);
    const rows = looked >= 0 ? [looked] : steps.now.rows.slice(0, 64), side = Math.ceil(Math.sqrt(Math.max(rows.length, 1)));
    if (!rows.length || !sheet.complete || !sheet.width) {
      g.fillStyle = INK; g.font = "17px sans-serif"; g.textAlign = "center";
      g.fillText("the images of the points", W / 2, H / 2);
      p.canvas.dataset.drawn = "0 images";
      return;
    }
    const [w, h] = tile, columns = Math.floor(sheet.width / w), size = Math.min(W / side, 180);
    g.imageSmoothingEnabled = false;
    rows.forEach((row, n) => g.drawImage(sheet, (row % columns) * w, Math.floor(row / columns) * h, w, h,
      (n % side) * size + 2, Math.floor(n / side) * size + 2, size - 4, size - 4));
    p.canvas.dataset.drawn = `${rows.length} images`;
  }

  plane.interact({
    grab: (u, v) => { drawing = [[u, v]]; return "lasso"; },
    drag(held, u, v) { drawing.push([u, v]); plane.redraw(); },
    drop() { if (drawing && drawing.length > 2) take(drawing, lassoed(points, drawing)); drawing = null; plane.redraw(); },
    click(u, v) {                                    // a click or Enter: a circle around it
      drawing = null;
      const radius = 40 / plane.scale, angles = [...Array(24)].map((_, i) => i * Math.PI / 12);
      const circle = angles.map(a => [u + radius * Math.cos(a), v + radius * Math.sin(a)]);
      take(circle, lassoed(points, circle));
    },
    look(u, v, reach) {
      let best = reach, found = -1;
      points.forEach((p, i) => { const d = Math.hypot(p[0] - u, p[1] - v); if (d < best && visible(i)) { best = d; found = i; } });
      if (found !== looked) { looked = found; tell(); plane.redraw(); shown.redraw(); }
    },
  });
  sheet.onload = () => shown.redraw();
  sheet.src = sprite;
  show();
}
export default { render };
