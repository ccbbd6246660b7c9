"use strict";
/* What is shown is in the address after #, so that a link shows it again. */
(() => {
  ui.FILTERS = { q: "", cat: "", show: "", model: "", min: "", max: "", metric: "", sort: "order" };
  const DEFAULTS = {
    page: "summary", run: "0", ...ui.FILTERS, id: "", column: "",
    mode: "side", base: "source", gain: "4", cut: "50", z: "", blind: "",
  };
  const WHOLE = /^\d+$/, NUMBER = /^-?\d+(\.\d+)?$/;
  /** What an address may say; anything else in it is as if it were not there. */
  const SHAPES = {
    page: /^(summary|grid|compare)$/, mode: /^(side|slider|blink|diff)$/, sort: /^(order|worst|best|gap|slow)$/, run: WHOLE, model: WHOLE, column: WHOLE,
    min: NUMBER, max: NUMBER, gain: NUMBER, cut: NUMBER, z: /^[\d.,-]+$/, blind: /^1$/, show: /^\w+$/,
  };
  const root = document.documentElement;

  function parsed() {
    const found = new URLSearchParams(location.hash.slice(1));
    const said = (name) => (SHAPES[name]?.test(found.get(name) ?? "") === false ? null : found.get(name));
    return Object.fromEntries(Object.entries(DEFAULTS).map(([name, value]) => [name, said(name) ?? value]));
  }

  ui.hash = (patch) => {
    const wanted = Object.entries({ ...ui.state, ...patch }).map(([name, value]) => [name, String(value)]);
    return `#${new URLSearchParams(wanted.filter(([name, value]) => value !== DEFAULTS[name]))}`;
  };

  /** Change part of the state. Only another page is an entry in the history. */
  ui.go = (patch) => {
    const isNewPage = "page" in patch && patch.page !== ui.state.page;
    history[isNewPage ? "pushState" : "replaceState"](null, "", ui.hash(patch));
    changed();
  };

  function changed() {
    const before = ui.state;
    ui.state = parsed();
    ui.moved(before);
  }

  ui.state = parsed();
  addEventListener("popstate", changed);

  /** What this browser remembers; one that forbids it forgets. */
  const stored = (use) => {
    try {
      return use(localStorage);
    } catch {
      return null;
    }
  };
  ui.recall = (key) => stored((kept) => kept.getItem(`editeval:${key}`));
  ui.remember = (key, value) => stored((kept) => (kept.setItem(`editeval:${key}`, value), true));

  ui.set_language = (language) => {
    ui.language = root.lang = language;
    ui.remember("language", ui.language);
  };
  ui.set_theme = (theme) => {
    root.dataset.theme = theme;
    ui.remember("theme", theme);
  };
  ui.is_dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);

  const theme = ui.recall("theme");
  if (theme) root.dataset.theme = theme;
  ui.language = root.lang = (ui.recall("language") ?? navigator.language).startsWith("zh") ? "zh" : "en";
})();
