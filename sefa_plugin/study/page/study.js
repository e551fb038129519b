"use strict";
// The page of a study: instructions, one question after the other, the end.

const at = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)");
let study, name, trials, answers, place, films, since, spent, plays, saving;

// --- texts ---------------------------------------------------------------------------------------

// Paragraphs, and lists of lines that begin with *; nothing else of a text means anything.
function write(into, text) {
  into.replaceChildren();
  for (const part of text.split(/\n\s*\n/)) {
    let list = null;
    let last = null;
    for (const line of part.split("\n")) {
      if (line.startsWith("*")) {
        if (!list) into.append((list = document.createElement("ul")));
        list.append((last = document.createElement("li")));
        last.textContent = line.replace(/^\*\s*/, "");
      } else if (last) {
        last.textContent += ` ${line}`;
      } else {
        into.append((last = document.createElement("p")));
        last.textContent = line;
      }
    }
  }
}

const last = () => `sefa-study ${study.id}`; // where this tab has the name, in case it is loaded again

function trouble(text) {
  at("trouble").textContent = text;
  at("trouble").hidden = !text;
}

function show(section) {
  for (const id of ["welcome", "trial", "done"]) at(id).hidden = id !== section;
  at("save").className = section === "done" ? "main" : "";
  at("take").hidden = !(store.alone && name && section !== "welcome");
}

// --- the beginning -------------------------------------------------------------------------------

async function open() {
  try {
    study = await store.study();
  } catch (error) {
    return trouble(error.message);
  }
  const texts = study.texts;
  document.title = at("title").textContent = texts.title;
  const kinds = [["names", 1], ["pairs", 2]].filter(([, count]) => study.items.some((item) => item.clips.length === count));
  write(at("instructions"), ["instructions", ...kinds.map(([kind]) => kind)].map((part) => texts[part]).join("\n\n"));
  write(at("consent"), texts.consent);
  write(at("thanks"), texts.thanks);
  for (const word of texts.suggestions.split("\n").map((line) => line.trim()).filter(Boolean)) {
    at("suggestions").append(new Option("", word));
  }
  const given = new URLSearchParams(location.search).get("name") || "";
  const before = sessionStorage.getItem(last()) || "";
  at("name").value = given || before;
  if (before && (!given || person(given) === person(before)) && (await begin(before, false))) return undefined;
  show("welcome");
  return undefined;
}

async function begin(typed, agreed) {
  let held;
  try {
    held = await store.earlier(typed);
    if (!held.begun && !agreed) return false;
    if (!held.begun) {
      await store.add({ kind: "begin", study: study.id, name: typed, consent: true, at: new Date().toISOString() });
    }
  } catch (error) {
    trouble(error.message);
    return false;
  }
  trouble("");
  name = typed;
  sessionStorage.setItem(last(), name);
  at("who").textContent = name;
  at("you").hidden = false;
  trials = trialsOf(study, name);
  const mine = held.answers.filter((one) => trials[one.place]?.item === one.item);
  answers = new Map(mine.map((one) => [one.place, one]));
  const open_ = trials.findIndex((trial) => !answers.has(trial.place));
  if (open_ < 0) finish();
  else ask(open_);
  return true;
}

at("begin").addEventListener("submit", async (event) => {
  event.preventDefault();
  const typed = at("name").value.trim();
  const missing = !typed ? at("name") : !at("agree").checked ? at("agree") : null;
  at("begin-hint").textContent = !typed ? "Type a name." : missing ? "Tick the box if you take part." : "";
  if (missing) missing.focus();
  else await begin(typed, true);
});

at("other").addEventListener("click", () => {
  if (saving) return;
  leave();
  sessionStorage.removeItem(last());
  name = "";
  at("you").hidden = true;
  at("begin").reset();
  trouble("");
  show("welcome");
  at("name").focus();
});

// --- a question ----------------------------------------------------------------------------------

const trial = () => trials[place];
const isPair = () => trial().shown.length === 2;
const checked = (group) => document.querySelector(`[name=${group}]:checked`)?.value || "";

