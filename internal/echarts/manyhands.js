// The house runtime of Many Hands' charts: one look and one way of drawing, used by the browser (JupyterLab,
// Notebook 7, the course's site) and, under goja, by the renderer of static pictures.
//
// A figure (made by helpers/chart or internal/site) holds what it needs:
//
//   <figure class="mh-chart">
//     <figcaption>…</figcaption>
//     <div class="mh-plot"> the static picture, if there is one </div>
//     <script type="application/json" class="mh-data">{"height":…,"description":…,"option":{…}}</script>
//   </figure>
//
// Options are plain JSON. Where JSON cannot say it, a string "@name" stands for a function or a colour of the theme.
(function (root) {
  "use strict";
  if (root.manyhands) return; // loaded twice: the first one has the page's charts

  // Okabe and Ito's colours for every kind of colour vision, darkened or lightened until each has a contrast of 3:1
  // with the background (texts 4.5:1); the tests compute it. "alarm" is for what must not be overlooked.
  const palettes = {
    light: {
      background: "#ffffff", text: "#1f2328", muted: "#59636e", grid: "#dce1e6", faint: "#818b98",
      blue: "#0072b2", alarm: "#d55e00", green: "#00946c", purple: "#b9578f", orange: "#b07a00", sky: "#2c8fca",
    },
    dark: {
      background: "#16191d", text: "#e6e9ec", muted: "#a3adb8", grid: "#343b43", faint: "#7d8792",
      blue: "#3d9be0", alarm: "#ff7a33", green: "#17b890", purple: "#dd8dbb", orange: "#e6a91a", sky: "#8fd0f5",
    },
  };

  // Whatever the option says in colours must be said in other ways too (a name, a height, a dash), so that the
  // order matters little; alarm is never used for a plain series.
  const series = ["blue", "orange", "green", "purple", "sky"];

  // Without quotes, which ECharts does not escape in an SVG.
  const font = "system-ui, -apple-system, Segoe UI, Noto Sans, Liberation Sans, sans-serif";

  // grouped is chart.number's way of writing a long number.
  const grouped = (x) => (Math.abs(x) < 10000 ? String(x) : String(x).replace(/\B(?=(\d{3})+$)/g, "\u00a0"));

  // The labels of an axis name the font once more: ECharts would measure them in another than it draws them in, and
  // cut them off.
  function theme(c) {
    const axis = {
      axisLine: { lineStyle: { color: c.faint } },
      axisTick: { lineStyle: { color: c.faint } },
      axisLabel: { color: c.muted, fontSize: 12, fontFamily: font, hideOverlap: true, formatter: grouped },
      nameTextStyle: { color: c.muted, fontSize: 12 },
      splitLine: { lineStyle: { color: c.grid } },
      minorSplitLine: { lineStyle: { color: c.grid } },
    };
    return {
      color: series.map((name) => c[name]),
      backgroundColor: "transparent",
      textStyle: { fontFamily: font, color: c.text },
      valueAxis: axis,
      logAxis: axis,
      categoryAxis: Object.assign({}, axis, {
        axisLabel: { color: c.text, fontSize: 12, fontFamily: font, lineHeight: 14 },
        axisTick: { show: false },
        splitLine: { show: false },
      }),
      legend: { textStyle: { color: c.text, fontSize: 12 }, inactiveColor: c.faint, itemWidth: 16, itemHeight: 10, itemGap: 16 },
      tooltip: {
        backgroundColor: c.background, borderColor: c.faint, textStyle: { color: c.text, fontSize: 12 }, confine: true,
      },
    };
  }

  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

  const escape = (text) => String(text).replace(/[&<>"']/g, (c) => "&#" + c.charCodeAt(0) + ";");

  // The functions that an option may name. Each is given the colours and the option, and returns what ECharts calls.
  const functions = {
    // A rectangle on a lane: [lane, from, to, share, base]. share is how much of the lane's height it fills and base
    // how far from the bottom it starts, both 0 to 1 (default: all of it). itemPayload gives the height of the lane's
    // band that is used, the least width in pixels (so that the shortest span still shows), and texts to put on the
    // rectangles that have the room.
    lanes: (c) => function (params, api) {
      const { height = 0.8, least = 1, labels } = params.itemPayload || {};
      const number = (dimension, otherwise) => {
        const value = api.value(dimension);
        return Number.isFinite(value) ? value : otherwise;
      };
      const lane = api.value(0), plot = params.coordSys;
      const from = api.coord([api.value(1), lane]), to = api.coord([api.value(2), lane]);
      const band = api.size([0, 1])[1] * height;
      const base = number(4, 0), high = Math.max(band * number(3, 1), 1);
      // On whole pixels, so that neighbours touch without a seam.
      const left = clamp(Math.round(from[0]), plot.x, plot.x + plot.width - least);
      const right = clamp(Math.round(to[0]), left + least, Math.max(left + least, plot.x + plot.width));
      const rect = {
        type: "rect",
        shape: {
          x: left, width: right - left,
          y: from[1] + band / 2 - band * base - high, height: high,
        },
        style: { fill: api.visual("color") },
      };
      const label = labels && labels[params.dataIndex];
      if (label && right - left > 7 * label.length + 8 && band > 11) {
        rect.textContent = { style: { text: label, fill: c.background, font: "11px " + font } };
        rect.textConfig = { position: "inside" };
      }
      return rect;
    },

    // An interval: [x, y, low, high], along x when itemPayload says so, else along y; a line with two caps.
    interval: (c) => function (params, api) {
      const { along = "y", cap = 5 } = params.itemPayload || {};
      const point = (value) => api.coord(along === "x" ? [value, api.value(1)] : [api.value(0), value]);
      const [x1, y1] = point(api.value(2)), [x2, y2] = point(api.value(3));
      const [dx, dy] = along === "x" ? [0, cap] : [cap, 0];
      const line = (a, b, d, e) => ({
        type: "line", shape: { x1: a, y1: b, x2: d, y2: e }, style: { stroke: c.text, lineWidth: 1.5 },
      });
      return {
        type: "group",
        children: [
          line(x1, y1, x2, y2), line(x1 - dx, y1 - dy, x1 + dx, y1 + dy), line(x2 - dx, y2 - dy, x2 + dx, y2 + dy),
        ],
      };
    },

    // What the pointer shows of a span, of a core's use and of a histogram's bar.
    span: (c, option) => ({ seriesName, value: [lane, from, to] }) =>
      `${escape(option.yAxis.data[lane])}<br>${escape(seriesName)}: ${from} to ${to} (${escape(option.xAxis.name)})`,
    use: (c, option) => ({ value: [lane, from, to, share] }) =>
      `${escape(option.yAxis.data[lane])}<br>${Math.round(100 * share)} % from ${from} to ${to} (${escape(option.xAxis.name)})`,
    bin: (c, option) => ({ seriesName, value: [lane, from, to] }) =>
      `${escape(option.yAxis.data[lane])}<br>${escape(seriesName)}: ` +
      (from === to ? from : `${from} to ${to}`) + ` (${escape(option.xAxis.name)})`,
  };

  // Keys under which a string is what somebody wrote, never a name of ours.
  const texts = new Set(["data", "name", "text", "labels"]);

  // resolve returns the option with every "@name" replaced.
  function resolve(option, c) {
    const inside = (value) => {
      if (typeof value === "string" && value.startsWith("@")) {
        const name = value.slice(1);
        if (Object.hasOwn(functions, name)) return functions[name](c, option);
        return Object.hasOwn(c, name) ? c[name] : value;
      }
      if (Array.isArray(value)) return value.map(inside);
      if (value === null || typeof value !== "object") return value;
      const out = {};
      for (const key of Object.keys(value)) out[key] = texts.has(key) ? value[key] : inside(value[key]);
      return out;
    };
    return inside(option);
  }

  // measureText stands in for a browser's: nobody knows the font in which a picture will be seen, so it takes the
  // widths of a wide one (DejaVu Sans), and no text is cut off or runs into the next.
  function measureText(text, font) {
    const width = (char) =>
      char > "\u1100" ? 1 : /[MW@%mw]/.test(char) ? 0.95 : /[ \u00a0.,:;'|!()\[\]ijlIft]/.test(char) ? 0.38 : 0.64;
    const size = parseFloat(/([\d.]+)px/.exec(font)?.[1] ?? 12);
    return { width: size * Array.from(text).reduce((sum, char) => sum + width(char), 0) };
  }

  // place draws the chart. Its legend takes as many rows as it needs at this width: what those beyond the first take
  // pushes down the plot, and grow makes the picture higher by as much.
  function place(drawing, chart, colours, grow) {
    const row = 24, option = resolve(chart.option, colours);
    drawing.setOption(Object.assign({ animation: false }, option));
    const legend = drawing.getModel().getComponent("legend");
    if (!legend) return;
    const { height } = drawing.getViewOfComponentModel(legend).group.getBoundingRect();
    const more = Math.max(0, Math.round(height) - row);
    if (more === 0) return;
    grow(chart.height + more);
    drawing.setOption({ grid: { top: option.grid.top + more } });
  }

  // svg renders a chart, given as JSON, without a browser; colours is a palette of the caller's.
  function svg(echarts, json, colours, width) {
    echarts.setPlatformAPI({ measureText });
    const chart = JSON.parse(json);
    const drawing = echarts.init(null, theme(colours), { renderer: "svg", ssr: true, width, height: chart.height });
    try {
      place(drawing, chart, colours, (height) => drawing.resize({ width, height }));
      return drawing.renderToSVGString();
    } finally {
      drawing.dispose();
    }
  }

  root.manyhands = { palettes, font, svg };
  if (typeof document === "undefined") return;

  // ---- In a page ----

  const here = document.currentScript.src;
  const live = new Map(); // figure -> its drawing and what fits that into the page; only figures that are on the page now
  const started = new WeakSet(), opened = new WeakSet();
  const darkMedia = matchMedia("(prefers-color-scheme: dark)");
  let loading; // the promise of ECharts, loaded once a page
  let wasDark;

  const style = document.createElement("style");
  style.textContent = `
    .mh-chart { margin: 1em 0; max-width: 60em; }
    .mh-chart figcaption { margin-bottom: 0.4em; }
    .mh-plot { position: relative; overflow: hidden; }
    .mh-static { max-width: 100%; height: auto; }
    @media screen { .mh-drawn > .mh-static { display: none; } }
    @media print { .mh-static ~ .mh-live { display: none; } }`;
  document.head.append(style);

  // ECharts' file takes the page's AMD loader (Notebook's require.js), when there is one, and is then nowhere to be
  // found; so define.amd is hidden until the file has run. An ECharts that somebody else put in the page stays theirs.
  function load() {
    loading ??= new Promise((done, failed) => {
      const define = root.define, amd = define && define.amd, theirs = root.echarts;
      if (amd) define.amd = undefined;
      const after = () => {
        if (amd) define.amd = amd;
        script.remove();
      };
      const script = document.createElement("script");
      script.src = new URL("echarts.min.js", here).href;
      script.onload = () => {
        after();
        const ours = root.echarts;
        root.echarts = theirs;
        done(ours);
      };
      script.onerror = () => {
        after();
        failed(new Error("manyhands: cannot load " + script.src));
      };
      document.head.append(script);
    });
    return loading;
  }

  // JupyterLab says its theme on the body, the site on the root; else the system decides.
  function isDark() {
    const jupyter = document.body.dataset.jpThemeLight, site = document.documentElement.dataset.theme;
    if (jupyter !== undefined) return jupyter === "false";
    if (site === "dark" || site === "light") return site === "dark";
    return darkMedia.matches;
  }

  function draw(echarts, figure) {
    const chart = JSON.parse(figure.querySelector(".mh-data").textContent);
    const plot = figure.querySelector(".mh-plot");
    const mode = isDark() ? "dark" : "light", colours = palettes[mode];
    const div = document.createElement("div");
    div.className = "mh-live";
    div.dataset.theme = mode;
    div.style.height = chart.height + "px";
    div.setAttribute("role", "img");
    div.setAttribute("aria-label", chart.description);
    plot.append(div);
    const drawing = echarts.init(div, theme(colours));
    const size = (height) => {
      div.style.height = height + "px";
      drawing.resize();
    };
    const fill = () => {
      size(chart.height);
      place(drawing, chart, colours, size);
    };
    fill();
    plot.classList.add("mh-drawn");
    if (!plot.querySelector(".mh-static") && !opened.has(figure)) {
      opened.add(figure);
      const table = figure.querySelector("details[open]");
      if (table) table.open = false; // it stood in for the picture, and is not the reader's choice
    }
    live.set(figure, { drawing, fill });
  }

  function clear(figure) {
    const there = live.get(figure);
    if (!there) return;
    live.delete(figure);
    there.drawing.getDom().remove();
    there.drawing.dispose();
    figure.querySelector(".mh-plot").classList.remove("mh-drawn");
  }

  // fit brings the figure's drawing in line with its place in the page. JupyterLab takes cells off the page (when
  // scrolled away, or run again) and may put them back: off the page nothing is kept.
  async function fit(figure) {
    const width = () => (figure.isConnected ? figure.querySelector(".mh-plot").clientWidth : 0);
    if (width() === 0) return clear(figure);
    try {
      const echarts = await load();
      if (width() === 0) return;
      const there = live.get(figure);
      if (!there) draw(echarts, figure);
      else if (there.drawing.getWidth() !== width()) there.fill();
    } catch (error) {
      clear(figure); // what was there before, picture or table, stays
      console.error(error);
    }
  }

  function redraw() {
    if (isDark() === wasDark) return;
    wasDark = isDark();
    for (const figure of [...live.keys()]) {
      clear(figure);
      fit(figure);
    }
  }

  // start draws the chart of a figure and keeps it in line with the page's theme and size, until it is off the page.
  // The observer lives as long as the figure's element does: the page itself keeps no hold of it.
  root.manyhands.start = function (figure) {
    if (started.has(figure)) return;
    started.add(figure);
    new ResizeObserver(() => fit(figure)).observe(figure.querySelector(".mh-plot"));
  };

  function startAll() {
    wasDark = isDark();
    darkMedia.addEventListener("change", redraw);
    const themes = new MutationObserver(redraw);
    for (const node of [document.documentElement, document.body]) {
      themes.observe(node, { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light"] });
    }
    // A page of the site may have a dozen charts: each is drawn when the reader comes near. And as long as the reader
    // has not stirred, pictures do: no page is slower to open for its charts.
    const near = new IntersectionObserver((figures) => {
      for (const { isIntersecting, target } of figures) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        root.manyhands.start(target);
      }
    }, { rootMargin: "50%" });
    const signs = ["pointermove", "pointerdown", "keydown", "scroll"];
    const stirred = () => {
      for (const sign of signs) removeEventListener(sign, stirred);
      for (const figure of document.querySelectorAll("figure.mh-chart:has(.mh-data)")) near.observe(figure);
    };
    for (const sign of signs) addEventListener(sign, stirred, { passive: true });
    for (const figure of document.querySelectorAll("figure.mh-chart:has(.mh-data):not(:has(.mh-static))")) near.observe(figure);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", startAll);
  else startAll();
})(globalThis);
