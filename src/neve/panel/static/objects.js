// The table of objects: select all rows of the page at once; buttons that need a selection wait
// for one.

function begin() {
  const form = document.querySelector("#selection");
  const all = form?.querySelector("[data-all]");
  const boxes = [...(form?.querySelectorAll("tbody input[type=checkbox]") ?? [])];

  function refresh() {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    for (const button of form.querySelectorAll("[data-needs-selection]")) button.disabled = !chosen;
    form.dispatchEvent(new CustomEvent("selected", { detail: chosen }));
  }

  if (!all || !boxes.length) return;
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    refresh();
  });
  for (const box of boxes) box.addEventListener("change", refresh);
  refresh();
}

begin();
document.addEventListener("listing", begin); // it was read anew: an upload has ended
