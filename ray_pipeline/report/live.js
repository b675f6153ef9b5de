// Draws the figures of time on canvases whose cursors and zoom are linked. Each figure keeps its
// still picture, which is what is printed and what is seen where this does not run.
(() => {
  const drawn = new Map();
  let shown = null; // [from, to] in seconds while zoomed
  let linking = false;

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const DASHES = { no: [1.5, 2.5], c0: [], c1: [9, 3], c2: [2, 3], c3: [10, 3, 2, 3], c4: [5, 2], c5: [1, 5] };
  const STROKES = { yes: "accent", no: "muted" };
  const DAY = 86400;

  function times({ start, unit, steps }) {
    const found = [start];
    for (const step of steps) found.push(found[found.length - 1] + unit * step);
    return found;
  }

  function signed(value, places) {
    if (value == null) return "–";
    const text = Math.abs(value).toFixed(places);
    return (Number(text) === 0 ? "" : value > 0 ? "+" : "−") + text;
  }

  const written = (seconds, form) =>
    uPlot.fmtDate(form)(uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"));

  // Under an axis, whose ticks are so many seconds apart.
  function dated(seconds, step) {
    const form =
      step >= 360 * DAY ? "{YYYY}" : step >= 28 * DAY ? "{YYYY}-{MM}"
      : step >= DAY ? "{YYYY}-{MM}-{DD}" : "{MM}-{DD} {HH}:{mm}";
    return written(seconds, form);
  }

  function options(plot, width) {
    const reach = Math.max(...plot.lines.flatMap((line) => line.values.map(Math.abs)));
    const places = reach > 0 ? Math.max(2, 2 - Math.floor(Math.log10(reach))) : 2;
    const moment = plot.daily ? "{YYYY}-{MM}-{DD}" : "{YYYY}-{MM}-{DD} {HH}:{mm}";
    const axis = {
      stroke: () => colour("muted"),
      font: "11px system-ui, sans-serif",
      grid: { stroke: () => colour("track"), width: 1 },
      ticks: { show: false },
    };
    const series = [
      { label: "Time", value: (u, at) => (at == null ? "–" : written(at, moment)) },
    ];
    const value = (u, at) => signed(at, places);
    if (plot.band.length) {
      const edge = { stroke: () => colour("faint"), width: 1, points: { show: false } };
      series.push({ ...edge, label: plot.bandName, value: (u, at) => signed(at, places).replace("+", "±") });
      series.push({ ...edge, label: plot.bandName, class: "u-hidden" });
    }
    for (const line of plot.lines) {
      const name = STROKES[line.style] || line.style;
      series.push({
        label: line.name, value, stroke: () => colour(name), width: line.style === "no" ? 1 : 1.75,
        dash: DASHES[line.style] || [], points: { show: false },
      });
    }
    return {
      width, height: plot.height, series,
      bands: plot.band.length ? [{ series: [1, 2], fill: () => colour("track") }] : [],
      scales: { y: { range: reached } },
      tzDate: (at) => uPlot.tzDate(new Date(at * 1e3), "Etc/UTC"),
      axes: [
        { ...axis, size: 26, gap: 4, space: 90, values: (u, splits, i, space, step) => splits.map((at) => dated(at, step)) },
        {
          ...axis, size: 54, gap: 4, space: 24,
          values: (u, splits, i, space, step) => {
            const n = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
            return splits.map((at) => (at === 0 ? "0" : signed(at, n)));
          },
        },
      ],
      cursor: {
        y: false, sync: { key: "time", setSeries: false }, drag: { x: true, y: false },
        bind: { dblclick: () => () => zoom(null) },
      },
      legend: { live: true },
      hooks: {
        drawAxes: [zeroLine],
        setScale: [
          (u, key) => {
            if (key !== "x" || linking) return;
            const { min, max } = u.scales.x;
            const whole = min <= u.data[0][0] && max >= u.data[0][u.data[0].length - 1];
            if (!whole) zoom([min, max]);
          },
        ],
        setSeries: [(u) => marked(u)],
      },
    };
  }

  // Zero is always in the picture: a line's height means nothing without it.
  function reached(u, min, max) {
    const [low, high] = [Math.min(0, min ?? 0), Math.max(0, max ?? 0)];
    const room = 0.06 * (high - low || 1);
    return [low < 0 ? low - room : 0, high > 0 ? high + room : 0];
  }

  function zeroLine(u) {
    const y = Math.round(u.valToPos(0, "y", true)) + 0.5;
    u.ctx.save();
    u.ctx.strokeStyle = colour("muted");
    u.ctx.lineWidth = 1;
    u.ctx.beginPath();
    u.ctx.moveTo(u.bbox.left, y);
    u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
    u.ctx.stroke();
    u.ctx.restore();
  }

  // Says which lines are on, for those who cannot see that one is faded.
  function marked(u) {
    u.root.querySelectorAll(".u-series").forEach((row, place) => {
      const label = row.querySelector(".u-label");
      if (place && label) label.setAttribute("aria-pressed", String(u.series[place].show));
    });
  }

  function zoom(span) {
    shown = span;
    linking = true;
    for (const plots of drawn.values()) {
      for (const { chart } of plots) {
        const at = chart.data[0];
        const [min, max] = span || [at[0], at[at.length - 1]];
        chart.setScale("x", { min, max });
      }
    }
    // uPlot sets scales after this turn, and tells of it then.
    queueMicrotask(() => (linking = false));
  }

  function closer(chart, factor) {
    const { min, max } = chart.scales.x;
    const all = chart.data[0];
    const place = chart.cursor.idx;
    const middle = place == null ? (min + max) / 2 : all[place];
    const half = ((max - min) * factor) / 2;
    const from = Math.max(all[0], middle - half);
    const to = Math.min(all[all.length - 1], middle + half);
    zoom(from <= all[0] && to >= all[all.length - 1] ? null : [from, to]);
  }

  function pressed(event, chart, said) {
    const { min, max } = chart.scales.x;
    const all = chart.data[0];
    if (event.key === "+" || event.key === "=") closer(chart, 0.5);
    else if (event.key === "-") closer(chart, 2);
    else if (event.key === "Escape" || event.key === "0") zoom(null);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const first = all.findIndex((at) => at >= min);
      const last = all.findLastIndex((at) => at <= max);
      const stride = Math.max(1, Math.round((last - first) / 50)) * (event.key === "ArrowLeft" ? -1 : 1);
      const now = chart.cursor.idx ?? first - stride;
      const next = Math.min(last, Math.max(first, now + stride));
      chart.setCursor({ left: chart.valToPos(all[next], "x"), top: 0 });
      const texts = [...chart.root.querySelectorAll(".u-series:not(.u-hidden)")];
      said.textContent = texts
        .map((row) => [...row.children].map((cell) => cell.textContent).join(" ")).join(", ");
    } else return;
    event.preventDefault();
  }

  function build(figure, plots) {
    const width = Math.max(200, figure.clientWidth);
    const found = plots.map((plot) => {
      const box = document.createElement("div");
      box.className = "drawing";
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label",
        plot.name + ". Arrow keys read it point by point, plus and minus zoom, Escape shows all of it.");
      const name = document.createElement("p");
      name.className = "plot-name";
      name.textContent = plot.name;
      const said = document.createElement("p");
      said.className = "unseen";
      said.setAttribute("aria-live", "polite");
      box.append(name, said);
      figure.append(box);
      const at = times(plot.time);
      const bands = plot.band.length ? [plot.band, plot.band.map((half) => (half == null ? null : -half))] : [];
      const data = [at, ...bands, ...plot.lines.map((line) => line.values)];
      const chart = new uPlot(options(plot, width), data, box);
      chart.root.querySelectorAll(".u-series").forEach((row, place) => {
        const label = row.querySelector(".u-label");
        if (!place || !label) return;
        label.tabIndex = 0;
        label.setAttribute("role", "button");
        label.addEventListener("keydown", (event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          label.click();
        });
      });
      marked(chart);
      box.addEventListener("keydown", (event) => {
        if (event.target === box) pressed(event, chart, said);
      });
      return { box, chart };
    });
    drawn.set(figure, found);
    figure.classList.add("is-live");
    if (shown) zoom(shown);
  }

  function draw(figure) {
    if (!drawn.has(figure) && figure.clientWidth) {
      build(figure, JSON.parse(figure.querySelector("script").textContent));
    }
  }

  function redraw() {
    for (const [figure, plots] of [...drawn]) {
      for (const { box, chart } of plots) {
        chart.destroy();
        box.remove();
      }
      drawn.delete(figure);
      draw(figure);
    }
  }

  const near = new IntersectionObserver(
    (entries) => entries.forEach((each) => each.isIntersecting && draw(each.target)),
    { rootMargin: "600px" },
  );
  const wide = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      for (const { chart } of drawn.get(target) || []) {
        if (target.clientWidth && chart.width !== target.clientWidth) {
          chart.setSize({ width: target.clientWidth, height: chart.height });
        }
      }
    }
  });
  for (const figure of document.querySelectorAll("figure.live")) {
    const bar = document.createElement("div");
    bar.className = "zoom";
    for (const [text, name, act] of [
      ["+", "Zoom in", (chart) => closer(chart, 0.5)],
      ["−", "Zoom out", (chart) => closer(chart, 2)],
      ["All", "Show all of the time", () => zoom(null)],
    ]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.setAttribute("aria-label", name);
      button.addEventListener("click", () => act(drawn.get(figure)[0].chart));
      bar.append(button);
    }
    figure.append(bar);
    near.observe(figure);
    wide.observe(figure);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();
