// What is pleasant, and only that: the pages are whole without this file.
(() => {
  "use strict";
  const root = document.documentElement;

  // ---- The theme: the system's, light or dark ----
  const themes = ["auto", "light", "dark"];
  const button = document.getElementById("theme");
  const show = () => {
    const theme = root.dataset.theme ?? "auto";
    button.textContent = { auto: "Auto", light: "Light", dark: "Dark" }[theme];
    button.dataset.theme = theme;
    button.setAttribute("aria-label", `Theme: ${theme}`);
  };
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme ?? "auto") + 1) % themes.length];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      localStorage.setItem("manyhands-theme", next);
    } catch {} // refused: the choice holds for this page
    show();
  });
  show();
  button.hidden = false;

  // ---- Copying code ----
  async function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea"); // plain http has no clipboard
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) throw new Error("not copied");
  }
  for (const source of document.querySelectorAll(".source")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      try {
        await copy(source.querySelector("code").textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not allowed";
      }
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    source.append(button);
  }

  // ---- Go and Python as tabs, where both do the same ----
  for (const [n, pair] of document.querySelectorAll(".pair").entries()) {
    const panels = [...pair.children];
    const list = document.createElement("div");
    list.className = "tabs";
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", "Language");
    const tabs = panels.map((panel, i) => {
      const tab = document.createElement("button");
      tab.type = "button";
      tab.id = `tab-${n}-${i}`;
      tab.setAttribute("role", "tab");
      tab.textContent = panel.querySelector(".label").textContent;
      panel.id = `panel-${n}-${i}`;
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      tab.setAttribute("aria-controls", panel.id);
      tab.addEventListener("click", () => choose(i));
      tab.addEventListener("keydown", (event) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        event.preventDefault();
        choose(1 - i);
        tabs[1 - i].focus();
      });
      return tab;
    });
    const choose = (chosen) => {
      for (const [i, tab] of tabs.entries()) {
        tab.setAttribute("aria-selected", i === chosen);
        tab.tabIndex = i === chosen ? 0 : -1;
        panels[i].hidden = i !== chosen;
      }
    };
    list.append(...tabs);
    pair.prepend(list);
    choose(0);
  }

  // ---- A table of contents that follows the reader ----
  const links = new Map();
  for (const link of document.querySelectorAll("#contents a")) {
    links.set(document.getElementById(decodeURIComponent(link.hash.slice(1))), link);
    link.addEventListener("click", () => document.getElementById("contents").hidePopover?.());
  }
  let current;
  const follow = () => {
    let here; // the last heading that has passed the top
    for (const heading of links.keys()) {
      if (here && heading.getBoundingClientRect().top > innerHeight / 4) break;
      here = heading;
    }
    if (here === current) return;
    links.get(current)?.removeAttribute("aria-current");
    current = here;
    const link = links.get(here);
    link.setAttribute("aria-current", "true");
    const list = link.closest("nav");
    if (list.scrollHeight > list.clientHeight) list.scrollTop = link.offsetTop - list.clientHeight / 2;
  };
  if (links.size > 0) {
    let waiting = false;
    addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        follow();
      });
    }, { passive: true });
    follow();
  }
  document.querySelector("#lessons [aria-current]")?.scrollIntoView({ block: "nearest" });

  // ---- The lessons read to their end, kept in this browser only ----
  const kept = "manyhands-read";
  let read = [];
  const recall = () => {
    try {
      const list = JSON.parse(localStorage.getItem(kept));
      if (Array.isArray(list)) read = list;
    } catch {} // refused, or not ours
  };
  const tick = () => {
    for (const name of document.querySelectorAll("#lessons a .name, .lessons a .name")) {
      if (!read.includes(name.closest("a").getAttribute("href")) || name.querySelector(".tick")) continue;
      const mark = document.createElement("span");
      mark.className = "tick";
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", "read");
      mark.textContent = "\u2713";
      name.append(" ", mark);
    }
  };
  recall();
  tick();
  const lesson = document.querySelector("#lessons [aria-current]")?.getAttribute("href");
  const end = document.querySelector(".run");
  if (lesson && end && !read.includes(lesson)) {
    new IntersectionObserver(([entry], observer) => {
      if (!entry.isIntersecting) return;
      observer.disconnect();
      recall(); // what other tabs have added
      if (!read.includes(lesson)) read.push(lesson);
      try {
        localStorage.setItem(kept, JSON.stringify(read));
      } catch {} // refused: the tick holds for this page
      tick();
    }).observe(end);
  }

  // ---- What another tab has changed, or a page to which one comes back ----
  const adopt = () => {
    try {
      const theme = localStorage.getItem("manyhands-theme");
      if (theme === "light" || theme === "dark") root.dataset.theme = theme;
      else if (theme === "auto") delete root.dataset.theme;
    } catch {} // refused: each page has its own
    show();
    recall();
    tick();
  };
  addEventListener("storage", adopt);
  addEventListener("pageshow", (event) => event.persisted && adopt());

  // ---- Only what scrolls is a stop for the keyboard ----
  const stops = new ResizeObserver((boxes) => { // unfolded, too, and put on paper
    const wide = boxes.map(({ target }) => target.scrollWidth > target.clientWidth); // all before any changes the page
    for (const [i, { target }] of boxes.entries()) {
      if (wide[i]) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const box of document.querySelectorAll("pre[tabindex], .scroll[tabindex]")) stops.observe(box);

  // ---- Paper shows what is folded ----
  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("details:not([open])")];
    for (const details of unfolded) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of unfolded) details.open = false;
  });
})();
