"use strict";
/* Beside the pictures: instruction, scores, your rating, what the judge said, how the edit came about. */
(() => {
  const { h, t, duration } = ui;

  ui.panel = (sample, { run, row, role }) => {
    const head = [h("h2", {}, t("instruction")), h("p.instruction.large", { dir: "auto" }, sample.instruction)];
    if (role !== "edited" || !row) return head;
    const more = h("div");
    if (!ui.state.blind) ui.detail(run, row).then((detail) => more.append(...details(run, row, detail)), (error) => ui.complain(error.message));
    const authors = (metric) => run.info.authors_names?.[metric]?.[sample.category];
    const scores = run.info.metrics.map((metric, index) => h("tr", {},
      h("th", { scope: "row", title: ui.about(metric) }, metric, authors(metric) && ` (${authors(metric)})`), h("td", {}, ui.score(run, row, metric)),
      h("td", {}, row.values[index] !== null && meter(run, metric, row.values[index]))));
    const result = ui.state.blind ? h("p.soft", {}, t("blind_hint")) : h("table.plain.components", {}, scores);
    return [...head, result, rating(run, sample), more, ui.embedded ? h("p.soft", {}, t("thumbs_only")) : ""];
  };

  function meter(run, metric, value) {
    const [min, max] = run.info.ends?.[metric] ?? [0, 10];  // empty: a scale without two ends
    return max !== undefined && h("meter", { min, max, value, "aria-hidden": "true" });
  }

  function rating(run, sample) {
    const node = ui.clone("rating"), now = ui.rating(run, sample.id) ?? {}, comment = node.querySelector("textarea");
    const set = new Set([now.verdict, String(now.stars), now.judge_wrong && "wrong"]);
    node.querySelectorAll("[data-rate]").forEach((button) => {
      button.ariaPressed = set.has(button.dataset.rate);
      button.onclick = () => ui.toggle_rating(run, sample.id, button.dataset.rate).then(ui.draw);
    });
    comment.value = now.comment ?? "";
    comment.onchange = () => ui.rate(run, sample.id, { comment: comment.value });
    return node;
  }

  function details(run, row, detail) {
    const replies = Map.groupBy(Object.entries(detail.raws ?? {}), ([, raw]) => raw);  // one reply may give several scores
    const size = (picture) => picture && `${picture[2]} × ${picture[3]}`;
    const facts = {
      seconds: duration(row.seconds), device: detail.device, worker: row.worker, attempt: row.attempt, seed: detail.seed,
      pixels: size(row.edited), source: size(row.source), cluster: detail.cluster, sha256: detail.sha256?.slice(0, 16),
    };
    const tries = (detail.history ?? []).map((one) => h("p.error", {},
      h("b", {}, `${t(one.stage)} ${one.attempt}: ${one.reason}`), ` ${one.device}, ${duration(one.seconds)} · ${one.message}`));
    const section = (name, found) => found.length > 0 && h("section", {}, h("h2", {}, t(name)), found);
    return [
      detail.message && h("p.error", {}, h("b", {}, row.reason), ` ${detail.message}`),
      section("reply", [...replies].map(([raw, scores]) =>
        [replies.size > 1 && h("h3", {}, scores.map(([name]) => name).join(", ")), h("pre", { tabindex: 0 }, raw)])),
      section("attempts", tries),
      ui.pairs(Object.entries(facts).filter(([, value]) => (value ?? "") !== "")),
      ui.copier(h("div.copyable", {}, h("code", { tabindex: 0 }, `${run.info.commands.show} '${row.id.replaceAll("'", "'\\''")}'`))),
    ].filter(Boolean);
  }
})();
