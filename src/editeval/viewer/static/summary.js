"use strict";
/* First page, first half: the result and what it is worth, what went wrong and why, scores by category. */
(() => {
  const { h, t, table, pairs, tag, fixed, span, share } = ui;
  const ICONS = { valid: "✓", invalid: "✕" };
  const MEANS = { valid: "valid_means", invalid: "invalid_means" };
  const WHOLE = ["macro", "micro"];

  ui.pages = {};
  ui.pages.summary = (root) => {
    const run = ui.runs[ui.state.run] ?? ui.runs[0];
    const parts = [ui.runs.length > 1 && leaderboard(), result(run), wrong(run), scores(run), ui.sections(run)];
    root.append(h("main.summary", { id: "main" }, parts, h("footer.soft", {}, t("footer"))));
  };

  ui.section = (title, ...content) => h("section", {}, h("h2", {}, t(title)), content);
  const badge = ({ badge: word }) => h(`span.badge.${word in ICONS ? word : "warned"}`, {}, h("b", { "aria-hidden": "true" }, ICONS[word] ?? "!"), ` ${t(word)}`);
  const summary = (run, category, metric = run.info.headline) => run.info.summaries.find((one) => one.metric === metric && one.category === category);
  const link = (patch, ...children) => h("a", { href: ui.hash(patch) }, children);
  const filter = (patch) => ({ page: "grid", id: "", ...ui.FILTERS, sort: "worst", ...patch });

  function result(run) {
    const { info } = run, { coverage: c } = info, isJudged = Boolean(info.headline);
    const num = isJudged ? c.num_scored : c.num_edited;
    const parts = [[isJudged ? "scored" : "done", num], ["unscored", isJudged && c.num_unscored], ["failed", c.num_failed], ["pending", c.num_pending]];
    const judges = (info.run.judgings ?? []).map((one) => one.name).join(", ") || info.run.judge;
    const facts = { editor: info.run.editor, judge: judges, benchmark: info.run.benchmark, policy: info.run.policy, devices: (info.run.devices ?? []).join(", ") };
    return h("section.result", {},
      h("div.card.headline", {}, badge(info), h("p.soft", {}, t(MEANS[info.badge] ?? "warned_means")), number(run)),
      h("div.card", {}, h("h2", {}, t("coverage")),
        h("p.big", {}, share(num / (c.num_samples || 1)), " ", h("small", {}, t(isJudged ? "samples_scored" : "edits_made", num, c.num_samples))),
        ui.stacked(parts.map(([kind, n]) => [kind, n, `${n} ${t(kind)}`]), t("coverage")),
        info.warnings.length ? h("ul.warnings", {}, info.warnings.map((text) => h("li", {}, ui.warning(text)))) : h("p.soft", {}, t("no_warnings")),
        pairs([...Object.entries(facts).filter(([, value]) => value), ["created", ui.moment(info.run.created_at)]])));
  }

  function number(run) {
    const whole = summary(run, "micro"), macro = summary(run, "macro");
    if (!whole || whole.mean === null) return h("p.big", {}, t(run.info.headline ? "nothing_scored" : "no_judge"));
    return [h("p.score", {}, fixed(whole.mean), h("small", {}, ` ${t("of_ten")}`)), h("p", {}, h("b", {}, run.info.headline), `, ${t("mean_over")}`),
      pairs([whole.ci_low !== null && ["interval", span(whole.ci_low, whole.ci_high)],
        whole.num_scored < whole.num_samples && ["if_all", span(whole.lowest, whole.highest)], ["category_mean", fixed(macro?.mean)]])];
  }

  /** Several runs: the result of each, and the first against every other, sample by sample. */
  function leaderboard() {
    const [first, ...others] = ui.runs;
    const row = (run) => {
      const one = summary(run, "micro");
      return [[h(`i.key.c${run.index % 6}`), link({ run: run.index }, run.info.run.name), h("small.soft", {}, ` ${run.info.run.editor}`)], badge(run.info),
        fixed(one?.mean), one && span(one.ci_low, one.ci_high), share(run.info.coverage.scored), ui.duration(run.info.timing.edit_s)];
    };
    const against = (run) => {
      const both = ui.samples.map(({ rows }) => [ui.value(first, rows[first.index]), ui.value(run, rows[run.index])]).filter((two) => !two.includes(null));
      const count = (sign) => both.filter(([a, b]) => Math.sign(a - b) === sign).length;
      const mean = both.reduce((sum, [a, b]) => sum + a - b, 0) / both.length;
      return [`${first.info.run.name} – ${run.info.run.name}`, both.length, `${count(1)} / ${count(0)} / ${count(-1)}`, both.length ? fixed(mean) : "-"];
    };
    return ui.section("runs_title", ui.intersected && h("p.warnings", {}, t("left_out", ui.samples.length)), h("div.card.wide", {},
      table("", ["run", "status", "mean", "interval", "coverage", "edit_s"], ui.runs.map(row)),
      ui.complete && table("", ["paired_title", "count", "wins", "difference"], others.map(against))));
  }

  function wrong(run) {
    const { info } = run, model = ui.runs.length > 1 ? run.index : "";
    const isLow = (why) => ["missing", "spoilt", "damaged", "low"].includes(why);
    const cause = (one) => [t(one.stage), one.reason, one.count, [link({ page: "compare", id: one.example_id }, one.example_id), " ", one.example_message.slice(0, 300)]];
    return ui.section("why_title", h("p.soft", {}, info.complaints.length ? t("why_lead", info.num_samples) : t("all_well", info.low)),
      h("div.chips", {}, info.complaints.map(([why, n]) => h(`a.card.chip.is-${why}`, { href: ui.hash(filter({ show: why, model })) },
        h("b", {}, n), h("span", {}, t(why)), h("small.soft", {}, isLow(why) && t("below", info.low))))),
      info.causes.length > 0 && h("div.card.wide", {}, table("causes", ["stage", "reason", "count", "example"], info.causes.map(cause)),
        h("p.soft", {}, t("retry_with")), ui.copyable(info.commands.retry)),
      info.worst.length > 0 && [h("div.heading", {}, h("h3", {}, t("worst")), link(filter({ model }), t("see_all"), " →")), h("div.cards", {}, info.worst.map(([, row]) => card(run, row)))]);
  }

  function card(run, row) {
    const roles = ["source", "edited", ...(row.target ? ["target"] : [])];
    return h("a.card.sample", { href: ui.hash({ page: "compare", id: row.id, ...ui.FILTERS }) },
      h("div.pictures", {}, roles.map((role) => h("figure", {}, ui.picture(run, row, role), h("figcaption", {}, t(role))))),
      h("p.instruction", { dir: "auto" }, row.instruction), h("p.verdict", {}, ui.score(run, row), row.complaints.map(tag)));
  }

  const categories = (run) => [...new Set(run.info.summaries.map((one) => one.category).filter((c) => !WHOLE.includes(c))), ...WHOLE];

  /** Per category: how the headline is distributed, the statistics asked for, and the means of the other metrics. */
  function scores(run) {
    const { info } = run, others = info.metrics.slice(1);
    if (summary(run, "micro")?.mean === undefined) return null;
    const categories = [...new Set(info.summaries.map((one) => one.category).filter((name) => !WHOLE.includes(name))), ...WHOLE];
    const shown = ["mean", "std", "median", "min", "max"].filter((name) => info.statistics.includes(name));
    const all = Object.values(info.histograms), sums = all[0]?.map((_, i) => all.reduce((sum, bins) => sum + bins[i], 0)) ?? [];
    const row = (category) => {
      const one = summary(run, category), isWhole = WHOLE.includes(category), name = ui.category(category);
      const entries = ui.runs.map((r) => ({ summary: summary(r, category), colour: r.index % 6 })).filter((entry) => entry.summary);
      return [{ kind: isWhole ? "whole" : "", cell: isWhole ? name : link(filter({ cat: category }), name) },
        ui.strip(entries, category === "micro" ? sums : info.histograms[category] ?? []), ...shown.map((stat) => h("span", { class: stat }, fixed(one[stat]))),
        span(one.ci_low, one.ci_high), `${one.num_scored}/${one.num_samples}`, ...others.map((metric) => h("span.soft", {}, fixed(summary(run, category, metric)?.mean)))];
    };
    return ui.section("scores_title", h("div.card.wide", {}, table("scores", ["category", ui.axis(), ...shown, "interval", "n", ...others], categories.map(row)),
      h("p.soft.note", {}, t("scores_key"), " ", info.coverage.scored < 1 && t("bounds_key")),
      h("p.soft.note", {}, info.metrics.filter(ui.about).map((metric) => `${metric}: ${ui.about(metric)}`).join(" · "))));
  }
})();
