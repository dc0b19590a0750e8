// The page of requests as they come: reads lines of JSON from the panel and shows the last of them.

const ROWS_MAX = 500;
const rows = document.getElementById("rows");
const toggle = document.getElementById("toggle");
const state = document.getElementById("state");
const filter = document.getElementById("filter");
let watching = null;

const number = new Intl.NumberFormat(document.documentElement.lang);

function shows(row) {
  row.hidden = !row.textContent.toLowerCase().includes(filter.value.toLowerCase());
}

function add(found) {
  const row = document.createElement("tr");
  const cells = [
    new Date(found.time).toLocaleTimeString(document.documentElement.lang),
    found.status || "–",
    found.api,
    found.path + (found.query ? `?${found.query}` : ""),
    `${number.format(found.ms)} ms`,
    number.format(found.received),
    number.format(found.sent),
    [found.principal, found.client, found.error].filter(Boolean).join(" · "),
  ];
  for (const [at, text] of cells.entries()) {
    const cell = row.insertCell();
    if (at >= 4 && at <= 6) cell.className = "number";
    if (at === 3) cell.className = "break";
    if (at === 1) {
      const badge = cell.appendChild(document.createElement("span"));
      badge.className = `badge ${found.status >= 400 ? "bad" : "good"}`;
      badge.textContent = text;
    } else cell.textContent = text;
  }
  shows(row);
  rows.prepend(row);
  while (rows.rows.length > ROWS_MAX) rows.lastElementChild.remove();
}

async function watch() {
  watching = new AbortController();
  toggle.textContent = toggle.dataset.stop;
  const query = new URLSearchParams();
  if (document.getElementById("errors").checked) query.set("errors", "yes");
  if (document.getElementById("all").checked) query.set("all", "yes");
  try {
    const answer = await fetch(`/trace/stream?${query}`, {
      signal: watching.signal,
      headers: { accept: "application/json" },
    });
    if (!answer.ok) throw new Error((await answer.json()).error);
    state.textContent = state.dataset.on;
    let rest = "";
    for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line) add(JSON.parse(line));
    }
    state.textContent = state.dataset.off;
  } catch (error) {
    state.textContent = error.name === "AbortError" ? state.dataset.off : error.message;
  }
  toggle.textContent = toggle.dataset.start;
  watching = null;
}

toggle.addEventListener("click", () => (watching ? watching.abort() : watch()));
document.getElementById("clear").addEventListener("click", () => rows.replaceChildren());
filter.addEventListener("input", () => [...rows.rows].forEach(shows));
