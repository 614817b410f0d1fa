// Draws the charts, and lets the reader choose a period for those by day.
(() => {
  const DAY = 86400000;
  const input = JSON.parse(document.getElementById("charts").textContent);
  const views = {};
  // Expressions are interpreted: the page's security policy forbids eval.
  const options = { renderer: "svg", actions: false, ast: true, tooltip: { offsetX: 12, offsetY: 12 } };

  const draw = async (element) => {
    const key = element.dataset.chart;
    const spec = input.specs[key];
    if (spec.data && spec.data.name === "days") spec.datasets = { days: structuredClone(input.days) };
    const { view } = await vegaEmbed(element, spec, options);
    views[key] = view;
  };

  const number = (value) => value.toLocaleString("en-US");
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const date = (time) => {
    const day = new Date(time);
    return `${day.getUTCDate()} ${MONTHS[day.getUTCMonth()]} ${day.getUTCFullYear()}`;
  };

  const periods = () => {
    const days = input.days.map((row) => ({ ...row, time: Date.parse(row.date) }));
    const whole = [days[0].time, days[days.length - 1].time + DAY];
    const output = document.getElementById("period");
    const buttons = [...document.querySelectorAll("button[data-from]")];
    let chosen = null;

    const show = (range) => {
      const [start, end] = range || whole;
      for (const key of ["orders", "revenue"]) views[key].signal("start", start).signal("end", end).runAsync();
      const shown = days.filter((row) => row.time >= start && row.time < end);
      const orders = shown.reduce((sum, row) => sum + row.orders, 0);
      const cents = shown.reduce((sum, row) => sum + Math.round(row.revenue * 100), 0);
      output.textContent =
        `${date(start)} – ${date(end - DAY)}: ${number(orders)} ${orders === 1 ? "order" : "orders"}, ` +
        `R$\u00a0${number(Math.round(cents / 100))}`;
      for (const button of buttons) {
        const same = range ? edges(button).join() === range.join() : !button.dataset.from;
        button.setAttribute("aria-pressed", String(same));
      }
    };
    const edges = (button) => {
      const start = Math.max(Date.parse(button.dataset.from), whole[0]);
      return [start, Math.min(Date.parse(button.dataset.to) + DAY, whole[1])];
    };
    let marked = null; // true while a button moves the brush: its period is exact, the brush only to the pixel
    views.overview.addSignalListener("brush", (_, value) => {
      if (marked) return;
      const range = value.date && value.date.map(Number);
      chosen = range && [Math.floor(range[0] / DAY) * DAY, Math.max(Math.ceil(range[1] / DAY), Math.floor(range[0] / DAY) + 1) * DAY];
      show(chosen);
    });
    const choose = async (range) => {
      chosen = range;
      show(chosen);
      marked = true;
      const x = views.overview.scale("overview_x");
      await views.overview.signal("brush_x", chosen ? chosen.map((time) => x(time)) : [0, 0]).runAsync();
      marked = false;
    };
    for (const button of buttons)
      button.addEventListener("click", () => choose(button.dataset.from ? edges(button) : null));
    window.addEventListener("resize", () => chosen && setTimeout(() => choose(chosen)));
    show(null);
  };

  // In print a chart is as wide as its column on paper, not on the screen.
  const paper = (on) => {
    document.documentElement.classList.toggle("paper", on);
    window.dispatchEvent(new Event("resize"));
  };
  window.addEventListener("beforeprint", () => paper(true));
  window.addEventListener("afterprint", () => paper(false));

  Promise.all([...document.querySelectorAll("[data-chart]")].map(draw)).then(() => {
    if (views.overview) periods();
    document.documentElement.dataset.drawn = Object.keys(views).length;
  });
})();
