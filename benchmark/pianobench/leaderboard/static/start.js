// Runs before anything is drawn: which theme, and that scripts run at all.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("scripted");
  try {
    const theme = localStorage.getItem("pianobench-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Some browsers keep nothing for pages opened from disk.
  }
  // Whatever stops the script leaves the plain tables to read.
  addEventListener("error", () => root.classList.contains("ready") || root.classList.remove("scripted"));
})();
