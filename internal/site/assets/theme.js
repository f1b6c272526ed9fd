// Sets the reader's theme before the page is painted. Storage may be refused,
// from file:// above all; then the system's theme counts.
"use strict";
try {
  const theme = localStorage.getItem("manyhands-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {}
