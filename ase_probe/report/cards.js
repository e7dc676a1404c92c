// Cards: drawn when they come into view, filtered by status and words, unfolded when asked for.
const more = JSON.parse(document.getElementById("more").textContent);
const section = document.getElementById("cards");

const cards = [...section.querySelectorAll("article.dimer")].map((element) => ({
  id: element.id, name: element.dataset.name, element, plot: data.plots[element.id], grids: data.grids, drawn: false,
  bodies: [...element.querySelectorAll("tbody")],
  rows: [...element.querySelectorAll("tbody")].map((row) => ({ status: row.dataset.status, words: row.dataset.search })),
}));
for (const packed of more.cards) {
  const rows = packed.statuses.map((status, i) => {
    const name = data.statuses[status];
    return { status: name, words: `${more.checks[packed.checks[i]]} ${packed.name} ${name}`.toLowerCase() };
  });
  cards.push({ ...packed, rows, element: null, bodies: null, drawn: false, fits: null });
}
const byId = new Map(cards.map((card) => [card.id, card]));

const paint = (card) => {
  const box = card.element.querySelector(".canvas");
  if (!box || !card.plot) return;
  card.drawn = true;
  draw(box, card.plot, card.grids);
};
const watch = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    watch.unobserve(entry.target);
    paint(byId.get(entry.target.id));
  }
}, { rootMargin: "400px 0px" });
for (const card of cards) if (card.element) watch.observe(card.element);

// A packed card becomes an element; its findings and curve are there after the promise
const unfold = async (card) => {
  if (card.bodies) return;
  if (!card.element) {
    card.element = document.createElement("article");
    card.element.className = "dimer";
    card.element.id = card.id;
    const before = cards.slice(0, cards.indexOf(card)).findLast((other) => other.element);
    before ? before.element.after(card.element) : section.prepend(card.element);
    const stream = new Blob([bytes(card.packed)]).stream().pipeThrough(new DecompressionStream("gzip"));
    card.unfolding = new Response(stream).json().then((found) => {
      const fresh = document.createElement("template");
      fresh.innerHTML = found.html;
      card.element.append(...fresh.content.firstElementChild.childNodes);
      Object.assign(card, { plot: found.plots[card.id], grids: found.grids, bodies: [...card.element.querySelectorAll("tbody")], packed: null });
      if (card.fits) card.bodies.forEach((row, i) => { row.hidden = !card.fits[i]; });
      watch.observe(card.element);
    });
  }
  await card.unfolding;
};

const redraw = () => cards.forEach((card) => card.drawn && paint(card));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
addEventListener("beforeprint", () => cards.forEach((card) => card.bodies && !card.drawn && paint(card)));
const axis = document.getElementById("axis");
axis.addEventListener("click", () => {
  state.logarithmic = !state.logarithmic;
  axis.setAttribute("aria-pressed", state.logarithmic);
  redraw();
});

const search = document.getElementById("search"), shown = document.getElementById("shown"), nothing = document.getElementById("nothing");
const next = document.getElementById("next");
const buttons = [...document.querySelectorAll("button.filter")];
const problems = document.getElementById("problems"), wrong = ["fail", "warn", "inherited"];
const pressed = (button) => button.getAttribute("aria-pressed") === "true";
const STEP = 50, START = section.querySelectorAll("article.dimer").length;
const total = cards.reduce((sum, card) => sum + card.rows.length, 0);
let limit = START;

const filter = () => {
  const on = new Set(buttons.filter(pressed).map((button) => button.dataset.status));
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let findings = 0, dimers = 0;
  for (const card of cards) {
    const fits = card.rows.map((row) => on.has(row.status) && words.every((word) => row.words.includes(word)));
    const here = fits.reduce((sum, fit) => sum + fit, 0);
    // a dimer without findings is found by its name alone
    const found = card.rows.length ? here > 0 : words.every((word) => card.name.includes(word));
    findings += here;
    dimers += found;
    card.fits = fits;
    const visible = found && dimers <= limit;
    if (visible) unfold(card);
    if (card.element) card.element.hidden = !visible;
    card.bodies?.forEach((row, i) => { row.hidden = !fits[i]; });
  }
  shown.textContent = `${findings} of ${total} findings, ${dimers} of ${cards.length} dimers`;
  nothing.hidden = dimers > 0;
  next.hidden = dimers <= limit;
  next.textContent = `Show ${Math.min(STEP, dimers - limit)} more of ${dimers - limit} dimers`;
};
const restart = () => {
  limit = START;
  filter();
};
for (const button of buttons) {
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", !pressed(button));
    problems.setAttribute("aria-pressed", buttons.every((b) => pressed(b) === wrong.includes(b.dataset.status)));
    restart();
  });
}
problems.addEventListener("click", () => {
  const only = !pressed(problems);
  problems.setAttribute("aria-pressed", only);
  for (const button of buttons) button.setAttribute("aria-pressed", !only || wrong.includes(button.dataset.status));
  restart();
});
search.addEventListener("input", restart);
next.addEventListener("click", () => {
  limit += STEP;
  filter();
});
filter();

// A link to a dimer that is filtered away or still packed must arrive
const arrive = async () => {
  const card = byId.get(decodeURIComponent(location.hash.slice(1)));
  if (!card) return;
  const away = !card.element || card.element.hidden;
  await unfold(card);
  if (!away) return;
  card.element.hidden = false;
  card.bodies.forEach((row) => { row.hidden = false; });
  card.element.scrollIntoView();
};
addEventListener("hashchange", arrive);
arrive();
