"use strict";
/* Third page: the pictures of one sample in four modes, and what is known of it. */
(() => {
  const { h, t } = ui;

  /** The pictures of a sample: {role, run, row, name, key}; in blind mode the edits are shuffled and have no names. */
  function columnsOf(sample) {
    const run = ui.runs.find(({ index }) => sample.rows[index]), row = sample.rows[run.index], isBlind = ui.state.blind;
    const runs = isBlind ? [...ui.runs].sort((a, b) => noise(sample.id, a) - noise(sample.id, b)) : ui.runs;
    const name = (one, place) => (isBlind ? String.fromCharCode(65 + place) : t(ui.called(one)));
    const edits = runs.map((one, place) => ({ role: "edited", run: one, row: sample.rows[one.index], name: name(one, place), key: String(one.index) }));
    const given = (roles) => roles.map((role) => ({ role, run, row, name: ui.role(row[`${role}_2`] ? `${role}_1` : role), key: role }));
    return [...given(row.target ? ["source", "target"] : ["source"]), ...edits, ...given(row.more)];
  }

  /** From left to right. */
  const inOrder = (columns) => [..."stre"].flatMap((letter) => columns.filter(({ role }) => role[0] === letter));

  /** The same order for a sample every time, and another one for the next. */
  const noise = (id, run) => [...`${id}:${run.info.run.id}:${run.index}`].reduce((hash, c) => Math.imul(hash ^ c.codePointAt(0), 16777619), 2166136261) >>> 0;

  ui.pages.compare = (root) => {
    const { state } = ui, list = ui.listed(), sample = state.id ? ui.sample(state.id) : list[0];
    const none = !ui.complete ? "loading" : state.id ? "no_sample" : "select_sample";
    if (!sample) return void root.append(h("main.none", { id: "main" }, t(none, state.id)));
    const columns = columnsOf(sample), edits = columns.filter(({ role }) => role === "edited");
    const base = columns.find(({ key }) => key === state.base) ?? columns[0], active = columns[state.column] ?? edits[0];
    const page = ui.clone("compare"), stage = page.querySelector(".stage"), find = (name) => page.querySelector(name);
    const zoom = ui.zoomable(stage);
    const shown = state.mode === "side" ? inOrder(columns) : edits.filter((column) => column !== base);
    const at = list.indexOf(sample), next = list[at + 1], step = (by) => list[at + by] && ui.go({ id: list[at + by].id });

    root.append(page);
    page.querySelectorAll(".step").forEach((button) => (button.onclick = () => step(Number(button.dataset.step))));
    find(".place").append(t("place", at + 1, list.length));
    find(".id").append(ui.clean(sample.id));
    find(".category").append(ui.clean(ui.category(sample.category)));
    find(".base").hidden = state.mode === "side";
    find(".gain").hidden = state.mode !== "diff";
    find(".gain output").append(state.gain);
    ui.options(find(".base select"), columns.filter(({ role }) => role !== "edited" || edits.length > 1).map(({ key, name }) => [key, name]));
    ui.options(find(".metric"), state.blind ? [] : ui.metrics(ui.runs[0]));
    find(".fit").onclick = zoom.fit;
    find(".one").onclick = zoom.one;
    find(".blind").onclick = () => ui.go({ blind: state.blind ? "" : "1" });
    find(".blind").ariaPressed = Boolean(state.blind);
    find("aside").append(...ui.panel(sample, active));
    stage.classList.add(state.mode);
    stage.style.setProperty("--cut", `${Number(state.cut)}%`);
    stage.style.setProperty("--gain", Number(state.gain));
    stage.append(...shown.map(figure));
    zoom.read();
    // the pictures of the next sample are fetched, so that the arrow key shows them at once
    if (next) columnsOf(next).forEach((column) => (new Image().src = ui.full(column.run, column.row, column.role) ?? ""));
    ui.keys = keys();

    function figure(column) {
      const size = column.row?.[column.role], isEdit = column.role === "edited" && column.row && !state.blind;
      const layers = (state.mode === "side" ? [column] : [base, column]).map(({ run, row, role, name }) => {
        const src = ui.full(run, row, role);
        return h("div.layer", {}, src ? h("img.pan", { src, alt: `${name}: ${sample.instruction}`, draggable: "false" }) : ui.picture(run, row, role));
      });
      const node = h("figure", { onclick: () => column.role === "edited" && column !== active && ui.go({ column: columns.indexOf(column) }) },
        h("figcaption", {}, h("b", {}, column.name), size && h("span.soft", {}, `${size[2]} × ${size[3]}`),
          isEdit && column.run.info.headline && ui.score(column.run, column.row, state.metric)),
        h("div.frame", { tabindex: 0, role: "group", "aria-label": column.name }, layers),
        state.mode === "slider" && h("input", { type: "range", value: state.cut, "aria-label": t("slider"),
          oninput: ({ target }) => stage.style.setProperty("--cut", `${target.value}%`), onchange: ({ target }) => ui.go({ cut: target.value }) }),
        isEdit && h("p.verdict", {}, column.row.complaints.map(ui.tag)));
      node.classList.toggle("active", column === active && edits.length > 1);
      if (size) node.style.setProperty("--aspect", size[2] / size[3]);
      return node;
    }

    function keys() {
      const turn = (all, now, by) => all[(all.indexOf(now) + by + all.length) % all.length];
      const column = (by) => ui.go({ column: columns.indexOf(turn(edits, active, by)) });
      const gain = (factor) => ui.go({ gain: Math.max(1, Math.min(32, Math.round(state.gain * factor))) });
      const bases = [...find(".base select").options].map((option) => option.value);
      return {
        ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => column(-1), ArrowDown: () => column(1), ShiftArrowLeft: () => zoom.move(0.1, 0),
        ShiftArrowRight: () => zoom.move(-0.1, 0), ShiftArrowUp: () => zoom.move(0, 0.1), ShiftArrowDown: () => zoom.move(0, -0.1), "+": () => zoom.zoom(1.25),
        "=": () => zoom.zoom(1.25), "-": () => zoom.zoom(0.8), x: () => ui.go({ base: turn(bases, base.key, 1) }), "[": () => gain(0.5), "]": () => gain(2),
        " ": () => stage.classList.add("under"), released: () => stage.classList.remove("under"),
        u: () => ui.rate(active.run, sample.id, null).then(ui.draw), c: () => find("#comment")?.focus(),
      };
    }
  };
})();
