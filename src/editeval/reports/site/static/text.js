"use strict";
/* The words of the interface in two languages, from words.json. What comes from a run is in no language of ours. */
const ui = { language: "en" };
(() => {
  const { words, categories } = JSON.parse(document.getElementById("editeval-words").textContent);
  const isChinese = () => ui.language === "zh";

  /** t("place", 3, 60): the words in the present language, with {0}, {1} filled in (else the key). */
  ui.t = (key, ...values) => {
    const text = Object.hasOwn(words, key) ? words[key][isChinese() ? 1 : 0] : String(key);
    return text.replace(/\{(\d)\}/g, (_, index) => values[index]);
  };
  ui.about = (metric) => {
    const key = `about_${metric.split(".").at(-1)}`;
    return Object.hasOwn(words, key) ? ui.t(key) : "";
  };
  ui.category = (name) => (isChinese() && Object.hasOwn(categories, name) ? `${categories[name]} ${name}` : name || "-");

  /** What an attribute makes a node say: data-t a word, with data-args in it and data-tail behind it; data-label. */
  const SAY = {
    t: (node, key) => (node.textContent = ui.t(key, ...JSON.parse(node.dataset.args ?? "[]")) + (node.dataset.tail ?? "")),
    chinese: (node, text) => (node.textContent = isChinese() ? text : node.dataset.english),
    label: (node, key) => (node.ariaLabel = node.placeholder = ui.t(key)),
  };
  ui.translate = (root) => {
    for (const [name, say] of Object.entries(SAY)) {
      for (const node of [root, ...root.querySelectorAll(`[data-${name}]`)]) {
        if (name in node.dataset) say(node, node.dataset[name]);
      }
    }
  };
})();
