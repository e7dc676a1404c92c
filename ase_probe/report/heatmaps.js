// Heat maps: another quantity in the same cells; arrow keys walk from cell to cell.
const GLYPHS = { "fail": "×", "warn": "!", "inherited": "i", "pass": "·", "out-of-domain": "o", "trivial": "t", "unresolved": "?", "not-run": "–" };
const quantity = document.getElementById("quantity"), readout = document.getElementById("readout");

if (quantity) {
  const pictures = [...document.querySelectorAll(".heat")].map((element) => ({
    element, data: data.maps[element.dataset.picture], cells: [...element.querySelectorAll("td a")],
  }));
  const title = () => quantity.selectedOptions[0].textContent;
  const shade = (found, key, i) => {
    if (found.shades[key]) return { level: found.shades[key][0][i], text: found.shades[key][1][i], word: found.shades[key][1][i] };
    const status = data.statuses[key === "worst" ? found.worst[i] : found.checks[key]?.[i]];
    return status ? { level: status, text: GLYPHS[status], word: status } : { level: "", text: "–", word: "–" };
  };
  const label = (cell, found) => `${found.names[cell.dataset.i]} ${shade(found, quantity.value, cell.dataset.i).word}`;
  quantity.addEventListener("change", () => {
    const key = quantity.value;
    for (const { cells, data: found } of pictures) {
      for (const cell of cells) {
        const { level, text } = shade(found, key, cell.dataset.i);
        cell.className = level;
        cell.lastElementChild.textContent = text;
        cell.setAttribute("aria-label", label(cell, found));
      }
    }
    const scale = data.maps.some((found) => found.shades[key]) ? key : "status";
    for (const list of document.querySelectorAll(".scale")) list.hidden = list.dataset.scale !== scale;
    readout.textContent = "";
  });

  for (const { element, cells, data: found } of pictures) {
    // one stop for the Tab key per picture; the arrow keys do the rest
    for (const table of element.querySelectorAll("table")) {
      [...table.querySelectorAll("td a")].forEach((cell, i) => { cell.tabIndex = i ? -1 : 0; });
      table.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
        const from = event.target.closest("td");
        if (!step || !from) return;
        event.preventDefault();
        let row = from.parentElement.rowIndex + step[0], column = from.cellIndex + step[1];
        for (; table.rows[row]?.cells[column]; row += step[0], column += step[1]) {
          const cell = table.rows[row].cells[column].querySelector("a");
          if (!cell) continue;
          event.target.tabIndex = -1;
          cell.tabIndex = 0;
          cell.focus();
          return;
        }
      });
    }
    const tell = (event) => {
      const cell = event.target.closest("td a");
      if (cell) readout.textContent = `${label(cell, found)} · ${title()}`;
    };
    element.addEventListener("mouseover", tell);
    element.addEventListener("focusin", tell);
  }
}
