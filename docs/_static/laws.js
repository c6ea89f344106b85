// The gallery's search: shows the cards that hold every typed word and take every picked input.
const bar = document.getElementById("law-search");
const cards = [...document.querySelectorAll(".law")].map((card) => ({
  column: card.closest(".sd-col"),
  words: card.textContent.toLowerCase(),
  inputs: [...card.querySelectorAll(".inputs code")].map((code) => code.textContent),
}));
const counts = new Map();
for (const { inputs } of cards) for (const name of inputs) counts.set(name, (counts.get(name) ?? 0) + 1);
const [field, chips, said] = bar.children;
for (const [name] of [...counts].filter(([, n]) => n > 1).sort((a, b) => b[1] - a[1])) {
  const chip = document.createElement("button");
  chip.textContent = name;
  chip.setAttribute("aria-pressed", "false");
  chip.onclick = () => {
    chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") === "false"));
    search();
  };
  chips.append(chip);
}
function search() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const picked = [...chips.querySelectorAll("[aria-pressed=true]")].map((chip) => chip.textContent);
  let shown = 0;
  for (const { column, words: text, inputs } of cards) {
    const fits = words.every((word) => text.includes(word)) && picked.every((name) => inputs.includes(name));
    column.hidden = !fits;
    shown += fits;
  }
  said.textContent = words.length || picked.length ? `${shown} of ${cards.length} laws` : "";
}
field.oninput = search;
bar.hidden = false;
