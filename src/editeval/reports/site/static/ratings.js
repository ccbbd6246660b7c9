"use strict";
/* What people think of the edits. Kept apart from the scores, in this browser or, under `editeval view`, in the run. */
(() => {
  ui.ratings_version = 0;
  const key = ({ info }) => `ratings:${info.run.id}:${info.run.name}`;
  const address = (run) => `${run.root}ratings`;
  const unsaved = (error) => ui.complain(ui.t("not_saved", error.message));

  function keep(run, ratings) {
    run.ratings = ratings;
    ui.ratings_version += 1;
  }
  ui.rating = (run, id) => (Object.hasOwn(run.ratings, id) ? run.ratings[id] : null);

  /** What was rated before: from the server that keeps it, else from this browser. */
  ui.load_ratings = (run) => (run.loading = load(run));  // no rating is made before the former ones are known
  async function load(run) {
    try {
      const text = ui.served ? await (await fetch(address(run))).text() : ui.recall(key(run));
      const entries = Object.entries(JSON.parse(text ?? "{}").ratings ?? {}).map(([id, rating]) => [id, tidy(rating)]);
      keep(run, Object.fromEntries(entries.filter(([, rating]) => rating)));
    } catch (error) {
      unsaved(error);
    }
  }

  /** A rating without what was taken back; null if nothing is left but how it was made. */
  function tidy(rating) {
    const entries = Object.entries(rating ?? {}).filter(([, value]) => value);
    return entries.some(([name]) => name !== "blind") ? Object.fromEntries(entries) : null;
  }

  /** Change part of a rating (undefined takes a part away, null all of it). */
  ui.rate = async (run, id, patch) => {
    await run.loading;
    const next = patch && tidy({ ...ui.rating(run, id), ...(ui.state.blind && { blind: true }), ...patch });
    const ratings = { ...run.ratings, [id]: next };  // a literal: an id may be called __proto__
    if (!next) delete ratings[id];
    keep(run, ratings);
    await save(run, { [id]: next });
  };
  /** The same by a word or a digit; a second time takes it back. */
  ui.toggle_rating = async (run, id, what) => {
    await run.loading;
    const [name, value] = what === "wrong" ? ["judge_wrong", true] : Number(what) ? ["stars", Number(what)] : ["verdict", what];
    return ui.rate(run, id, { [name]: ui.rating(run, id)?.[name] === value ? undefined : value });
  };

  async function save(run, changes) {
    try {
      if (!ui.served) {
        if (ui.remember(key(run), JSON.stringify({ ratings: run.ratings }))) return;
        throw new Error("localStorage");
      }
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(address(run), { method: "POST", headers, body: JSON.stringify(changes) });
      if (!answer.ok) throw new Error(await answer.text());
    } catch (error) {
      unsaved(error);
    }
  }

  ui.export_ratings = () => {
    const runs = ui.runs.map((run) => ({ run_id: run.info.run.id, name: run.info.run.name, ratings: run.ratings }));
    const blob = new Blob([JSON.stringify({ schema_version: 1, runs }, null, 2)], { type: "application/json" });
    ui.h("a", { href: URL.createObjectURL(blob), download: "ratings.json" }).click();
  };

  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  /** Twice the places, those of equal values averaged. */
  const ranks = (values) => values.map((value) => values.filter((other) => other < value).length + values.filter((other) => other <= value).length);
  function correlation(a, b) {
    const centred = (values) => values.map((value) => value - mean(values));
    const [p, q] = [centred(a), centred(b)], product = (x, y) => mean(x.map((value, i) => value * y[i]));
    const scale = Math.sqrt(product(p, p) * product(q, q));
    return scale ? product(p, q) / scale : null;
  }

  /** How people and the judge agree: Spearman's rho with Fieller's interval, and the share of good-bad pairs in order. */
  ui.agreement = (run) => {
    const rated = Object.entries(run.ratings);
    const scored = rated.map(([id, r]) => ({ ...r, score: ui.good(run, ui.sample(id)?.rows[run.index]) })).filter((r) => r.score !== null);
    const starred = scored.filter((r) => r.stars), n = starred.length;
    const rho = n > 3 ? correlation(ranks(starred.map((r) => r.score)), ranks(starred.map((r) => r.stars))) : null;
    const half = 1.96 * Math.sqrt(1.06 / (n - 3));
    const of = (verdict) => scored.filter((r) => r.verdict === verdict).map((r) => r.score);
    const pairs = of("good").flatMap((good) => of("bad").map((bad) => (Math.sign(good - bad) + 1) / 2));
    return {
      num: rated.length, num_blind: rated.filter(([, r]) => r.blind).length, num_wrong: rated.filter(([, r]) => r.judge_wrong).length,
      n, rho, interval: rho === null || Math.abs(rho) === 1 ? null : [-half, half].map((by) => Math.tanh(Math.atanh(rho) + by)),
      num_pairs: pairs.length, in_order: pairs.length ? mean(pairs) : null,
    };
  };
})();
