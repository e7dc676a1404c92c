"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const DASHES = ["dash", "dot", "dashdot", "longdash"];
  // named one by one: the default bar has a button that uploads the chart
  const MODE_BAR = [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Set();
  let logarithmic = true;

  // base64 of little-endian float32; NaN and infinity are data
  const floats = (text) => {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  };
  const grids = data.grids.map((text) => floats(text));

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const faded = (hex, alpha) => hex + Math.round(alpha * 255).toString(16).padStart(2, "0");
  const squeeze = (energy) => Math.sign(energy) * Math.log10(1 + Math.abs(energy));
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const show = (energy) => {
    const size = Math.abs(energy);
    const text = size === 0 ? "0 eV" : size < 0.01 && size >= 1e-6 ? `${(1000 * energy).toPrecision(3)} meV`
      : size >= 1e5 || size < 1e-6 ? `${energy.toExponential(2).replace("e+", "e")} eV`
        : `${size >= 1000 ? energy.toFixed(0) : energy.toPrecision(4)} eV`;
    return text.replaceAll("-", "−");
  };

  // Ticks of the symlog axis: zero and powers of ten, thinned until they fit
  const ticks = (low, high) => {
    const top = Math.max(Math.ceil(high), Math.ceil(-low), 1);
    const step = Math.max(1, Math.ceil((Math.max(high, 0) - Math.min(low, 0)) / 6));
    const at = [0], text = ["0"];
    for (let power = step > 1 ? step : high - low > 2.5 ? 1 : 0; power <= top; power += step) {
      for (const sign of [-1, 1]) {
        const y = squeeze(sign * 10 ** power);
        if (y < low || y > high) continue;
        const size = power < 4 ? String(10 ** power) : `10<sup>${power}</sup>`;
        at.push(y);
        text.push((sign < 0 ? "−" : "") + size);
      }
    }
    return { tickmode: "array", tickvals: at, ticktext: text };
  };

  const draw = (number) => {
    const plot = data.plots[number];
    const box = document.getElementById(`plot-${number}`);
    if (!plot || !box) return;
    drawn.add(number);
    const ink = colour("ink"), muted = colour("muted"), rule = colour("rule"), paper = colour("paper"), fail = colour("fail");
    const traces = [], lost = [];
    let low = 0, high = 0, references = 0;
    const curves = plot.traces.map((trace) => {
      const r = grids[trace.grid], energy = floats(trace.energy);
      const wall = Array.from(energy, (e) => (Number.isFinite(e) ? squeeze(e) : null));
      wall.forEach((y, i) => {
        if (y !== null && r[i] >= plot.view.r[0] && r[i] <= plot.view.r[1]) {
          low = Math.min(low, y);
          high = Math.max(high, y);
        }
        if (y === null && trace.kind === "model") {
          lost.push([r[i], trace.name, trace.messages[trace.failures[i]] ?? "not a finite number", trace.audit]);
        }
      });
      const model = trace.kind === "model";
      const line = model ? { color: colour(`model-${trace.audit % 6}`), width: 2.4 }
        : { color: references === 0 ? ink : muted, width: 1.5, dash: DASHES[references % DASHES.length] };
      if (!model) references += 1;
      const label = plain(trace.name);
      const common = { x: Array.from(r), type: "scatter", mode: "lines", line, name: label, legendgroup: label + trace.kind, connectgaps: false };
      const hover = `%{customdata}<extra>${label}</extra>`;
      const customdata = Array.from(energy, show);
      traces.push({ ...common, y: wall, yaxis: "y2", customdata, hovertemplate: hover, legendrank: model ? 1 : 2 });
      traces.push({ ...common, y: Array.from(energy, (e) => (Number.isFinite(e) ? e : null)), showlegend: false, customdata, hovertemplate: hover });
      return { ...trace, r, wall };
    });
    const room = Math.max(high - low, 0.5);
    low -= 0.08 * room;
    high += 0.08 * room;

    const shapes = [];
    const annotations = [["wall", 1], ["well", 0.44]].map(([text, y]) => ({ text: `<b>${text}</b>`, x: 0, y, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 12, color: muted } }));
    const line = (r, label, tone, dash) => {
      shapes.push({ type: "line", x0: r, x1: r, yref: "paper", y0: 0, y1: 1, line: { color: tone, width: 1, dash } });
      annotations.push({ x: logarithmic ? Math.log10(r) : r, y: 1, yref: "paper", yanchor: "top", xanchor: "right", textangle: -90, xshift: -2, text: plain(label), showarrow: false, bgcolor: faded(paper, 0.8), borderpad: 1, font: { size: 11, color: tone } });
    };
    const cutoffs = new Map();
    for (const mark of plot.marks) {
      const tone = data.several ? colour(`model-${mark.audit % 6}`) : muted;
      if (mark.kind === "cutoff") cutoffs.set(mark.r, [mark, tone]);
      if (mark.kind === "trust") line(mark.r, mark.label, data.several ? tone : colour("warn"), "dash");
      if (mark.kind === "barrier") {
        const curve = curves.find((c) => c.kind === "model" && c.audit === mark.audit);
        let near = 0;
        curve.r.forEach((r, i) => { if (Math.abs(r - mark.r) < Math.abs(curve.r[near] - mark.r)) near = i; });
        shapes.push({ type: "rect", x0: Math.max(curve.r[0], 1e-3), x1: mark.r, yref: "paper", y0: 0, y1: 1, fillcolor: faded(fail, 0.1), line: { width: 0 }, layer: "below" });
        if (curve.wall[near] !== null) {
          traces.push({ x: [mark.r], y: [curve.wall[near]], yaxis: "y2", type: "scatter", mode: "markers", marker: { color: fail, size: 9, symbol: "diamond" }, cliponaxis: false, hovertemplate: `${mark.hover}<extra></extra>`, showlegend: false });
          annotations.push({ x: logarithmic ? Math.log10(mark.r) : mark.r, y: curve.wall[near], yref: "y2", text: plain(mark.label), ax: -46, ay: 30, xanchor: "right", showarrow: true, arrowwidth: 1, arrowhead: 0, arrowcolor: fail, standoff: 5, bgcolor: paper, borderpad: 2, font: { size: 12, color: fail } });
        }
      }
    }
    for (const [r, [mark, tone]] of cutoffs) line(r, mark.label, tone, "dot");
    if (lost.length) {
      traces.push({
        x: lost.map((point) => point[0]), y: lost.map(() => low + 0.03 * room), yaxis: "y2", type: "scatter", mode: "markers",
        marker: { color: fail, symbol: "x-thin-open", size: 6, line: { width: 1.2 } }, customdata: lost.map((point) => [plain(point[1]), plain(point[2])]),
        hovertemplate: "no finite energy: %{customdata[1]}<extra>%{customdata[0]}</extra>", name: `no finite energy (${lost.length})`, legendrank: 3,
      });
    }
    if (curves.every((curve) => curve.wall.every((y) => y === null))) {
      annotations.push({ text: `No finite energy at ${lost.length} distances`, x: 0.5, y: 0.75, xref: "paper", yref: "paper", showarrow: false, font: { size: 15, color: fail } });
    }
    const axis = { color: muted, gridcolor: rule, zerolinecolor: muted, linecolor: rule, tickfont: { size: 12 }, automargin: true };
    const ends = logarithmic ? plot.view.r.map(Math.log10) : [0, plot.view.r[1]];
    const pad = 0.02 * (ends[1] - ends[0]);
    const layout = {
      paper_bgcolor: paper, plot_bgcolor: paper, font: { family: getComputedStyle(document.body).fontFamily, color: ink, size: 13 },
      margin: { l: 8, r: 8, t: 30, b: 8 }, hovermode: "x unified", hoverlabel: { bgcolor: colour("raised"), bordercolor: rule, font: { color: ink, size: 12.5 } },
      showlegend: true, legend: { orientation: "h", x: 0, y: -0.13, yanchor: "top", xanchor: "left", font: { size: 12.5 } },
      xaxis: {
        ...axis, type: logarithmic ? "log" : "linear", range: [ends[0] - (logarithmic ? pad : 0), ends[1] + pad], title: { text: "r (Å)", font: { size: 12.5 }, standoff: 6 }, anchor: "y", hoverformat: ".3f", zeroline: false,
        unifiedhovertitle: { text: "r = %{x:.3f} Å" }, showspikes: true, spikemode: "across", spikethickness: 1, spikedash: "solid", spikecolor: muted,
        ...(logarithmic ? { tickmode: "array", tickvals: [0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, 20], ticktext: ["0.05", "0.1", "0.2", "0.3", "0.5", "1", "2", "3", "5", "10", "20"] } : {}),
      },
      yaxis: { ...axis, domain: [0, 0.44], range: plot.view.well, title: { text: "E (eV)", font: { size: 12.5 } }, nticks: 6, separatethousands: false },
      yaxis2: { ...axis, domain: [0.5, 1], range: [low, high], title: { text: "E (eV), symlog", font: { size: 12.5 } }, anchor: "x", ...ticks(low, high) },
      shapes, annotations,
    };
    Plotly.react(box, traces, layout, { responsive: true, displaylogo: false, displayModeBar: true, plotlyServerURL: "", modeBarButtons: MODE_BAR });
  };
  data.several = new Set(Object.values(data.plots).flatMap((plot) => plot.traces.filter((t) => t.kind === "model").map((t) => t.audit))).size > 1;

  const cards = [...document.querySelectorAll("article.dimer")];
  const watch = "IntersectionObserver" in window && new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watch.unobserve(entry.target);
      draw(entry.target.dataset.plot);
    }
  }, { rootMargin: "400px 0px" });
  for (const card of cards) watch ? watch.observe(card) : draw(card.dataset.plot);
  const redraw = () => drawn.forEach(draw);
  dark.addEventListener("change", redraw);
  addEventListener("beforeprint", () => cards.forEach((card) => drawn.has(card.dataset.plot) || draw(card.dataset.plot)));

  const axis = document.getElementById("axis");
  axis.addEventListener("click", () => {
    logarithmic = !logarithmic;
    axis.setAttribute("aria-pressed", logarithmic);
    redraw();
  });

  const search = document.getElementById("search"), shown = document.getElementById("shown"), nothing = document.getElementById("nothing");
  const buttons = [...document.querySelectorAll("button.filter")];
  const rows = cards.map((card) => [...card.querySelectorAll("tbody")]);
  const problems = document.getElementById("problems"), wrong = ["fail", "warn", "inherited"];
  const pressed = (button) => button.getAttribute("aria-pressed") === "true";
  const filter = () => {
    const on = new Set(buttons.filter(pressed).map((b) => b.dataset.status));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let seen = 0, total = 0, left = 0;
    cards.forEach((card, i) => {
      let here = 0;
      for (const row of rows[i]) {
        const fits = on.has(row.dataset.status) && words.every((word) => row.dataset.search.includes(word));
        row.hidden = !fits;
        here += fits;
      }
      total += rows[i].length;
      seen += here;
      // a dimer without findings is found by its name alone
      card.hidden = rows[i].length ? here === 0 : !words.every((word) => card.dataset.name.includes(word));
      left += !card.hidden;
    });
    shown.textContent = `${seen} of ${total} findings, ${left} of ${cards.length} dimers`;
    nothing.hidden = left > 0;
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", !pressed(button));
      problems.setAttribute("aria-pressed", buttons.every((b) => pressed(b) === wrong.includes(b.dataset.status)));
      filter();
    });
  }
  problems.addEventListener("click", () => {
    const only = !pressed(problems);
    problems.setAttribute("aria-pressed", only);
    for (const b of buttons) b.setAttribute("aria-pressed", !only || wrong.includes(b.dataset.status));
    filter();
  });
  search.addEventListener("input", filter);
  filter();

  // A link to a dimer that the filter hides must still arrive
  const arrive = () => {
    const card = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (card && card.hidden) {
      card.hidden = false;
      card.querySelectorAll("tbody").forEach((row) => { row.hidden = false; });
      card.scrollIntoView();
    }
  };
  addEventListener("hashchange", arrive);
  arrive();

  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code); // no clipboard on file:// in some browsers
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
})();
