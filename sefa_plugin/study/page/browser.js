"use strict";
// Where clips come from and answers go, without a server: files beside the page, and this browser.
const store = (() => {
  const memory = new Map(); // where a browser keeps nothing
  const held = {
    get(key) {
      try {
        return localStorage.getItem(key);
      } catch {
        return memory.get(key) ?? null;
      }
    },
    set(key, text) {
      try {
        localStorage.setItem(key, text);
      } catch {
        memory.set(key, text);
      }
    },
  };
  const key = (name) => `sefa-study ${STUDY.id} ${person(name)}`;
  const lines = (name) => held.get(key(name)) || "";

  function browser() {
    let number = held.get("sefa-study browser");
    if (!number) {
      number = [...crypto.getRandomValues(new Uint8Array(8))].map((one) => one.toString(16).padStart(2, "0")).join("");
      held.set("sefa-study browser", number);
    }
    return number;
  }

  return {
    alone: true,
    study: async () => STUDY,
    earlier: async (name) => {
      const records = lines(name).split("\n").filter(Boolean).map((line) => JSON.parse(line));
      const latest = new Map(records.filter((one) => one.kind === "answer").map((one) => [one.place, one]));
      return { begun: records.some((one) => one.kind === "begin"), answers: [...latest.values()] };
    },
    add: async (record) => held.set(key(record.name), `${lines(record.name)}${JSON.stringify({ ...record, browser: browser() })}\n`),
    clip: async (file) => `clips/${file}`,
    lines,
  };
})();
