"use strict";
/* First page, second half: time, your ratings beside the judge's scores, the judge's certificate, where all came from. */
(() => {
  const { h, t, table, pairs, fixed, share, duration } = ui;
  const PHASES = ["load_s", "edit_s", "both_s", "swap_s", "judge_s"];

  ui.sections = (run) => [time(run), ratings(run), certificate(run), provenance(run)];
  const section = (title, ...content) => ui.section(title, h("div.card", {}, content));

  function time({ info: { timeline, timing, policies, run } }) {
    if (!timeline.lanes) return null;
    const phases = PHASES.map((name) => [name.slice(0, -2), timeline.phases[name], `${t(name)} ${duration(timeline.phases[name])}`]);
    const lane = (one) => ({ name: ui.lane(one), filled: one.busy_s, total: one.busy_s + one.idle_s, value: duration(one.busy_s),
      note: `${t("idle")} ${duration(one.idle_s)}, ${t("load_s")} ${duration(one.load_s)}, ${one.num_requests} ${t("requests")}` });
    const used = policies.find((one) => one.policy === run.policy);
    const policy = (one) => {
      const change = used ? one.makespan_s / used.makespan_s - 1 : 0;
      const compared = Math.abs(change) < 0.0005 ? t("same") : t(change < 0 ? "less" : "more", share(Math.abs(change)));
      return { name: one.policy, total: one.makespan_s, filled: one.makespan_s * (1 - one.idle_fraction), value: duration(one.makespan_s),
        note: `${one === used ? t("used_here") : compared}, ${t("idle")} ${share(one.idle_fraction)}`, used: one === used };
    };
    return section("time_title", h("p.big", {}, duration(timing.wall_s ?? timeline.seconds), h("small", {}, ` ${t("wall")}`)), ui.stacked(phases, t("time_title")),
      h("h3", {}, t("gantt")), h("div.wide", { tabindex: 0 }, ui.gantt(timeline)),
      h("p.soft.note", {}, t("gantt_key"), timeline.pauses.map((pause) => ` ${t("pause", duration(pause.seconds))}.`)),
      timeline.lanes.length <= 24 && ui.bars(timeline.lanes.map(lane)), policies.length > 0 && [h("h3", {}, t("policies")), ui.bars(policies.map(policy))]);
  }

  function ratings(run) {
    const found = ui.agreement(run), controls = ui.clone("ratings");
    controls.querySelector(".export").onclick = ui.export_ratings;
    controls.querySelector("span").append(t(ui.served ? "saved_run" : "saved_here"));
    if (!found.num) return section("ratings_title", h("p.soft", {}, t("ratings_none")), controls);
    const rho = found.rho === null ? t("too_few") : `${fixed(found.rho)}${found.interval ? ` (${ui.span(...found.interval)})` : ""}, n = ${found.n}`;
    return section("ratings_title", pairs([["rated", `${found.num}; ${t("blindly", found.num_blind)}`], [t("rank_agreement", run.info.headline), rho],
      ["pair_agreement", found.in_order === null ? t("too_few") : `${share(found.in_order)}, ${t("pairs", found.num_pairs)}`],
      ["wrong", h("a", { href: ui.hash({ page: "grid", ...ui.FILTERS, show: "wrong" }) }, found.num_wrong)]]), controls);
  }

  function certificate({ info: { certificate: one, headline, run } }) {
    if (!headline) return null;
    const [, ...others] = run.judgings ?? [], lines = others.map((judging) => h("p.soft", {}, `${judging.name}: ${judging.certificate?.line ?? t("no_certificate")}`));
    if (!one) return section("certificate_title", h("p.soft", {}, t("no_certificate")), lines);
    const checks = (one.checks ?? []).filter((check) => check.status !== "not applicable");
    const cell = (value) => (typeof value === "number" ? +value.toFixed(3) : value ?? "-");
    const names = ["name", "metric", "value", "num_compared", "required", "status"];
    return section("certificate_title", h("p", {}, h(`span.badge.${one.verdict === "certified" ? "valid" : "invalid"}`, {}, t(one.verdict)), " ",
      t("passed_of", checks.filter((check) => ["passed", "warned"].includes(check.status)).length, checks.length)),
      lines, h("details", { open: one.verdict !== "certified" && "" }, h("summary", {}, t("checks")), h("div.wide", {}, table("", ["check", "metric", "value", "n", "required", "status"], checks.map((check) => names.map((name) => cell(check[name])))))));
  }

  function provenance({ info: { provenance: facts, commands, config, run, written_at } }) {
    const shown = (value) => (typeof value === "object" ? JSON.stringify(value, null, 1) : value);
    const known = Object.entries(facts).filter(([name, value]) => value !== null && name !== "argv");
    return section("provenance", commands.again && [h("p.soft", {}, t("made_by")), ui.copyable(commands.again)],
      h("details", {}, h("summary", {}, t("config")), ui.copyable(config, "pre")),
      h("details", {}, h("summary", {}, t("facts")), pairs([["run", run.id], ["written", ui.moment(written_at)], ...known.map(([name, value]) => [name, h("pre", {}, shown(value))])])));
  }
})();
