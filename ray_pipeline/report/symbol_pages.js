// One symbol's page, and all routes sorted and filtered, written of the columns that the page holds.
(() => {
  const source = document.getElementById("symbol-data");
  const data = source && JSON.parse(source.textContent);
  if (!data) return;
  const { symbols, targets, routes, rows, texts } = data;
  const MAX_ROWS = 300;

  // Figures have fewer bytes to a sign there.
  const figures = (text) => text.replaceAll("-", "−").replaceAll("±", " ± ").split("|");

  const add = (parent, tag, text, kind) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    parent.append(made);
    return made;
  };

  const linked = (parent, name) => {
    const link = add(parent, "a", name);
    link.href = "#symbol=" + encodeURIComponent(name);
  };

  const routed = (parent, route) => {
    const cell = add(parent, "td", undefined, "keep");
    add(cell, "span", undefined, "swatch " + route);
    cell.append(route);
  };

  function table(parent, name, heads) {
    const box = add(parent, "div", undefined, "scroll");
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", name);
    const made = add(box, "table", undefined, "list");
    const head = add(add(made, "thead"), "tr");
    for (const [text, isNumeric] of heads) {
      add(head, "th", text, isNumeric ? "n" : "").scope = "col";
    }
    return add(made, "tbody");
  }

  function show(place, page) {
    const name = symbols[place];
    add(page, "h3", name);
    const facts = data.facts[place] && data.facts[place].split("|");
    const list = add(page, "dl", undefined, "facts");
    const told = (what, text) => {
      add(list, "dt", what);
      add(list, "dd", text);
    };
    if (facts) told("Data", `${facts[2]} rows, ${facts[3]}, ${facts[1]} in ${facts[0]} file${facts[0] === "1" ? "" : "s"}`);
    if (data.leftOut[place]) told("Left out", data.leftOut[place]);
    const findings = (data.findings[place] || []).map((text) => texts[text]);
    told("Findings", findings.length ? findings.join("; ") : "none");
    const mine = [...rows.symbol.keys()].filter((row) => rows.symbol[row] === place);
    const served = mine.filter((row) => texts[rows.served[row]]).length;
    told("Served", mine.length
      ? `for ${served} of ${mine.length} target${mine.length === 1 ? "" : "s"}` : "not routed for any target");
    if (mine.length) {
      add(page, "h4", "Routes and models");
      add(page, "p", "Skill ± one standard error over the symbol's own time, out of sample; the difference is own minus pooled on the same rows.", "lead");
      const body = table(page, "Routes and models of " + name, [
        ["Target"], ["Route"], ["Models"], ["Pooled here", 1], ["Own", 1], ["q", 1],
        ["Difference", 1], ["q", 1], ["Rows", 1], ["Features of its own model"], ["Reason"],
      ]);
      for (const row of mine) {
        const line = add(body, "tr");
        add(line, "th", targets[rows.target[row]], "name").scope = "row";
        routed(line, routes[rows.route[row]]);
        add(line, "td", texts[rows.served[row]] || "–");
        for (const figure of figures(rows.figures[row])) add(line, "td", figure, "n");
        add(line, "td", texts[rows.features[row]] || "–", "name");
        add(line, "td", texts[rows.why[row]], "why");
      }
    }
    const folds = data.folds.filter((each) => each.skills[place]);
    if (folds.length) {
      add(page, "h4", "Pooled models on this symbol, fold by fold");
      add(page, "p", "Rank correlation of prediction and label over the symbol's own time in each test fold; single folds of one symbol are short, so these scatter widely.", "lead");
      for (const each of folds) {
        const title = `${targets[each.target]}, ${each.family}`;
        const body = table(page, `${title}: folds of ${name}`, [[title], ...each.starts.map((start) => [start, 1])]);
        const line = add(body, "tr");
        add(line, "th", "Skill", "name").scope = "row";
        for (const skill of figures(each.skills[place])) add(line, "td", skill, "n");
      }
    }
  }

  const input = document.getElementById("symbol-name");
  const status = document.getElementById("symbol-status");
  const page = document.getElementById("symbol-page");
  document.getElementById("symbol-without-script").hidden = true;
  document.getElementById("symbol-choice").hidden = false;
  const names = document.getElementById("symbol-names");
  for (const name of symbols) add(names, "option").value = name;

  const found = (text) => {
    const exact = symbols.indexOf(text);
    return exact >= 0 ? exact : symbols.findIndex((name) => name.toLowerCase() === text.toLowerCase());
  };

  function choose(text) {
    const place = found(text.trim());
    page.replaceChildren();
    if (place >= 0) {
      status.textContent = "";
      show(place, page);
      return;
    }
    const begun = symbols.filter((name) => name.toLowerCase().includes(text.trim().toLowerCase()));
    status.textContent = !text.trim() ? "" : begun.length
      ? `${begun.length} of ${symbols.length} symbols contain this: ${begun.slice(0, 8).join(", ")}${begun.length > 8 ? ", …" : ""}`
      : `None of the ${symbols.length} symbols is called this.`;
  }

  input.addEventListener("input", () => choose(input.value));
  input.addEventListener("change", () => {
    const place = found(input.value.trim());
    if (place >= 0) history.replaceState(null, "", "#symbol=" + encodeURIComponent(symbols[place]));
  });

  function follow() {
    if (!location.hash.startsWith("#symbol=")) return;
    input.value = decodeURIComponent(location.hash.slice("#symbol=".length));
    choose(input.value);
    document.getElementById("symbol").scrollIntoView();
  }
  addEventListener("hashchange", follow);
  follow();

  // The routes: the page has the first of them as rows, here are all.
  const list = document.getElementById("route-rows");
  if (!list) return;
  const box = document.querySelector('input.filter[data-table="route-rows"]');
  const count = rows.symbol.length;
  const words = [...rows.symbol.keys()].map((row) => [
    targets[rows.target[row]], symbols[rows.symbol[row]], routes[rows.route[row]], texts[rows.why[row]],
  ].join(" ").toLowerCase());
  const COLUMNS = [
    (row) => targets[rows.target[row]], (row) => symbols[rows.symbol[row]], (row) => routes[rows.route[row]],
    ...[0, 1, 2, 3, 4, 5].map((place) => (row) => figures(rows.figures[row])[place]),
    (row) => texts[rows.why[row]],
  ];
  const head = list.tHead.rows[0];
  let sorting = null;

  function write() {
    const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let kept = [...rows.symbol.keys()].filter((row) => wanted.every((word) => words[row].includes(word)));
    if (sorting) {
      const { column, turn, isNumeric } = sorting;
      const keyed = kept.map((row) => {
        const text = COLUMNS[column](row);
        return [isNumeric ? numberIn(text) : text, row];
      });
      const measured = keyed.filter(([value]) => value !== null);
      measured.sort(([a], [b]) =>
        (turn === "ascending" ? 1 : -1) * (isNumeric ? a - b : a.localeCompare(b, "en", { numeric: true })));
      kept = [...measured, ...keyed.filter(([value]) => value === null)].map(([, row]) => row);
    }
    const body = list.tBodies[0];
    body.replaceChildren();
    for (const row of kept.slice(0, MAX_ROWS)) {
      const line = add(body, "tr");
      add(line, "th", targets[rows.target[row]], "name").scope = "row";
      linked(add(line, "td", undefined, "keep"), symbols[rows.symbol[row]]);
      routed(line, routes[rows.route[row]]);
      for (const figure of figures(rows.figures[row])) add(line, "td", figure, "n");
      add(line, "td", texts[rows.why[row]], "why");
    }
    const told = box.nextElementSibling;
    told.hidden = !wanted.length && kept.length <= MAX_ROWS;
    const few = kept.length > MAX_ROWS ? `, of which the first ${MAX_ROWS} are shown` : "";
    told.textContent = kept.length
      ? `${kept.length} of ${count} routes${few}`
      : `None of the ${count} routes has “${box.value.trim()}”. ${box.dataset.note}`;
  }

  for (const [column, cell] of [...head.cells].entries()) {
    const isNumeric = cell.classList.contains("n");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      const turns = isNumeric ? ["descending", "ascending"] : ["ascending", "descending"];
      const turn = turns[turns.indexOf(cell.getAttribute("aria-sort")) + 1];
      for (const other of head.cells) other.removeAttribute("aria-sort");
      if (turn) cell.setAttribute("aria-sort", turn);
      sorting = turn ? { column, turn, isNumeric } : null;
      write();
    });
  }
  box.hidden = count < 15;
  box.addEventListener("input", write);
  document.getElementById("route-note")?.remove();
  write();
})();
