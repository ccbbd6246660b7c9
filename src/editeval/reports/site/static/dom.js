"use strict";
/* Elements, addresses and numbers. What comes from a run becomes a text node, never markup. */
(() => {
  // control, invisible and direction-changing characters: they would steer a reader's eye
  const UNPRINTABLE =
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
  const { t } = ui;

  const clean = (value) =>
    String(value ?? "").replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

  /** h("p.soft", {title}, "text", node): an element. Strings are text; null, false and "" are nothing. */
  const h = (tag, props, ...children) => {
    const [name, ...classes] = tag.split("."), node = document.createElement(name);
    node.classList.add(...classes);
    for (const [key, value] of Object.entries(props ?? {})) {
      if ((value ?? false) === false) continue;
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (key === "value") node.value = value;
      else node.setAttribute(key, clean(value));
    }
    node.append(...children.flat(9).filter((c) => c || c === 0).map((c) => (c instanceof Node ? c : clean(c))));
    return node;
  };

  const pairs = (entries) => h("dl.pairs", {}, entries.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, t(name)), h("dd", {}, value))));
  const tag = (why) => h(`span.tag.is-${why}`, { title: t(why) }, t(why));

  /** A copy of a template, in the present language and with its controls bound. */
  const clone = (id) => {
    const node = document.getElementById(`${id}-template`).content.firstElementChild.cloneNode(true);
    bind(node);
    return node;
  };

  /** Words, links and controls in `root` say and do what their attributes name (see page.html). */
  function bind(root) {
    ui.translate(root);
    for (const node of root.querySelectorAll("[data-state], [data-go], [data-find]")) {
      const { state, go, find } = node.dataset;
      const patch = { ...(find && { ...ui.FILTERS, id: "" }), ...Object.fromEntries(new URLSearchParams(go ?? find)) };
      const isNow = Object.entries(patch).every(([name, value]) => ui.state[name] === value);
      if (state) {
        node.value = ui.state[state];
        node.addEventListener(node.tagName === "SELECT" ? "change" : "input", () => ui.go({ [state]: node.value }));
      } else if (node.tagName === "A") {
        node.href = ui.hash(patch);
        node.ariaCurrent = isNow ? "page" : null;
      } else {
        if (go) node.ariaPressed = isNow;
        node.addEventListener("click", () => ui.go(patch));
      }
    }
  }

  /** [[value, text]] as the options of a bound select; fewer than two choices are no choice. */
  const options = (select, choices) => {
    select.replaceChildren(...choices.map(([value, text]) => h("option", { value }, text)));
    select.value = ui.state[select.dataset.state];
    select.hidden = choices.length < 2;
  };

  const fixed = (value) => value.toFixed(Math.max(2, Math.min(4, 1 - value.toExponential(1).split("e")[1]))).replace(/^-(?=[0.]*$)/, "");
  const duration = (seconds) => (seconds === null ? "" : `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`);

  /** Beside a command or a configuration: a button that copies it. */
  const copier = (node) => {
    const onclick = ({ target }) => {
      getSelection().selectAllChildren(node.firstElementChild);
      document.execCommand("copy");  // the clipboard API needs a secure origin, which file: is not
      target.textContent = t("copied");
    };
    node.append(h("button.quiet", { "data-t": "copy", onclick }, t("copy")));
    return node;
  };

  Object.assign(ui, { h, clean, pairs, tag, bind, clone, options, fixed, duration, copier });

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
  /** "source_2" in words. */
  ui.role = (role) => role.split("_").map((part) => t(part)).join(" ");
  /** A thumbnail, or a word for why there is none. */
  ui.picture = (run, row, role) => {
    const src = ui.thumb(run, row?.[role]);
    if (src) return h("img", { src, alt: `${ui.role(role)}: ${row.instruction}`, loading: "lazy", decoding: "async", draggable: "false" });
    if (role === "edited" && row?.status !== "done") return h("div.nothing", {}, t(row?.status ?? "absent"));
    const note = row?.notes?.[role] ?? "no_picture";
    return h("div.nothing", {}, /^[a-z_]+$/.test(note) ? t(note) : note);
  };
  ui.score = (run, row, metric) => {
    const value = ui.value(run, row, metric);
    if (value !== null) return h("b.value", {}, ui.fixed(value));
    return h("b.value.none", {}, row?.reason ?? row?.whys?.[ui.metric_at(run, metric)] ?? "-");
  };
})();
