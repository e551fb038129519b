"use strict";
// Where clips come from and answers go: the server that printed the address, whose end is the token.
const store = (() => {
  const token = () => new URLSearchParams(location.hash.slice(1)).get("token") || "";
  const urls = new Map();

  async function ask(path, body) {
    const options = { headers: { "X-Sefa-Token": token() }, cache: "no-store" };
    if (body) Object.assign(options, { method: "POST", body: JSON.stringify(body) });
    let answer;
    try {
      answer = await fetch(path, options);
    } catch {
      throw new Error("The study does not answer. Are you connected? Try again in a moment.");
    }
    if (answer.ok) return answer;
    if (answer.status === 403) throw new Error("Open the whole address that you were given, with its end: #token=…");
    throw new Error((await answer.json().catch(() => ({}))).error || `The study answered ${answer.status}.`);
  }

  async function load(file) {
    return URL.createObjectURL(await (await ask(`api/clips/${file}`)).blob());
  }

  return {
    alone: false,
    study: async () => (await ask("api/study")).json(),
    earlier: async (name) => (await ask("api/earlier", { name })).json(),
    add: (record) => ask("api/answers", record),
    clip: (file) => {
      if (!urls.has(file)) {
        const url = load(file);
        urls.set(file, url);
        url.catch(() => urls.delete(file));
      }
      return urls.get(file);
    },
  };
})();
