"use strict";
/* Second page: one row per sample, one column per picture. Only the rows in sight exist. */
(() => {
  const { h, t } = ui;
  const ROW = 196, SPARE = 3, TALLEST = 8e6;  // px; browsers cut off what is much taller

  ui.pages.grid = (root) => {
    const page = ui.clone("grid"), list = page.querySelector(".rows"), head = page.querySelector(".head");
    const columns = columnsOf();
    root.append(page);
    toolbar(page);
    page.style.setProperty("--columns", columns.length);
    head.append(...["sample", ...columns.map(([name]) => name)].map((name) => h("span", {}, t(name))));
    list.onscroll = schedule;
    list.onkeydown = pressed;
    let shown = [], isWaiting = false;

    /** With very many samples one pixel of scrolling is more than one pixel of rows. */
    const scale = () => Math.max(1, (shown.length * ROW) / TALLEST);
    const chosen = () => shown.findIndex((sample) => sample.id === ui.state.id);

    function update() {
      shown = ui.listed();
      list.querySelector(".space").style.height = `${Math.min(shown.length * ROW, TALLEST)}px`;
      page.querySelector("output").textContent = t("shown", shown.length, ui.samples.length);
      list.querySelector(".none")?.remove();
      if (!shown.length) list.append(h("p.none", {}, t(ui.complete ? "nothing_matches" : "loading")));
      page.style.setProperty("--bar", `${list.offsetWidth - list.clientWidth - 2}px`);
      page.querySelectorAll("[data-state]").forEach((node) => node !== document.activeElement && (node.value = ui.state[node.dataset.state]));
      schedule();
    }

    function schedule() {
      if (!isWaiting) requestAnimationFrame(paint);
      isWaiting = true;
    }

    function paint() {
      isWaiting = false;
      const top = list.scrollTop * scale(), first = Math.max(0, Math.floor(top / ROW) - SPARE);
      const old = new Map([...list.querySelectorAll(".row")].map((node) => [node.id, node]));
      shown.slice(first, first + Math.ceil(list.clientHeight / ROW) + 2 * SPARE).forEach((sample, i) => {
        const node = old.get(`row-${sample.position}`) ?? row(sample);
        old.delete(node.id);
        node.style.transform = `translateY(${(first + i) * ROW + list.scrollTop - top}px)`;
        node.setAttribute("aria-selected", sample.id === ui.state.id);
        if (!node.isConnected) list.append(node);
      });
      old.forEach((node) => node.remove());
      list.setAttribute("aria-activedescendant", chosen() < 0 ? "" : `row-${shown[chosen()].position}`);
    }

    function row(sample) {
      const text = h("div.text", {}, h("code", {}, sample.id), h("span.soft", {}, ui.category(sample.category)),
        h("p.instruction", { dir: "auto" }, sample.instruction));
      const open = (event) => ui.go({ page: "compare", id: sample.id, column: event.target.closest("[data-column]")?.dataset.column ?? "" });
      return h("div.row", { role: "option", id: `row-${sample.position}`, onclick: open }, text, columns.map((column, at) => cell(sample, column, at)));
    }

    function cell(sample, [, run, role], at) {
      const mine = sample.rows[run.index], shownRow = role === "edited" ? mine : mine ?? sample.rows.find(Boolean);
      const roles = role === "source" && shownRow ? ["source", ...shownRow.more] : [role];
      const pictures = roles.map((one) => ui.picture(run, shownRow, one));
      return h("div.cell", { "data-column": at }, pictures.length > 1 ? h("div.several", {}, pictures) : pictures, role === "edited" && mine && verdict(run, mine));
    }

    function verdict(run, row) {
      const rating = ui.rating(run, row.id), [first, ...more] = row.complaints;
      return h("p.verdict", {}, run.info.headline && ui.score(run, row, ui.state.metric),
        rating && h("span.tag", {}, rating.verdict ? t(rating.verdict) : rating.stars ? t("stars", rating.stars) : "✎"),
        first && ui.tag(first), more.length > 0 && h("span.tag.count", { title: more.map((why) => t(why)).join(", ") }, `+${more.length}`));
    }

    /** Arrows and the like move the chosen row and bring it into sight. */
    function pressed(event) {
      const at = chosen(), sight = Math.max(1, Math.floor(list.clientHeight / ROW));
      const next = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + sight, PageUp: at - sight, Home: 0, End: shown.length - 1 }[event.key];
      if (event.key === "Enter" && at >= 0) ui.go({ page: "compare" });
      else if (next === undefined || !shown.length) return;
      else ui.go({ id: shown[Math.max(0, Math.min(shown.length - 1, next))].id });
      event.preventDefault();
      reveal();
    }
    function reveal() {
      const top = chosen() * ROW, sight = list.scrollTop * scale();
      if (top < sight) list.scrollTop = top / scale();
      if (top + ROW > sight + list.clientHeight) list.scrollTop = (top + ROW - list.clientHeight) / scale();
    }

    update();
    if (chosen() > 0) reveal();
    list.focus({ preventScroll: true });
    return update;
  };

  /** [title, run, role] of every column of pictures. */
  function columnsOf() {
    const [run] = ui.runs, hasTarget = ui.runs.some(({ info }) => info.has_target);
    const edits = ui.runs.map((one) => [ui.called(one), one, "edited"]);
    return [["source", run, "source"], ...(hasTarget ? [["target", run, "target"]] : []), ...edits];
  }

  function toolbar(page) {
    const [run] = ui.runs, select = (name, choices) => ui.options(page.querySelector(`[data-state=${name}]`), choices);
    const isSeveral = ui.runs.length > 1;
    select("cat", [["", t("all_categories")], ...[...new Set(ui.samples.map((sample) => sample.category))].map((name) => [name, ui.category(name)])]);
    select("model", isSeveral ? [["", t("any_run")], ...ui.runs.map((one) => [String(one.index), ui.called(one)])] : []);
    select("metric", ui.metrics(run));
    if (!isSeveral && ui.judges(run).length < 2) page.querySelector("[value=gap]").remove();
  }
})();
