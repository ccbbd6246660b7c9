"use strict";
/* Elements, addresses and numbers. What comes from a run becomes a text node, never markup. */
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  // control, invisible and direction-changing characters: a reader's eye must not be steered by an instruction
  const UNPRINTABLE =
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
  const { t } = ui;

  const clean = (value) =>
    String(value ?? "").replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

  function filled(node, classes, props, children) {
    if (classes) node.setAttribute("class", classes);
    for (const [name, value] of Object.entries(props ?? {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "value") node.value = value;
      else node.setAttribute(name, clean(value));
    }
    node.append(...children.flat(9).filter((c) => c || c === 0).map((c) => (c instanceof Node ? c : clean(c))));
    return node;
  }

  /** h("p.soft", {title}, "text", node): an element. Strings are text; null, false and "" are nothing. */
  const h = (tag, props, ...children) => {
    const [name, ...classes] = tag.split(".");
    return filled(document.createElement(name), classes.join(" "), props, children);
  };
  /** The same for SVG. */
  const s = (tag, props, ...children) => {
    const [name, ...classes] = tag.split(".");
    return filled(document.createElementNS(SVG, name), classes.join(" "), props, children);
  };

  /** A table: `names` are words of its head, the first cell of every row is the row's head. */
  const table = (kind, names, rows) =>
    h(`table.plain.${kind}`, {},
      h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, typeof name === "string" ? t(name) : name)))),
      h("tbody", {}, rows.map(([first, ...cells]) =>
        h(`tr.${first.kind ?? ""}`, {}, h("th", { scope: "row" }, first.cell ?? first), cells.map((cell) => h("td", {}, cell))))));

  const pairs = (entries) => h("dl.pairs", {}, entries.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, t(name)), h("dd", {}, value))));
  const meter = (value) => value !== null && h("meter", { min: 0, max: 10, value, "aria-hidden": "true" });
  const tag = (why) => h(`span.tag.is-${why}`, { title: t(why) }, t(why));

  /** A copy of a template with its words, its controls bound to the state that they name. */
  const clone = (id) => {
    const node = document.getElementById(`${id}-template`).content.firstElementChild.cloneNode(true);
    [node, ...node.querySelectorAll("*")].forEach(bind);
    return node;
  };

  function bind(node) {
    const { t: word, label, state, go } = node.dataset;
    if (node.tagName === "BUTTON" && !node.hasAttribute("type")) node.type = node.closest("form[method]") ? "submit" : "button";
    if (word) node.append(t(word));
    if (label) node.setAttribute("placeholder" in node ? "placeholder" : "aria-label", t(label));
    if (label) node.ariaLabel = t(label);
    if (state) node.value = ui.state[state];
    if (state) node.addEventListener(node.tagName === "SELECT" ? "change" : "input", () => ui.go({ [state]: node.value }));
    if (go) {
      const patch = Object.fromEntries(new URLSearchParams(go));
      const isNow = Object.entries(patch).every(([name, value]) => ui.state[name] === value);
      if (node.tagName === "A") node.href = ui.hash(patch);
      else node.addEventListener("click", () => ui.go(patch));
      if (isNow) node.setAttribute(node.tagName === "A" ? "aria-current" : "aria-pressed", node.tagName === "A" ? "page" : "true");
    }
  }

  /** [[value, text]] as the options of a bound select; fewer than two choices are no choice. */
  const options = (select, choices) => {
    select.replaceChildren(...choices.map(([value, text]) => h("option", { value }, text)));
    select.value = ui.state[select.dataset.state];
    select.hidden = choices.length < 2;
  };

  const fixed = (value, digits = 2) => (value === null || value === undefined ? "-" : value.toFixed(digits));
  const span = (low, high) => (low === null || high === null ? "-" : `${low.toFixed(2)} – ${high.toFixed(2)}`);
  const moment = (unix) => (unix ? new Date(unix * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC" : "-");
  /** Percent, never rounded to a full 100 or to 0 that it is not. */
  const share = (value) => {
    if (value === null || value === undefined) return "-";
    const shown = value === 0 || value === 1 ? value : Math.min(0.999, Math.max(0.001, value));
    return `${(shown * 100).toFixed(1).replace(/\.0$/, "")} %`;
  };
  const duration = (seconds) => {
    if (seconds === null || seconds === undefined) return "-";
    if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
    const two = (n) => String(n).padStart(2, "0"), minutes = Math.floor(Math.round(seconds) / 60);
    return minutes < 60 ? `${minutes} min ${two(Math.round(seconds) % 60)} s` : `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  };

  /** A command or a configuration with a button that copies it. */
  const copyable = (text, kind = "code") => {
    const copy = () => {
      getSelection().selectAllChildren(shown);
      document.execCommand("copy");  // the clipboard API needs a secure origin, which file: is not
      button.textContent = t("copied");
    };
    const shown = h(kind, { tabindex: 0 }, text), button = h("button.quiet", { type: "button", onclick: copy }, t("copy"));
    return h("div.copyable", {}, shown, button);
  };

  Object.assign(ui, { h, s, clean, table, pairs, meter, tag, clone, options, fixed, span, moment, share, duration, copyable });

  /** Address of a thumbnail or a full-size picture of a run; null for anything not named as we name files. */
  ui.thumb = (run, picture) => {
    if (!picture || !/^[0-9a-f]{32}$/.test(picture[0])) return null;
    return ui.embedded ? ui.thumbs.get(picture[0]) ?? null : `${run.root}report/thumbs/${picture[0]}.webp`;
  };
  ui.full = (run, row, role) => {
    const picture = row?.[role];
    if (!picture || ui.embedded) return ui.thumb(run, picture);
    if (role === "edited") return /^edits\/[\w-]+\.png$/.test(row.path) ? run.root + row.path : null;
    return ui.thumb(run, picture) && /^\w+$/.test(picture[1]) ? `${run.root}report/pictures/${picture[0]}.${picture[1]}` : null;
  };
  /** A thumbnail, or a word for why there is none. */
  ui.picture = (run, row, role) => {
    const src = ui.thumb(run, row?.[role]);
    if (src) return h("img", { src, alt: `${t(role)}: ${row.instruction}`, loading: "lazy", decoding: "async", draggable: "false" });
    return h("div.nothing", {}, role === "edited" && row?.status !== "done" ? t(row?.status ?? "absent") : t("no_picture"));
  };
  ui.score = (run, row, metric) => {
    const value = ui.value(run, row, metric);
    if (value !== null) return h("b.value", {}, fixed(value));
    return h("b.value.none", {}, row?.reason ?? row?.whys?.[ui.metric_at(run, metric)] ?? "-");
  };
})();
