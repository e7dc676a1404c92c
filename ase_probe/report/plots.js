// Plots: a wall, a well and, where there are forces, their axial component, over one axis.
const DASHES = ["dash", "dashdot", "longdash", "longdashdot"];
// named one by one: the default bar has a button that uploads the chart
const MODE_BAR = [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]];
const TICKS = [0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, 20];
const state = { logarithmic: true };

const bytes = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
// base64 of little-endian float32; NaN and infinity are data
const floats = (text) => {
  const view = new DataView(bytes(text).buffer);
  return Float32Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
};

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const faded = (hex, alpha) => hex + Math.round(alpha * 255).toString(16).padStart(2, "0");
const squeeze = (value) => Math.sign(value) * Math.log10(1 + Math.abs(value));
const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const show = (value, unit) => {
  if (!Number.isFinite(value)) return "no finite number";
  const size = Math.abs(value);
  const text = size === 0 ? `0 ${unit}` : size < 0.01 && size >= 1e-6 ? `${(1000 * value).toPrecision(3)} m${unit}`
    : size >= 1e5 || size < 1e-6 ? `${value.toExponential(2).replace("e+", "e")} ${unit}`
      : `${size >= 1000 ? value.toFixed(0) : value.toPrecision(4)} ${unit}`;
  return text.replaceAll("-", "−");
};

// Range and ticks of a symlog axis: zero and powers of ten, thinned until they fit
const symlog = (low, high, most) => {
  const room = Math.max(high - low, 0.5);
  low -= 0.08 * room;
  high += 0.08 * room;
  const top = Math.max(Math.ceil(high), Math.ceil(-low), 1);
  const step = Math.max(1, Math.ceil((Math.max(high, 0) - Math.min(low, 0)) / most));
  const at = [0], text = ["0"];
  for (let power = step > 1 ? step : high - low > 2.5 ? 1 : 0; power <= top; power += step) {
    for (const sign of [-1, 1]) {
      const y = squeeze(sign * 10 ** power);
      if (y < low || y > high) continue;
      at.push(y);
      text.push((sign < 0 ? "−" : "") + (power < 4 ? String(10 ** power) : `10<sup>${power}</sup>`));
    }
  }
  return { range: [low, high], tickmode: "array", tickvals: at, ticktext: text };
};

// One trace of the data as numbers: distances, energies, axial forces, both squeezed as well
const curveOf = (trace, grids) => {
  const r = floats(grids[trace.grid]), energy = floats(trace.energy);
  const force = trace.force === null ? null : floats(trace.force);
  const squeezed = (values) => Array.from(values, (v) => (Number.isFinite(v) ? squeeze(v) : null));
  return { ...trace, r: Array.from(r), energy, force, wall: squeezed(energy), push: force && squeezed(force) };
};

const extent = (curves, key, [first, last]) => {
  let low = 0, high = 0;
  for (const curve of curves) {
    (curve[key] ?? []).forEach((y, i) => {
      if (y === null || curve.r[i] < first || curve.r[i] > last) return;
      low = Math.min(low, y);
      high = Math.max(high, y);
    });
  }
  return [low, high];
};

// What marks say, as lines, labels and areas of the plot
const marksOf = (plot, curves, tones) => {
  const { muted, paper, fail } = tones;
  const at = (r) => (state.logarithmic ? Math.log10(r) : r);
  const shapes = [], annotations = [], points = [];
  const line = (r, label, tone, dash) => {
    shapes.push({ type: "line", x0: r, x1: r, yref: "paper", y0: 0, y1: 1, line: { color: tone, width: 1, dash } });
    annotations.push({ x: at(r), y: 1, yref: "paper", yanchor: "top", xanchor: "right", textangle: -90, xshift: -2, text: plain(label), showarrow: false, bgcolor: faded(paper, 0.8), borderpad: 1, font: { size: 11, color: tone } });
  };
  const cutoffs = new Map();
  for (const mark of plot.marks) {
    const tone = data.several ? colour(`model-${mark.audit % 6}`) : muted;
    if (mark.kind === "cutoff") cutoffs.set(mark.r, [mark, tone]);
    if (mark.kind === "trust") line(mark.r, mark.label, data.several ? tone : colour("warn"), "dash");
    if (mark.kind !== "barrier") continue;
    const curve = curves.find((c) => c.kind === "model" && c.audit === mark.audit);
    let near = 0;
    curve.r.forEach((r, i) => { if (Math.abs(r - mark.r) < Math.abs(curve.r[near] - mark.r)) near = i; });
    shapes.push({ type: "rect", x0: Math.max(curve.r[0], 1e-3), x1: mark.r, yref: "paper", y0: 0, y1: 1, fillcolor: faded(fail, 0.1), line: { width: 0 }, layer: "below" });
    if (curve.wall[near] === null) continue;
    points.push({ x: [mark.r], y: [curve.wall[near]], yaxis: "y2", type: "scatter", mode: "markers", marker: { color: fail, size: 9, symbol: "diamond" }, cliponaxis: false, hovertemplate: `${plain(mark.hover)}<extra></extra>`, showlegend: false });
    annotations.push({ x: at(mark.r), y: curve.wall[near], yref: "y2", text: plain(mark.label), ax: -46, ay: 30 + 22 * mark.audit, xanchor: "right", showarrow: true, arrowwidth: 1, arrowhead: 0, arrowcolor: fail, standoff: 5, bgcolor: paper, borderpad: 2, font: { size: 12, color: fail } });
  }
  for (const [r, [mark, tone]] of cutoffs) line(r, mark.label, tone, "dot");
  return { shapes, annotations, points };
};

// Half a second of work that a page need not wait for: run by the first plot
const load = () => {
  const script = document.createElement("script");
  script.textContent = document.getElementById("plotly").textContent;
  document.head.append(script);
};

