"use strict";
/* The words of the interface in two languages, from words.json. What comes from a run is in no language of ours. */
const ui = { language: "en" };
(() => {
  const { words, categories, warnings } = JSON.parse(document.getElementById("editeval-words").textContent);
  const isChinese = () => ui.language === "zh";

  /** t("place", 3, 60): the words in the present language, with {0}, {1} filled in; an unknown key stands for itself. */
  ui.t = (key, ...values) => {
    const text = Object.hasOwn(words, key) ? words[key][isChinese() ? 1 : 0] : String(key);
    return text.replace(/\{(\d)\}/g, (_, index) => String(values[Number(index)]));
  };
  ui.about = (metric) => {
    const key = `about_${metric.slice(metric.lastIndexOf(".") + 1)}`;
    return Object.hasOwn(words, key) ? ui.t(key) : "";
  };
  ui.category = (name) => {
    if (name === "micro" || name === "macro") return ui.t(name);
    return isChinese() && Object.hasOwn(categories, name) ? `${categories[name]} ${name}` : name || "-";
  };
  ui.warning = (sentence) => {
    const known = isChinese() && warnings.find(([pattern]) => new RegExp(pattern).test(sentence));
    return known ? sentence.replace(new RegExp(known[0]), known[1]) : sentence;
  };
})();
