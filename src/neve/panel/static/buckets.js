// Buckets: the list is filtered while one types; a new name is checked against the rules.

for (const field of document.querySelectorAll("[data-filter]")) {
  const rows = [...document.querySelectorAll(`${field.dataset.filter} tbody tr`)];
  field.addEventListener("input", () => {
    const text = field.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.dataset.name.includes(text);
  });
}

// Each rule of the list has a regular expression that a good name matches.
const name = document.querySelector("[data-rules]");
if (name) {
  const rules = [...document.querySelectorAll(`${name.dataset.rules} [data-good]`)];
  const look = () => {
    for (const rule of rules) {
      const good = new RegExp(rule.dataset.good, "u").test(name.value);
      rule.classList.toggle("met", good && name.value !== "");
      rule.classList.toggle("unmet", !good && name.value !== "");
    }
  };
  name.addEventListener("input", look);
  look();
}

// Parts of a form that count only with a choice: shown when it is made.
for (const part of document.querySelectorAll("[data-with]")) {
  const [wanted, value] = part.dataset.with.split("=");
  const fields = [...document.querySelectorAll(`[name="${wanted}"]`)];
  const look = () => {
    part.hidden = !fields.some((field) =>
      field.type === "checkbox" || field.type === "radio"
        ? field.checked && (value === undefined || field.value === value)
        : field.value === value);
  };
  for (const field of fields) field.addEventListener("change", look);
  look();
}
