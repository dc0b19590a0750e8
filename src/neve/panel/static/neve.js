// What every page does with scripts; each page works without.

const language = document.documentElement.lang;
const place = navigator.languages.find((each) => each.startsWith(language)) ?? language;
const local = new Intl.DateTimeFormat(place, {
  dateStyle: "medium",
  timeStyle: "short",
});
function showLocalTimes() {
  for (const time of document.querySelectorAll("time[datetime]:not([title])")) {
    time.title = time.textContent;
    time.textContent = local.format(new Date(time.dateTime));
  }
}
showLocalTimes();
document.addEventListener("listing", showLocalTimes);

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = button.parentElement.querySelector("code, input")?.value
      ?? button.parentElement.querySelector("code").textContent;
    await navigator.clipboard.writeText(text);
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1500);
  });
}

// A form with data-confirm asks before it is sent.
for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!window.confirm(form.dataset.confirm)) event.preventDefault();
  });
}

// One open menu at a time; Escape and a click elsewhere close it.
const menus = [...document.querySelectorAll("details.menu")];
document.addEventListener("click", (event) => {
  for (const menu of menus) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus) {
    if (menu.open && menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }
});

// A request to the panel that a script makes: JSON there and back. Throws Error with a sentence.
export async function call(path, body) {
  const answer = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      accept: "application/json",
      "x-csrf": document.querySelector("meta[name=csrf]").content,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const message = found.error ?? `${answer.status} ${answer.statusText}`;
    throw Object.assign(new Error(message), { status: answer.status });
  }
  return found;
}
