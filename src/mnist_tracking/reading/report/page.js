"use strict";
// Sorts and filters the leaderboard, and marks one trial in every chart. The page is complete without it.
(() => {
  const trials = JSON.parse(document.getElementById("data").textContent).trials;
  const table = document.getElementById("board-table");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const headings = [...table.tHead.rows[0].cells];
  const readout = document.getElementById("readout");
  const shown = document.getElementById("shown");
  const filter = document.getElementById("filter");
  const chips = [...document.querySelectorAll(".chip")];
  const marks = trials.map(() => []);
  for (const mark of document.querySelectorAll("[data-i]")) marks[mark.dataset.i].push(mark);
  const words = rows.map((row) => row.textContent.toLowerCase());

  function valueOf(row, heading) {
    const found = trials[row.dataset.i][heading.dataset.of];
    const name = heading.dataset.name;
    if (name === undefined) return found;
    return found && Object.hasOwn(found, name) ? found[name] : undefined;
  }

  const isMissing = (value) => value === undefined || value === null || value === "";

  function compare(one, other) {
    if (typeof one === "number" && typeof other === "number") return one - other;
    if (typeof one !== typeof other) return typeof one === "number" ? -1 : typeof other === "number" ? 1 : 0;
    const texts = [one, other].map((value) => (typeof value === "object" ? JSON.stringify(value) : String(value)));
    return texts[0].localeCompare(texts[1], "en", { numeric: true });
  }

  function sortBy(heading) {
    const isUp = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of headings) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", isUp ? "ascending" : "descending");
    const keyed = rows.map((row) => ({ row, value: valueOf(row, heading) }));
    keyed.sort((one, other) => {
      const missing = isMissing(one.value) - isMissing(other.value); // last, in both directions
      if (missing || isMissing(one.value)) return missing || one.row.dataset.i - other.row.dataset.i;
      return (isUp ? 1 : -1) * compare(one.value, other.value) || one.row.dataset.i - other.row.dataset.i;
    });
    body.append(...keyed.map(({ row }) => row));
  }

  /** Makes the content of a cell a button: a real one would not be printed in a heading that is repeated. */
  function toButton(cell) {
    const button = document.createElement("span");
    button.append(...cell.childNodes);
    cell.append(button);
    button.tabIndex = 0;
    button.setAttribute("role", "button");
    return button;
  }

  for (const heading of headings) toButton(heading).addEventListener("click", () => sortBy(heading));

  const isPressed = (button) => button.getAttribute("aria-pressed") === "true";
  const press = (button, isOn) => button.setAttribute("aria-pressed", String(isOn));

  function applyFilter() {
    const asked = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const states = new Set(chips.filter(isPressed).map((chip) => chip.dataset.state));
    let count = 0;
    rows.forEach((row, place) => {
      const trial = Number(row.dataset.i);
      const isShown = states.has(trials[trial].state) && asked.every((word) => words[place].includes(word));
      count += isShown;
      for (const mark of marks[trial]) mark.classList.toggle("off", !isShown);
    });
    shown.textContent = `${count} of ${rows.length} trials`;
  }

  filter.addEventListener("input", applyFilter);
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      press(chip, !isPressed(chip));
      applyFilter();
    });
  }

  const short = (value) => (typeof value === "number" ? String(Number(value.toPrecision(6))) : JSON.stringify(value));
  let pinned = null;
  let current = null;

  function describe(trial) {
    const parameters = headings.filter((heading) => heading.dataset.of === "parameters").map((h) => h.dataset.name);
    const set = parameters.filter((name) => Object.hasOwn(trial.parameters, name)).slice(0, 8);
    const parts = [`#${trial.rank} ${trial.trial}`, trial.state];
    if (trial.value !== null) parts.push(short(trial.value));
    return [...parts, ...set.map((name) => `${name} ${short(trial.parameters[name])}`)].join("  ·  ");
  }

  function highlight(place) {
    if (place === current) return;
    if (current !== null) for (const mark of marks[current]) mark.classList.remove("on");
    current = place;
    readout.hidden = place === null;
    if (place === null) return;
    for (const mark of marks[place]) {
      mark.classList.add("on");
      if (mark.ownerSVGElement && mark.matches(".mark, .curve")) mark.parentNode.append(mark); // on top
    }
    readout.textContent = describe(trials[place]);
  }

  const trialAt = (target) => {
    const found = target instanceof Element ? target.closest("[data-i]") : null;
    return found ? Number(found.dataset.i) : pinned;
  };

  function pin(place) {
    const nameOf = (index) => rows[index].querySelector("[role=button]");
    if (pinned !== null) press(nameOf(pinned), false);
    pinned = place === pinned ? null : place;
    if (pinned !== null) press(nameOf(pinned), true);
    highlight(pinned);
  }

  for (const row of rows) press(toButton(row.querySelector("th")), false);
  document.addEventListener("pointerover", (event) => highlight(trialAt(event.target)));
  document.addEventListener("focusin", (event) => highlight(trialAt(event.target)));
  document.addEventListener("click", (event) => {
    const found = event.target.closest("[data-i]");
    if (found) pin(Number(found.dataset.i));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && pinned !== null) pin(pinned);
    if ((event.key === "Enter" || event.key === " ") && event.target.matches("span[role=button]")) {
      event.preventDefault();
      event.target.click();
    }
  });
  document.querySelector(".controls").hidden = false;
  applyFilter();
})();
