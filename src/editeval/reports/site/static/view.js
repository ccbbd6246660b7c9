"use strict";
/* What is said of a sample, and which samples are shown in which order. */
(() => {
  /** Editor and run, where there are several runs. */
  ui.called = ({ info: { run } }) => (ui.runs.length > 1 ? `${run.editor} · ${run.name}` : "edited");
  ui.metric_at = (run, name) => Math.max(0, run.info.metrics.indexOf(name || run.info.headline));
  ui.value = (run, row, name) => row?.values[ui.metric_at(run, name)] ?? null;
  /** The score, turned where lower is better: more is better. */
  ui.good = (run, row, name) => {
    const value = ui.value(run, row, name);
    return value && run.info.lower?.includes(name || run.info.headline) ? -value : value;
  };
  /** The choices of a score; "" is the headline. */
  ui.metrics = ({ info }) => info.metrics.map((name) => [name === info.headline ? "" : name, name]);
  function shows(sample, state, runs) {
    if ((state.cat && sample.category !== state.cat) || !sample.text.includes(state.q.toLowerCase())) return false;
    return runs.some((run) => {
      const row = sample.rows[run.index];
      if (!row) return false;
      const value = ui.value(run, row, state.metric);
      if ((state.min || state.max) && (value === null || value < (state.min || -Infinity) || value > (state.max || Infinity))) return false;
      if (state.show === "is_rated") return ui.rating(run, sample.id);
      if (state.show === "wrong") return ui.rating(run, sample.id)?.judge_wrong;
      return !state.show || row.complaints.includes(state.show) || (state.show === "scored" && value !== null);
    });
  }

  /** To sort by, smallest first: no score is first among the worst and last among the best. */
  const SORTS = {
    order: (sample) => sample.position,
    worst: (sample, values) => (values.length ? Math.min(...values) : -Infinity),
    best: (sample, values) => -Math.max(...values),
    gap: (sample, values) => Math.min(...values) - Math.max(...values),
    slow: (sample, values, runs) => -Math.max(0, ...runs.map((run) => sample.rows[run.index]?.seconds ?? 0)),
  };

  /** The scores of a sample: one per run, or, for the gap of a single run, one per judge. */
  function valuesOf(sample, state, runs) {
    const judges = state.sort === "gap" && runs.length === 1 ? ui.judges(runs[0]) : [state.metric];
    return runs.flatMap((run) => judges.map((metric) => ui.good(run, sample.rows[run.index], metric))).filter((value) => value !== null);
  }
  ui.judges = (run) => (run.info.run.judgings ?? []).map(({ prefix, metrics }) => prefix + metrics[0]);

  let cached = { key: "", list: [] };
  /** The samples that the filters leave, in the order asked for. */
  ui.listed = () => {
    const state = ui.state;
    const key = JSON.stringify([Object.keys(ui.FILTERS).map((name) => state[name]), ui.complete, ui.samples.length, ui.ratings_version]);
    if (cached.key !== key) {
      const runs = state.model === "" ? ui.runs : ui.runs.filter((run) => String(run.index) === state.model);
      const ranked = ui.samples.filter((sample) => shows(sample, state, runs)).map((sample) => [SORTS[state.sort](sample, valuesOf(sample, state, runs), runs), sample]);
      ranked.sort((a, b) => a[0] - b[0]);
      cached = { key, list: ranked.map(([, sample]) => sample) };
    }
    return cached.list;
  };
})();
