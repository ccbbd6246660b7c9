"use strict";
/* The runs and their samples. A page on a disk may not fetch anything: there, data are scripts that call `receive`. */
(() => {
  const byId = new Map();
  const policy = globalThis.trustedTypes?.createPolicy("editeval", { createScriptURL: checked });
  const settings = JSON.parse(document.getElementById("editeval-runs").textContent);

  ui.embedded = settings.embedded;
  ui.served = settings.served;
  ui.thumbs = new Map();
  ui.samples = [];  // {id, category, instruction, position, rows: one per run or undefined}
  ui.runs = settings.runs.map(({ root }, index) => ({ index, root, info: null, rows: [], details: new Map(), ratings: {} }));
  ui.sample = (id) => byId.get(id);

  function checked(address) {
    if (!/^report\/data\/(run|(rows|details)-\d+)\.js$/.test(address)) throw new TypeError(address);
    return address;
  }

  /** Called by every data file. */
  ui.receive = (kind, number, value) => accept(ui.runs[Number(document.currentScript.dataset.run)], kind, number, value);

  const named = (names, list) => Object.fromEntries(names.map((name, index) => [name, list[index]]));

  function accept(run, kind, number, value) {
    if (kind === "run") run.info = value;
    if (kind === "rows") value.forEach((list, index) => addRow(run, named(run.info.row, list), number * run.info.chunk + index));
    if (kind === "details") run.details.set(number, value.map((list) => named(run.info.detail, list)));
  }

  function addRow(run, row, index) {
    row.index = index;
    row.more = (row.further ?? []).map(([role]) => role);  // source_2, reference
    row.further?.forEach(([role, ...picture]) => (row[role] = picture));
    run.rows[index] = row;
    if (!byId.has(row.id)) {
      const { id, category, instruction } = row;
      byId.set(id, { id, category, instruction, position: index, rows: [], text: `${id}\n${instruction}`.toLowerCase() });
      ui.samples.push(byId.get(id));
    }
    byId.get(row.id).rows[run.index] = row;
  }

  function script(run, name) {
    return new Promise((done, failed) => {
      const node = document.createElement("script");
      const address = `${run.root}report/data/${name}.js`;
      node.dataset.run = run.index;
      node.src = policy ? policy.createScriptURL(address) : checked(address);
      node.onload = () => (node.remove(), done());
      node.onerror = () => failed(new Error(ui.t("missing_file", address, "editeval report")));
      document.head.append(node);
    });
  }

  /** From the server, as JSON. */
  async function fetched(run, name) {
    const answer = await fetch(`${run.root}data/${name}`);
    if (!answer.ok) throw new Error(await answer.text());
    const [kind, number] = name.split("-");
    accept(run, kind, Number(number ?? 0), await answer.json());
  }

  const arrived = (run, name) => (ui.served ? fetched(run, name) : script(run, name));

  /** Everything that the pages need; the first page can be drawn as soon as the runs are known. */
  ui.load = async () => {
    if (ui.embedded) readBlocks();
    else await Promise.all(ui.runs.map((run) => arrived(run, "run")));
    ui.draw();
    await Promise.all(ui.runs.flatMap((run) => [ui.load_ratings(run), ...(ui.embedded ? [] : rows(run))]));
    settle();
  };

  function readBlocks() {
    const blocks = [...document.querySelectorAll(".editeval-data")].reverse();
    for (const block of blocks) {
      const value = JSON.parse(block.textContent), [kind, number] = block.dataset.kind.split("-");
      if (kind === "thumb") ui.thumbs.set(...value);
      else accept(ui.runs[0], kind, Number(number), value);
    }
  }

  const rows = (run) => Array.from({ length: Math.ceil(run.info.num_samples / run.info.chunk) }, (_, number) => arrived(run, `rows-${number}`));

  /** All rows are here: the samples in benchmark order, and with `intersect` only those that every run has. */
  function settle() {
    const isEverywhere = ({ rows }) => ui.runs.every((run) => rows[run.index]?.instruction === rows[0]?.instruction && rows[0]);
    if (settings.intersect) ui.samples = ui.samples.filter(isEverywhere);
    ui.samples.sort((a, b) => a.position - b.position);
    ui.complete = true;
    performance.mark("complete");
    ui.draw();
  }

  /** What only a closer look needs: raw replies, attempts, seed, device. */
  ui.detail = async (run, row) => {
    const number = Math.floor(row.index / run.info.chunk);
    if (!run.details.has(number)) await arrived(run, `details-${number}`);
    return run.details.get(number)[row.index % run.info.chunk];
  };
})();
