// Finds sections of all lessons. The library and the index are only loaded
// when the reader turns to the search box, as classic scripts: from a disk,
// a page may load nothing else.
(() => {
  "use strict";
  const box = document.getElementById("search");
  const input = document.getElementById("query");
  const list = document.getElementById("results");
  const status = document.getElementById("found");
  const most = 12; // sections that the list shows
  const words = /[^\p{L}\p{N}_]+/u;
  let found = [];
  let chosen = -1;

  const load = (src) => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = src;
    script.onload = resolve;
    script.onerror = () => reject(new Error(src));
    document.head.append(script);
  });
  let engine; // a promise
  const start = () => engine ??= (async () => {
    await Promise.all([load("assets/minisearch.js"), load("search-index.js")]);
    const index = new MiniSearch({
      fields: ["heading", "title", "text"],
      storeFields: ["page", "title", "heading", "anchor", "text"],
      tokenize: (text) => text.split(words),
      searchOptions: {
        boost: { heading: 4, title: 2 },
        combineWith: "AND",
        prefix: true,
        fuzzy: (term) => (term.length > 4 ? 0.2 : false),
      },
    });
    index.addAll(manyhandsSections.map((section, id) => ({ id, ...section })));
    return { search: (query) => index.search(query) };
  })();

  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    chosen = -1;
  };
  const choose = (index) => {
    list.children[chosen]?.setAttribute("aria-selected", "false");
    chosen = index;
    const option = list.children[index];
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  };
  const open = (section) => {
    close();
    input.blur();
    location.href = section.page + (section.anchor ? "#" + encodeURIComponent(section.anchor) : "");
  };

  const span = (className, ...content) => {
    const element = document.createElement("span");
    element.className = className;
    element.append(...content);
    return element;
  };
  // The text around the first word that was found, with what was found marked.
  const excerpt = ({ text, terms }) => {
    const any = new RegExp(`(?<![\\p{L}\\p{N}_])(?:${terms.join("|")})(?![\\p{L}\\p{N}_])`, "giu"); // terms are letters, digits and _
    const from = Math.max(0, text.search(any) - 40);
    const start = from === 0 ? 0 : text.indexOf(" ", from) + 1;
    const end = start + 150 < text.length ? text.lastIndexOf(" ", start + 150) : text.length;
    const shown = text.slice(start, Math.max(end, start + 100)); // a word may be long
    const parts = [start > 0 ? "… " : ""];
    let last = 0;
    for (const match of shown.matchAll(any)) {
      const mark = document.createElement("mark");
      mark.textContent = match[0];
      parts.push(shown.slice(last, match.index), mark);
      last = match.index + match[0].length;
    }
    parts.push(shown.slice(last), start + shown.length < text.length ? " …" : "");
    return parts;
  };
  const show = (results) => {
    close();
    found = results.slice(0, most);
    list.replaceChildren(...found.map((section, i) => {
      const option = document.createElement("li");
      option.id = `result-${i}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.append(span("name", section.heading ?? section.title), " ", span("from", section.heading ? section.title : ""), " ", span("excerpt", ...excerpt(section)));
      option.addEventListener("click", () => open(section));
      return option;
    }));
    status.textContent = { 0: "Nothing found", 1: "1 section" }[results.length] ?? `${results.length} sections`;
    box.classList.toggle("nothing", results.length === 0);
    if (found.length === 0) return;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    choose(0);
  };
  const search = async () => {
    const query = input.value.trim();
    if (query === "") {
      close();
      status.textContent = "";
      box.classList.remove("nothing");
      return;
    }
    try {
      const { search } = await start();
      if (query === input.value.trim() && box.contains(document.activeElement)) show(search(query));
    } catch (error) {
      engine = undefined; // the next try loads again
      status.textContent = `The search could not be loaded: ${error.message}`;
      box.classList.add("nothing");
    }
  };

  input.addEventListener("focus", () => start().catch(() => {})); // search says what is wrong
  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.isComposing) return;
    if (step && list.hidden) search();
    else if (step) choose((chosen + step + found.length) % found.length);
    else if (event.key === "Enter" && !list.hidden) open(found[chosen]);
    else if (event.key === "Escape" && list.hidden) input.blur();
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
  box.addEventListener("focusout", close);
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    input.focus();
    input.select();
  });
  box.hidden = false;
})();
