"use strict";
/* Drawings, as SVG in units of their view boxes. Score axes run from 0 to 10; nothing depends on colour alone. */
(() => {
  const { h, s, fixed, span, duration, t } = ui;
  const WIDTH = 260, EDGE = 8, BASE = 32, HIGH = 24, TICKS = [0, 2, 4, 6, 8, 10];
  const x = (score) => EDGE + (score / 10) * (WIDTH - 2 * EDGE);
  const rect = (kind, x, y, width, height, title) => s(`rect.${kind}`, { x, y, width: Math.max(width, 0.5), height }, title && s("title", {}, title));
  const line = (kind, x1, y1, x2, y2) => s(`line.${kind}`, { x1, y1, x2, y2 });
  const drawing = (kind, width, height, label, ...parts) =>
    s(`svg.${kind}`, { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: kind === "flat" && "none", role: "img", "aria-label": label }, parts);

  ui.axis = () => drawing("strip", WIDTH, 14, "0 – 10", TICKS.map((tick) => s("text", { x: x(tick), y: 11, "text-anchor": "middle" }, tick)));

  /** Scores of one category: a histogram (of one run), and for every run mean, interval, and bounds if some are missing. */
  ui.strip = (entries, bins) => {
    const height = BASE + 9 * entries.length - 4;
    const most = Math.max(...bins), wide = (WIDTH - 2 * EDGE) / bins.length;
    const bar = (count, i) => {
      const high = Math.max(2, (count / most) * HIGH);
      return count > 0 && rect("bin", EDGE + i * wide + 0.4, BASE - 4 - high, wide - 0.8, high, `${i / 5} – ${(i + 1) / 5}: ${count}`);
    };
    const mark = ({ summary: one, colour }, i) => one.mean !== null && s(`g.c${colour}`, {},
      one.num_scored < one.num_samples && line("bounds", x(one.lowest), BASE + 9 * i, x(one.highest), BASE + 9 * i),
      one.ci_low !== null && line("interval", x(one.ci_low), BASE + 9 * i, x(one.ci_high), BASE + 9 * i),
      s("circle", { cx: x(one.mean), cy: BASE + 9 * i, r: 4 }));
    const label = entries.map(({ summary: one }) => `${fixed(one.mean)} (${span(one.ci_low, one.ci_high)})`).join("; ");
    return drawing("strip", WIDTH, height, label, TICKS.map((tick) => line("tick", x(tick), 0, x(tick), height)), bins.map(bar), entries.map(mark));
  };

  /** Parts of a whole, [[kind, amount, text]], as a bar and a legend. */
  ui.stacked = (parts, label) => {
    const present = parts.filter(([, amount]) => amount > 0);
    const total = present.reduce((sum, [, amount]) => sum + amount, 0);
    let left = 0;
    const bar = ([kind, amount, text]) => rect(`is-${kind}`, ((left += amount) - amount) / total * 100, 0, (amount / total) * 100, 8, text);
    return [drawing("flat", 100, 8, label, present.map(bar)), h("ul.legend", {}, present.map(([kind, , text]) => h(`li.is-${kind}`, {}, text)))];
  };

  /** Rows of {name, filled, total, value, note, used}: `filled` strong, up to `total` pale. */
  ui.bars = (rows) => {
    const longest = Math.max(...rows.map((row) => row.total)) || 1;
    const drawn = (row) => drawing("flat", 100, 8, row.value, rect("pale", 0, 0, (row.total / longest) * 100, 8), rect("full", 0, 0, (row.filled / longest) * 100, 8));
    return h("table.bars", {}, h("tbody", {}, rows.map((row) => h(row.used ? "tr.used" : "tr", {},
      h("th", { scope: "row" }, row.name), h("td.bar", {}, drawn(row)), h("td.figure", {}, row.value), h("td.soft", {}, row.note)))));
  };

  /** Who did what when: a lane per worker, batch boundaries as lines, pauses between invocations as dashes. */
  ui.gantt = ({ seconds, lanes, batches, pauses }) => {
    const width = 1000, left = 110, high = lanes.length > 24 ? 8 : 20, bottom = lanes.length * high;
    const at = (when) => left + (when / (seconds || 1)) * (width - left);
    const step = [0.01, 0.1, 1, 10, 100, 1e3, 1e4, 1e5].flatMap((n) => [n, 2 * n, 5 * n]).find((n) => seconds / n <= 10) ?? 1e6;
    const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, i) => i * step);
    let last = -9;
    const boundaries = batches.map(at).filter((place) => place - last >= 2.5 && (last = place));
    const work = (lane, y) => ([start, took, kind, count]) => rect(`span.is-${kind === "done" ? lane.stage : kind}`, at(start), y + 2, at(took) - left, high - 4,
      `${t(kind === "load" ? "load_s" : lane.stage)} ${duration(took)}${count > 1 ? ` (${count})` : ""}`);
    return drawing("gantt", width, bottom + 18, t("gantt"),
      ticks.map((tick) => [line("tick", at(tick), 0, at(tick), bottom), s("text", { x: at(tick), y: bottom + 13, "text-anchor": "middle" }, `${+tick.toFixed(2)} s`)]),
      lanes.map((lane, i) => [high > 10 && s("text", { x: 0, y: i * high + 14 }, ui.lane(lane)), lane.spans.map(work(lane, i * high))]),
      boundaries.map((place) => line("batch", place, 0, place, lanes.filter((lane) => lane.stage === "edit").length * high)),
      pauses.map((pause) => line("pause", at(pause.at), 0, at(pause.at), bottom)));
  };
  ui.lane = (lane) => {
    const judge = ui.runs.flatMap(({ info }) => info.run.judgings ?? []).find(({ id, prefix }) => id === lane.judging_id && prefix);
    return `${judge ? judge.name : t(lane.stage)} ${lane.worker} · ${lane.device}`;
  };
})();