function check(group, value) {
  for (const one of document.getElementsByName(group)) one.checked = one.value === String(value);
}

function ask(number) {
  leave();
  place = number;
  const before = answers.get(place);
  spent = before?.seconds || 0;
  plays = before?.plays || 0;
  show("trial");
  at("where").textContent = `${isPair() ? "Two clips" : "Clip"}: ${place + 1} of ${trials.length}`;
  at("progress").max = trials.length;
  at("progress").value = answers.size;
  at("one").hidden = isPair();
  at("pair").hidden = !isPair();
  for (const one of document.querySelectorAll(".keys .one")) one.hidden = isPair();
  for (const one of document.querySelectorAll(".keys .pair")) one.hidden = !isPair();
  check("choice", before?.choice);
  check("better", before?.choice);
  check("clean", before?.clean);
  at("text").value = before?.text || "";
  at("hint").textContent = "";
  at("back").disabled = place === 0;
  place_films();
  update();
  at("where").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function leave() {
  for (const film of films || []) film.pause();
  films = null;
  since = null;
}

// Only the time in which the page can be seen counts.
function tick() {
  const now = performance.now();
  if (since !== null && since !== undefined) spent += (now - since) / 1000;
  since = document.hidden ? null : now;
}
document.addEventListener("visibilitychange", () => films && tick());

async function place_films() {
  const mine = trial().shown.map((_, number) => {
    const film = document.createElement("video");
    Object.assign(film, { muted: true, playsInline: true, preload: "auto", disablePictureInPicture: true });
    film.setAttribute("aria-label", isPair() ? `Clip ${"AB"[number]}` : "The clip");
    return film;
  });
  films = mine;
  since = null;
  tick();
  at("clips").className = isPair() ? "two" : "";
  at("clips").replaceChildren(
    ...mine.map((film, number) => {
      const figure = document.createElement("figure");
      figure.append(film);
      if (isPair()) figure.append(Object.assign(document.createElement("figcaption"), { textContent: "AB"[number] }));
      return figure;
    }),
  );
  for (const film of mine) {
    film.addEventListener("ended", () => ended(mine));
    film.addEventListener("play", update);
    film.addEventListener("pause", update);
    film.addEventListener("error", () => films === mine && trouble("This clip cannot be played here. Load the page again, or try another browser."));
  }
  try {
    const urls = await Promise.all(trial().shown.map(store.clip));
    if (films !== mine) return;
    mine.forEach((film, number) => (film.src = urls[number]));
    trouble("");
    if (!still.matches) run();
  } catch (error) {
    if (films === mine) trouble(error.message);
  }
  for (const file of trials[place + 1]?.shown || []) store.clip(file).catch(() => {}); // the next one is there in time
}

// Both clips of a pair begin together.
function ended(mine) {
  if (films !== mine || !mine.every((film) => film.ended)) return;
  plays += 1;
  update();
  if (!still.matches) run();
}

function run() {
  for (const film of films) {
    film.play().catch(() => update()); // a browser that plays nothing by itself: there is a button
  }
}

const running = () => films.some((film) => !film.paused && !film.ended);
const played = () => plays > 0;

function toggle() {
  if (running()) for (const film of films) film.pause();
  else run();
}

function restart() {
  for (const film of films) film.currentTime = 0;
  run();
}

function update() {
  if (!films) return;
  at("play").textContent = running() ? "Pause" : "Play";
  at("played").textContent = played() ? "" : "Please watch to the end";
  const other = checked("choice") === "nothing" || checked("choice") === "unsure";
  at("what").classList.toggle("off", other);
  at("next").setAttribute("aria-disabled", String(Boolean(missing())));
  if (!missing()) at("hint").textContent = "";
}

// What an answer still lacks: a line, and where it is given.
function missing() {
  if (!played()) return ["Please watch to the end first.", at("play")];
  if (isPair()) return checked("better") ? null : ["Choose one of the three.", document.getElementsByName("better")[0]];
  if (!checked("choice")) return ["Say what changes, or choose one of the others.", at("text")];
  if (checked("choice") !== "change") return null;
  if (!at("text").value.trim()) return ["Say in a few words what changes.", at("text")];
  return checked("clean") ? null : ["Say how cleanly it changes, from 1 to 5.", document.getElementsByName("clean")[0]];
}

function answer() {
  const choice = isPair() ? checked("better") : checked("choice");
  const change = choice === "change";
  const { item, again, shown } = trial();
  tick();
  return {
    kind: "answer", study: study.id, name, place, item, again, shown, choice,
    text: change ? at("text").value.trim() : "",
    clean: change ? Number(checked("clean")) : 0,
    seconds: Math.round(spent * 100) / 100, plays, at: new Date().toISOString(),
  };
}

async function next() {
  const lacking = missing();
  if (lacking) {
    [at("hint").textContent] = lacking;
    lacking[1].focus();
    return;
  }
  if (saving) return;
  const given = answer();
  const before = answers.get(place);
  if (!before || ["choice", "text", "clean"].some((key) => before[key] !== given[key])) {
    saving = true;
    at("next").setAttribute("aria-busy", "true");
    try {
      await store.add(given);
    } catch (error) {
      return trouble(`${error.message} Your answer is not saved yet: press Next again.`);
    } finally {
      saving = false;
      at("next").removeAttribute("aria-busy");
    }
    trouble("");
    answers.set(place, given);
  }
  if (place + 1 < trials.length) ask(place + 1);
  else finish();
}

function back() {
  if (!saving && place > 0) ask(place - 1);
}

function finish() {
  leave();
  show("done");
  at("kept").textContent = store.alone ? "" : "All your answers are saved. You can close this page.";
  at("end").focus();
}

at("question").addEventListener("submit", (event) => {
  event.preventDefault();
  next();
});
at("question").addEventListener("input", (event) => {
  if (event.target === at("text") && event.target.value.trim()) check("choice", "change");
  if (event.target.name === "clean") check("choice", "change");
  update();
});
at("back").addEventListener("click", back);
at("play").addEventListener("click", toggle);
at("again").addEventListener("click", restart);
at("return").addEventListener("click", () => ask(trials.length - 1));

// --- keys ----------------------------------------------------------------------------------------

function choose(group, value) {
  check(group, value);
  if (group === "clean") check("choice", "change");
  update();
}

const KEYS = {
  " ": toggle,
  r: restart,
  enter: next,
  backspace: back,
  t: () => choose(isPair() ? "better" : "choice", "unsure"),
};
const ONE = { w: () => at("text").focus(), n: () => choose("choice", "nothing") };
for (const digit of "12345") ONE[digit] = () => choose("clean", digit);
const PAIR = { a: () => choose("better", "left"), b: () => choose("better", "right") };

document.addEventListener("keydown", (event) => {
  if (at("trial").hidden || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const on = event.target;
  if (on === at("text")) {
    if (event.key === "Escape") at("where").focus({ preventScroll: true });
    return;
  }
  const key = event.key.toLowerCase();
  const own = on.closest("button, summary, a") || (on.matches("input") && key === " ");
  if ((own && (key === " " || key === "enter")) || (on.matches("input") && key === "enter")) return; // as the browser has it
  const act = KEYS[key] || (isPair() ? PAIR : ONE)[key];
  if (!act) return;
  event.preventDefault();
  if (!event.repeat) act();
});

// --- answers that stay in the browser ------------------------------------------------------------

at("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([store.lines(name)], { type: "application/x-ndjson" }));
  link.download = `answers-${name.replace(/[^\p{L}\p{N}_-]+/gu, "-").slice(0, 60) || "somebody"}.jsonl`;
  link.click();
  at("taken").textContent = `Saved as ${link.download}, where your browser puts downloads.`;
});
at("copy").addEventListener("click", async () => {
  const text = store.lines(name);
  try {
    await navigator.clipboard.writeText(text);
    at("taken").textContent = "Copied: paste it into a mail.";
  } catch {
    Object.assign(at("lines"), { hidden: false, value: text });
    at("lines").select();
    at("taken").textContent = "Copy the marked text below, and paste it into a mail.";
  }
});

open();
