"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const views = [];
  const moved = (budget) => views.forEach((view) => {
    if (Object.keys(view.getState().signals).includes("budget")) view.signal("budget", budget).run();
  });

  document.querySelectorAll(".slider").forEach((box) => {
    const table = read(box.dataset.from), input = box.querySelector("input");
    const said = box.querySelector("output"), list = box.querySelector("dl"), far = box.querySelector(".far");
    const show = () => {
      const i = Number(input.value), row = table.rows[i];
      said.textContent = `${table.words[i]} ${table.unit}`;
      input.setAttribute("aria-valuetext", said.textContent);
      far.hidden = !(table.beyond[i] > 0);
      far.textContent = `${table.beyond[i]} decades beyond the runs: the intervals take the law as true there.`;
      list.replaceChildren();
      table.headings.forEach((heading, k) => {
        if (heading === "interval") {
          const note = document.createElement("small");
          note.textContent = row[k];
          list.lastElementChild.lastElementChild.append(note);
          return;
        }
        const pair = document.createElement("div");
        const name = document.createElement("dt"), value = document.createElement("dd");
        name.textContent = heading;
        value.textContent = row[k];
        pair.append(name, value);
        list.append(pair);
      });
      moved(table.goals[i]);
    };
    input.addEventListener("input", show);
    show();
  });

  if (window.vegaEmbed) {
    document.querySelectorAll(".chart").forEach((place) => {
      window.vegaEmbed(place, read(place.dataset.from), { actions: false, renderer: "svg" }).then((made) => {
        views.push(made.view);
        document.querySelectorAll(".slider input").forEach((input) => input.dispatchEvent(new Event("input")));
      });
    });
  }

  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((one) => { one.open = true; });
  });
})();