const draw = (box, plot, grids) => {
  if (!window.Plotly) load();
  const tones = Object.fromEntries(["ink", "muted", "rule", "paper", "fail"].map((name) => [name, colour(name)]));
  const { ink, muted, rule, paper, fail } = tones;
  const curves = plot.traces.map((trace) => curveOf(trace, grids));
  const forces = curves.some((curve) => curve.force);
  box.classList.toggle("tall", forces);
  // from top to bottom
  const rooms = forces ? { y2: [0.66, 1], y: [0.33, 0.6], y3: [0, 0.27] } : { y2: [0.5, 1], y: [0, 0.44] };
  const traces = [], lost = [];
  let references = 0;
  for (const curve of curves) {
    const model = curve.kind === "model";
    const line = model ? { color: colour(`model-${curve.audit % 6}`), width: 2.4 }
      : curve.name.startsWith("labels") ? { color: colour("inherited"), width: 1.8, dash: "dot" }
      : { color: references === 0 ? ink : muted, width: 1.5, dash: DASHES[references++ % DASHES.length] };
    const label = plain(curve.name);
    const customdata = Array.from(curve.energy, (e, i) => `E ${show(e, "eV")}` + (curve.force ? `, F ${show(curve.force[i], "eV/Å")}` : ""));
    const common = { x: curve.r, type: "scatter", mode: "lines", line, name: label, legendgroup: label + curve.kind, connectgaps: false, customdata, hovertemplate: `%{customdata}<extra>${label}</extra>` };
    traces.push({ ...common, y: curve.wall, yaxis: "y2", legendrank: model ? 1 : 2 });
    traces.push({ ...common, y: Array.from(curve.energy, (e) => (Number.isFinite(e) ? e : null)), showlegend: false });
    if (curve.force) traces.push({ ...common, y: curve.push, yaxis: "y3", showlegend: false });
    if (!model) continue;
    curve.wall.forEach((y, i) => {
      if (y === null) lost.push([curve.r[i], plain(curve.name), plain(curve.messages[curve.failures[i]] ?? "not a finite number")]);
    });
  }
  const { shapes, annotations, points } = marksOf(plot, curves, tones);
  traces.push(...points);
  const names = { y2: "E, the wall", y: "E, the well", y3: "F, positive: repulsive" };
  for (const [axis, room] of Object.entries(rooms)) {
    annotations.push({ text: `<b>${names[axis]}</b>`, x: 0, y: room[1], xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 12, color: muted } });
  }
  const wall = symlog(...extent(curves, "wall", plot.view.r), 6);
  if (lost.length) {
    const floor = wall.range[0] + 0.03 * (wall.range[1] - wall.range[0]);
    traces.push({
      x: lost.map((point) => point[0]), y: lost.map(() => floor), yaxis: "y2", type: "scatter", mode: "markers",
      marker: { color: fail, symbol: "x-thin-open", size: 6, line: { width: 1.2 } }, customdata: lost.map((point) => point.slice(1)),
      hovertemplate: "no finite energy: %{customdata[1]}<extra>%{customdata[0]}</extra>", name: `no finite energy (${lost.length})`, legendrank: 3,
    });
  }
  if (curves.every((curve) => curve.wall.every((y) => y === null))) {
    annotations.push({ text: `No finite energy at ${lost.length} distances`, x: 0.5, y: 0.75, xref: "paper", yref: "paper", showarrow: false, font: { size: 15, color: fail } });
  }
  const { logarithmic } = state;
  const ends = logarithmic ? plot.view.r.map(Math.log10) : [0, plot.view.r[1]];
  const pad = 0.02 * (ends[1] - ends[0]);
  const axis = { color: muted, gridcolor: rule, zerolinecolor: muted, linecolor: rule, tickfont: { size: 12 }, automargin: true, anchor: "x" };
  const title = (text) => ({ text, font: { size: 12.5 } });
  const layout = {
    paper_bgcolor: paper, plot_bgcolor: paper, font: { family: getComputedStyle(document.body).fontFamily, color: ink, size: 13 },
    margin: { l: 8, r: 8, t: 30, b: 8 }, hovermode: "x unified", hoverlabel: { bgcolor: colour("raised"), bordercolor: rule, font: { color: ink, size: 12.5 } },
    showlegend: true, legend: { orientation: "h", x: 0, y: forces ? -0.1 : -0.13, yanchor: "top", xanchor: "left", font: { size: 12.5 } },
    xaxis: {
      ...axis, type: logarithmic ? "log" : "linear", range: [ends[0] - (logarithmic ? pad : 0), ends[1] + pad], title: { ...title("r (Å)"), standoff: 6 }, anchor: forces ? "y3" : "y", hoverformat: ".3f", zeroline: false,
      unifiedhovertitle: { text: "r = %{x:.3f} Å" }, showspikes: true, spikemode: "across", spikethickness: 1, spikedash: "solid", spikecolor: muted,
      ...(logarithmic ? { tickmode: "array", tickvals: TICKS, ticktext: TICKS.map(String) } : {}),
    },
    yaxis: { ...axis, domain: rooms.y, range: plot.view.well, title: title("eV"), nticks: 6, separatethousands: false },
    yaxis2: { ...axis, domain: rooms.y2, title: title("eV, symlog"), ...wall },
    ...(forces ? { yaxis3: { ...axis, domain: rooms.y3, title: title("eV/Å, symlog"), ...symlog(...extent(curves, "push", plot.view.r), 4) } } : {}),
    shapes, annotations,
  };
  Plotly.react(box, traces, layout, { responsive: true, displaylogo: false, displayModeBar: true, plotlyServerURL: "", modeBarButtons: MODE_BAR });
};
