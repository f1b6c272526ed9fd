// Slides by keyboard or by button, a clock and the speaker's notes; without this file the
// slides are one long page.
(() => {
  "use strict";
  const slides = [...document.querySelectorAll(".slide")];
  const place = document.getElementById("place");
  let current = 0;

  const arrive = (index) => {
    current = index;
    place.textContent = `${index + 1} of ${slides.length}`;
    history.replaceState(null, "", "#" + slides[index].id);
  };
  const go = (index) => {
    arrive(Math.min(Math.max(index, 0), slides.length - 1));
    slides[current].scrollIntoView({ behavior: "instant" });
  };
  const next = () => {
    const answer = slides[current].querySelector(".waiting");
    if (answer) answer.classList.remove("waiting");
    else go(current + 1);
  };

  // What a cell printed is for after the class's guess.
  for (const slide of slides) {
    if (slide.querySelector("blockquote")) slide.querySelector(".output")?.classList.add("waiting");
  }

  const notes = document.getElementById("notes");
  const toggleNotes = () => {
    const all = [...document.querySelectorAll("details.notes")];
    const open = !all.every((details) => details.open);
    for (const details of all) details.open = open;
    notes.setAttribute("aria-pressed", open);
    slides[current].scrollIntoView({ behavior: "instant" });
  };

  const clock = document.getElementById("clock");
  const planned = Number(clock.dataset.minutes);
  let seconds = 0;
  let ticking;
  const showClock = () => {
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    clock.textContent = planned ? `${time} of ${planned} min` : time;
    clock.classList.toggle("late", planned > 0 && seconds > 60 * planned);
    clock.setAttribute("aria-label", `Clock, ${ticking ? "runs" : "stands"}: ${clock.textContent}`);
  };
  const toggleClock = () => {
    if (ticking) ticking = clearInterval(ticking);
    else {
      ticking = setInterval(() => {
        seconds++;
        showClock();
      }, 1000);
    }
    showClock();
  };

  const keys = {
    ArrowRight: next, PageDown: next, " ": next,
    ArrowLeft: () => go(current - 1), PageUp: () => go(current - 1),
    Home: () => go(0), End: () => go(slides.length - 1),
    n: toggleNotes, t: toggleClock,
    f: () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    if (event.key === " " && event.target.closest("a, button, summary")) return;
    if (event.key.startsWith("Arrow") && event.target.closest("pre[tabindex]")) return; // it scrolls
    event.preventDefault();
    keys[event.key]();
  });
  const forward = document.getElementById("next");
  forward.addEventListener("click", next);
  notes.addEventListener("click", toggleNotes);
  notes.title = "N";
  clock.addEventListener("click", toggleClock);
  clock.title = "T";

  // Whoever scrolls by hand is somewhere, too: where now, as what the observer has
  // seen may be past when it tells.
  const seen = new IntersectionObserver(() => {
    const here = slides.findIndex((slide) => slide.getBoundingClientRect().bottom > innerHeight / 2);
    if (here >= 0) arrive(here);
  }, { rootMargin: "-50% 0px" });
  for (const slide of slides) seen.observe(slide);

  forward.hidden = notes.hidden = clock.hidden = false;
  showClock();
  go(Math.max(0, slides.findIndex((slide) => "#" + slide.id === location.hash)));
})();
