"use strict";
/* What people think of the edits. Kept apart from the scores, in this browser or, under `editeval view`, in the run. */
(() => {
  const kept = new Map();  // run index -> {sample id: rating}
  const loading = new Map();  // run index -> a promise: no rating is made before the former ones are known
  ui.ratings_version = 0;
  const key = ({ info }) => `ratings:${info.run.id}:${info.run.name}`;
  const address = (run) => `${run.root}ratings`;
  const unsaved = (error) => ui.complain(ui.t("not_saved", error.message));

  function keep(run, ratings) {
    kept.set(run.index, ratings);
    ui.ratings_version += 1;
  }
  ui.ratings = (run) => kept.get(run.index) ?? {};
  ui.rating = (run, id) => (Object.hasOwn(ui.ratings(run), id) ? ui.ratings(run)[id] : null);

  /** What was rated before: from the server that keeps it, else from this browser. */
  ui.load_ratings = (run) => loading.set(run.index, load(run)).get(run.index);
  async function load(run) {
    try {
      const text = ui.served ? await (await fetch(address(run))).text() : ui.recall(key(run));
      keep(run, sound(JSON.parse(text ?? "{}").ratings));
    } catch (error) {
      unsaved(error);
    }
  }

  /** Only what a rating may hold. */
  function sound(ratings) {
    const one = (r) => ({
      ...(["good", "tie", "bad"].includes(r?.verdict) && { verdict: r.verdict }),
      ...([1, 2, 3, 4, 5].includes(r?.stars) && { stars: r.stars }),
      ...(r?.comment && { comment: String(r.comment).slice(0, 4000) }),
      ...(r?.judge_wrong === true && { judge_wrong: true }),
      ...(r?.blind === true && { blind: true }),
    });
    const entries = Object.entries(ratings ?? {}).map(([id, r]) => [id, one(r)]);
    return Object.fromEntries(entries.filter(([, r]) => Object.keys(r).some((name) => name !== "blind")));
  }

  /** Change part of a rating (undefined takes a part away, null all of it). */
  ui.rate = async (run, id, patch) => {
    await loading.get(run.index);
    const next = patch && sound({ it: { ...ui.rating(run, id), ...(ui.state.blind && { blind: true }), ...patch } }).it;
    const ratings = { ...ui.ratings(run), [id]: next };  // a literal: an id may be called __proto__
    if (!next) delete ratings[id];
    keep(run, ratings);
    await save(run, { [id]: next ?? null });
  };
  /** The same by a word or a digit; what is so already is taken back. */
  ui.toggle_rating = async (run, id, what) => {
    await loading.get(run.index);
    const [name, value] = what === "wrong" ? ["judge_wrong", true] : Number(what) ? ["stars", Number(what)] : ["verdict", what];
    return ui.rate(run, id, { [name]: ui.rating(run, id)?.[name] === value ? undefined : value });
  };

  async function save(run, changes) {
    try {
      if (!ui.served && !ui.remember(key(run), JSON.stringify({ ratings: ui.ratings(run) }))) throw new Error("localStorage");
      if (!ui.served) return;
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(address(run), { method: "POST", headers, body: JSON.stringify(changes) });
      if (!answer.ok) throw new Error(await answer.text());
    } catch (error) {
      unsaved(error);
    }
  }

  ui.export_ratings = () => {
    const runs = ui.runs.map((run) => ({ run_id: run.info.run.id, name: run.info.run.name, ratings: ui.ratings(run) }));
    const blob = new Blob([JSON.stringify({ schema_version: 1, runs }, null, 2)], { type: "application/json" });
    ui.h("a", { href: URL.createObjectURL(blob), download: "ratings.json" }).click();
  };

  /** Places from 1, those of equal values averaged. */
  const ranks = (values) => values.map((value) => {
    const below = values.filter((other) => other < value).length, equal = values.filter((other) => other === value).length;
    return below + (equal + 1) / 2;
  });
  function correlation(a, b) {
    const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
    const centred = (list) => list.map((value) => value - mean(list));
    const dot = (p, q) => p.reduce((sum, value, i) => sum + value * q[i], 0);
    const [p, q] = [centred(a), centred(b)], scale = Math.sqrt(dot(p, p) * dot(q, q));
    return scale ? dot(p, q) / scale : null;
  }

  /** How people and the judge agree: Spearman's rho with Fieller's interval, and the share of good-bad pairs in order. */
  ui.agreement = (run) => {
    const rated = Object.entries(ui.ratings(run));
    const scored = rated.map(([id, r]) => ({ ...r, score: ui.value(run, ui.sample(id)?.rows[run.index]) })).filter((r) => r.score !== null);
    const starred = scored.filter((r) => r.stars), n = starred.length;
    const rho = n > 3 ? correlation(ranks(starred.map((r) => r.score)), ranks(starred.map((r) => r.stars))) : null;
    const half = 1.96 * Math.sqrt(1.06 / (n - 3));
    const of = (verdict) => scored.filter((r) => r.verdict === verdict).map((r) => r.score);
    const pairs = of("good").flatMap((good) => of("bad").map((bad) => (good > bad ? 1 : good === bad ? 0.5 : 0)));
    return {
      num: rated.length, num_blind: rated.filter(([, r]) => r.blind).length, num_wrong: rated.filter(([, r]) => r.judge_wrong).length,
      n, rho, interval: rho === null || Math.abs(rho) === 1 ? null : [-half, half].map((by) => Math.tanh(Math.atanh(rho) + by)),
      num_pairs: pairs.length, in_order: pairs.length ? pairs.reduce((sum, value) => sum + value, 0) / pairs.length : null,
    };
  };
})();
