"use strict";
/* First page: already in the document. It gets its links, its language, and what people think of the edits. */
(() => {
  const { h, t } = ui;
  const together = document.querySelector(".runs"), pages = [...document.querySelectorAll("main.summary")];
  document.querySelectorAll(".copyable").forEach(ui.copier);

  ui.pages = {};
  ui.pages.summary = (root) => {
    const run = ui.runs[ui.state.run] ?? ui.runs[0], page = pages[run.index], place = page.querySelector(".ratings");
    place.hidden = !run.info;
    if (run.info) place.lastElementChild.replaceChildren(...ratings(run));
    if (together) page.prepend(together);
    ui.bind(page);
    root.append(page);
  };

  function ratings(run) {
    const found = ui.agreement(run), controls = ui.clone("ratings");
    controls.querySelector(".export").onclick = ui.export_ratings;
    controls.querySelector("span").append(t(ui.served ? "saved_run" : "saved_here"));
    if (!found.num) return [h("p.soft", {}, t("ratings_none")), controls];
    const interval = found.interval ? ` (${found.interval.map(ui.fixed).join(" – ")})` : "";
    const entries = [
      ["rated", `${found.num}; ${t("blindly", found.num_blind)}`],
      [t("rank_agreement", run.info.headline), found.rho === null ? t("too_few") : `${ui.fixed(found.rho)}${interval}, n = ${found.n}`],
      ["pair_agreement", found.in_order === null ? t("too_few") : `${(found.in_order * 100).toFixed(1)} %, ${t("pairs", found.num_pairs)}`],
      ["wrong", h("a", { "data-find": "page=grid&show=wrong" }, found.num_wrong)],
    ];
    return [ui.pairs(entries), controls];
  }
})();
