"use strict";
/* The frame of every page: head, keys, messages; draws what the address says. */
(() => {
  const { h } = ui;
  const PAGES = ["summary", "grid", "compare"];
  const root = document.querySelector(".app"), name = root.querySelector(".name").textContent, note = h("p.message", { role: "status" });
  let update = null;

  ui.complain = (text) => note.replaceChildren(ui.clean(text));

  ui.draw = () => {
    const focused = document.activeElement?.id, scrolled = scrollY, { page } = ui.state;
    ui.keys = {};
    root.replaceChildren(header());
    if (page === "summary" || ui.runs.every((run) => run.info)) update = ui.pages[page](root);
    else root.append(h("main.none", { id: "main" }, ui.t("loading")));
    if (focused) document.getElementById(focused)?.focus();
    scrollTo(0, scrolled);
    root.dataset.ready = String(Boolean(ui.complete));
  };

  function header() {
    const head = ui.clone("header"), find = (name) => head.querySelector(name), theme = ui.is_dark() ? "light" : "dark";
    find(".name").append(name);
    find(".skip").onclick = () => (document.querySelector("main :is(a, button, input, [tabindex])")?.focus(), false);
    find("#theme").replaceChildren(ui.t(theme));
    find("#theme").onclick = () => (ui.set_theme(theme), ui.draw());
    find("#language").onclick = () => (ui.set_language(ui.language === "zh" ? "en" : "zh"), ui.draw());
    find("#help").onclick = help;
    return head;
  }

  function help() {
    const dialog = document.querySelector("dialog");
    ui.translate(dialog);
    dialog.showModal();
  }

  const GLOBAL = {
    Escape: () => ui.state.page === "compare" && ui.go({ page: "grid" }),
    p: () => ui.go({ page: PAGES[(PAGES.indexOf(ui.state.page) + 1) % PAGES.length] }),
    "/": () => (ui.state.page !== "grid" && ui.go({ page: "grid" }), document.getElementById("search").focus()),
  };
  addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (target.matches("textarea, select, input:not([type=range])")) return void (key === "Escape" && target.blur());
    if (target.matches("button, a, summary") && [" ", "Enter"].includes(key)) return;
    if (target.matches("[type=range]") && key.startsWith("Arrow")) return;
    const action = ui.keys[event.shiftKey && key.startsWith("Arrow") ? `Shift${key}` : key] ?? GLOBAL[key];
    const button = [...root.querySelectorAll("button")].find(({ title }) => title === key);
    if (!action && !button) return;
    event.preventDefault();
    if (action) action();
    else button.click();
  });
  addEventListener("keyup", ({ key }) => key === " " && ui.keys.released?.());

  /** A change of zoom or slider draws itself; a page that can update itself does. */
  ui.moved = (before) => {
    const changed = Object.keys(before).filter((name) => ui.state[name] !== before[name]);
    if (!changed.includes("page") && update) return update();
    if (changed.every((name) => name === "z" || name === "cut")) return;
    if (changed.includes("page")) scrollTo(0, 0);
    ui.draw();
  };

  document.body.append(note);
  ui.draw();
  ui.load().catch((error) => ui.complain(error.message));
})();
