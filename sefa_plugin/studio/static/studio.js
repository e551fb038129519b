// The page: one state, its history, and the controls that change it.

import { ask, blob, findToken, json, parts, setToken } from "./api.js";
import { Apart } from "./apart.js";
import { copy, save } from "./files.js";
import { Film } from "./film.js";
import { Gallery } from "./gallery.js";
import { History, asLink, fromLink, layersMoved, moved, same, unedited } from "./history.js";
import { Photos } from "./photos.js";
import { Picture } from "./picture.js";
import { Region, regionIn } from "./region.js";
import { Sliders } from "./sliders.js";
import { Stage, asAddress } from "./stage.js";

const RELEASED = 180; // milliseconds after the last key until the picture is made in full
const IDLE = 700; // and until strips are made
const SLOW = 1500; // milliseconds of a picture that is said to be slow

const at = (id) => document.getElementById(id);
let networks = [];
let state;
let history;
let released = 0;
let idle = 0;
let moving = false;
let told = false;
let presets = [];
let shared = false; // with strangers: nothing is kept or changed

const picture = new Picture(at("picture"), { shown, failed: (error) => said(error.message, true, "picture") });
const sliders = new Sliders(at("sliders"), { state: () => state, moved: slid, settled: settle, loaded: later, said });
const gallery = new Gallery(at("kept"), { opened: (held) => open(held, true), said, sure });
const film = new Film(at("record"), at("recordings"), {
  state: () => state,
  seeds: async () => { await gallery.show(state.network); return gallery.seeds(); },
  kept: async () => { await gallery.show(state.network); return gallery.ids(); },
  said,
});

const photos = new Photos(at("photo-list"), {
  network: () => state.network,
  opened: (id) => (id === null ? tab("photos") : open({ ...state, photo: id }, true)),
  said,
});

const region = new Region({
  network: () => state.network, said,
  found: (groups, layers) => found(groups, layers, "Directions of the region are found; the first sliders change it most"),
});

const apart = new Apart({
  network: () => state.network, sliders, said,
  found: (groups, layers, line) => (layers ? found(groups, layers, line) : said(line)),
});

const stage = new Stage({ state: () => state, changed: fromStage, controls: stageControls, said });

const network = () => networks.find((one) => one.id === state.network) || networks[0];

let about = ""; // what the line says something of: "picture", or ""

function said(text, wrong = false, what = "") {
  about = what;
  at("status").textContent = text;
  at("status").classList.toggle("wrong", wrong);
}

// What was said is over: of a picture when another one is shown, else when something is done.
function over(what = "") {
  if (about === what) said("");
}

// --- the state -----------------------------------------------------------------------------------

function slid(layers, index, to, dragging) {
  state = moved(state, layers, index, to);
  change(layers, dragging);
}

// The state has changed: show it in less time now, in full when the control is released.
function change(layers = "", held = false, here = true) {
  if (here) over();
  moving = true;
  clearTimeout(idle);
  picture.preview(state, layers);
  clearTimeout(released);
  if (!held) released = setTimeout(() => settle(false), RELEASED);
  controls();
  stage.push();
}

function settle(here = true) {
  if (here) over();
  clearTimeout(released);
  moving = false;
  history.push(state);
  picture.settle(state);
  controls();
  stage.push();
}

// Another state from the stage: by a controller, or another page.
function fromStage(other) {
  if (other.network !== state.network) {
    trying(() => open(other, true))();
    return;
  }
  const layers = layersMoved(state, other);
  state = other;
  change(layers, false, false);
  sliders.refresh();
}

// The controls of the stage, with their names: those whose sliders are in sight, and the others.
function stageControls() {
  const found = [...sliders.rows.values()].map((row) => [
    `direction/${sliders.layers.replaceAll(",", "_")}/${row.index}`, row.about.name || `${capital(sliders.layers)} ${row.index}`,
  ]);
  found.push(["seed", "Seed"], ["seed/next", "Next seed"], ["seed/previous", "Previous seed"], ["seed/random", "Another seed"]);
  found.push(["trunc", "Truncation"], ...(network().classes ? [["class", "Class"]] : []), ["reset", "All to 0"]);
  return [...found, ...presets.map((one) => [`preset/${asAddress(one.name)}`, `Preset ${one.name}`])];
}

const capital = (layers) => (layers === "all" ? "Direction" : `${layers[0].toUpperCase()}${layers.slice(1)}`);

// Another state from the history, a link, a recipe or the gallery.
async function open(other, remember) {
  const before = state;
  over();
  state = other;
  if (remember) history.push(state);
  clearTimeout(released);
  moving = false;
  picture.settle(state);
  controls();
  stage.push();
  if (!before || before.network !== state.network) await enter();
  sliders.refresh();
}

function first(one) {
  return { network: one.id, seed: one.seed, trunc: one.trunc, class: one.label, noise: "const", edits: [] };
}

async function enter() {
  const one = network();
  at("network").value = one.id;
  at("seed").value = state.seed;
  document.querySelector(".class").hidden = !one.classes;
  at("class").max = one.classes - 1;
  document.querySelector(".noise").hidden = !one.noise;
  document.documentElement.style.setProperty("--resolution", one.resolution);
  showGroups();
  await pick("all");
  if (!at("gallery").hidden) await gallery.show(state.network);
  gallery.network = state.network;
  await loadPresets();
  if (shared) return;
  await region.restore();
  await apart.restore();
}

// A group of layers: `all`, `coarse`, `all-in-0.3_0.6_0.4_0.2`, `all-apart-3-7`.
function inWords(group) {
  const [of, pair] = group.split("-apart-");
  if (pair) return `${inWords(of)}: ${pair.replace("-", " without ")}`;
  const numbers = regionIn(group);
  if (numbers) return `${group.startsWith("all-") ? "" : `${group.split("-in-")[0]}, `}region ${numbers}`;
  return group === "all" ? "all layers" : group;
}

function showGroups() {
  const choices = network().groups.map((group, place) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "layers", value: group, checked: !place });
    input.addEventListener("change", () => pick(group));
    const words = document.createElement("span");
    words.textContent = inWords(group);
    label.append(input, words);
    return label;
  });
  at("groups").replaceChildren(at("groups").querySelector("legend"), ...choices);
}

// Directions have been found, which are a group of their own.
async function found(groups, layers, line) {
  network().groups = groups;
  showGroups();
  sliders.forget();
  await pick(layers);
  said(line);
  if (state.edits.some((one) => one.layers === layers)) picture.settle(state); // it may be another direction than before
}

async function loadPresets() {
  const held = await json(`api/presets?network=${state.network}`);
  stage.learned = held.controls;
  showPresets(held.presets);
}

async function pick(group, clean = false) {
  for (const input of at("groups").querySelectorAll("input")) input.checked = input.value === group;
  region.pick(group);
  await sliders.show(state.network, group, undefined, clean);
  at("clean").hidden = !sliders.ordered;
  at("clean").firstChild.checked = sliders.clean;
  apart.choices();
  at("more").hidden = sliders.rows.size >= Math.min(sliders.total, 64);
  controls();
}

// --- what is shown -------------------------------------------------------------------------------

function controls() {
  if (document.activeElement !== at("seed")) at("seed").value = state.seed;
  if (document.activeElement !== at("trunc")) at("trunc").value = state.trunc;
  at("class").value = state.class ?? 0;
  at("noise").value = state.noise;
  at("undo").disabled = !history.canUndo;
  at("redo").disabled = !history.canRedo;
  at("reset").disabled = !state.edits.length;
  const others = state.edits.filter((one) => one.layers !== sliders.layers || !sliders.rows.has(one.index));
  at("others").replaceChildren(...others.map(chip));
  at("others").hidden = !others.length;
}

function chip(one) {
  const item = document.createElement("li");
  const go = document.createElement("button");
  const off = document.createElement("button");
  const words = `${one.layers} ${one.index}: ${one.distance > 0 ? "+" : ""}${one.distance}`;
  Object.assign(go, { type: "button", textContent: words, title: "Show its slider" });
  Object.assign(off, { type: "button", textContent: "×" });
  off.setAttribute("aria-label", `Set ${words} to 0`);
  go.addEventListener("click", async () => {
    await pick(one.layers, one.layers === sliders.layers && sliders.clean);
    while (!sliders.rows.has(one.index) && sliders.rows.size < Math.min(sliders.total, 64)) await sliders.more();
    controls();
    sliders.rows.get(one.index)?.input.focus();
  });
  off.addEventListener("click", () => { state = moved(state, one.layers, one.index, 0); settle(); });
  item.append(go, off);
  return item;
}

function describe(of) {
  const words = of.edits.map((one) => `${one.layers} ${one.index} at ${one.distance}`);
  return `${of.photo ? "Photograph" : `Seed ${of.seed}`}${words.length ? `, ${words.join(", ")}` : ", unedited"}`;
}

function shown({ state: of, full, took }) {
  at("latency").textContent = `${Math.round(took)} ms${full ? "" : " (preview)"}`;
  if (!full) return;
  at("picture").alt = describe(of);
  at("caption").textContent = of.edits.length ? "" : "unedited";
  if (took > SLOW && !told) {
    told = true;
    said(`A full picture takes about ${(took / 1000).toFixed(1)} s on this computer`, false, "picture");
  } else if (took <= SLOW) {
    over("picture");
  }
  if (at("beside").getAttribute("aria-pressed") === "true") showBeside();
  if (!at("along").hidden) showLines();
  later();
}

function later() {
  clearTimeout(idle);
  idle = setTimeout(() => sliders.fillStrips(() => !moving && !picture.open && at("explore").hidden === false), IDLE);
}

// --- before and after ----------------------------------------------------------------------------

let holding = false;

async function showBefore(on) {
  if (on === holding) return;
  holding = on;
  const frame = at("unedited-frame");
  if (!on) {
    frame.classList.remove("over");
    frame.hidden = at("beside").getAttribute("aria-pressed") !== "true";
    return;
  }
  at("unedited").src = await picture.before(state);
  if (!holding) return;
  frame.classList.add("over");
  frame.hidden = false;
}

async function showBeside() {
  at("unedited").src = await picture.before(state);
}

async function toggleBeside() {
  const on = at("beside").getAttribute("aria-pressed") !== "true";
  at("beside").setAttribute("aria-pressed", on);
  if (on) await showBeside();
  at("unedited-frame").hidden = !on;
  at("frames").classList.toggle("two", on);
}

// --- taking along --------------------------------------------------------------------------------

async function showLines() {
  const { command, python } = await json("api/lines", state);
  at("command").textContent = command;
  at("python").textContent = python;
}

function showPresets(held) {
  presets = held;
  stage.show();
  at("presets").replaceChildren(...held.map((one) => {
    const item = document.createElement("li");
    const go = document.createElement("button");
    const off = document.createElement("button");
    Object.assign(go, { type: "button", textContent: one.name });
    Object.assign(off, { type: "button", textContent: "×" });
    off.setAttribute("aria-label", `Remove the preset ${one.name}`);
    go.addEventListener("click", trying(() => open({ ...state, edits: one.edits }, true)));
    off.addEventListener("click", trying(() => setPreset(one.name, [])));
    item.append(go, off);
    return item;
  }));
}

async function setPreset(name, edits) {
  const { presets } = await json("api/presets", { network: state.network, name, edits });
  showPresets(presets);
}

async function savePreset(event) {
  event.preventDefault();
  const name = at("preset").value.trim();
  if (!state.edits.length) throw new Error("all sliders are at 0: move one first");
  await setPreset(name, state.edits);
  at("preset").value = "";
}

const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

// A file of `sefa preset export`: names and presets at once, then its pictures one by one.
async function importPresets(file) {
  const taken = await json("api/presets/file", await file.text());
  if (taken.network !== state.network) await open(first(networks.find((one) => one.id === taken.network)), true);
  await sliders.load();
  await loadPresets();
  for (const [place, one] of taken.states.entries()) {
    said(`Rendering picture ${place + 1} of ${taken.states.length} of the file`);
    await ask("api/keep", one);
  }
  if (!at("gallery").hidden) await gallery.show(state.network);
  const parts = [count(taken.named, "name"), count(taken.presets.length, "preset"), count(taken.states.length, "picture")];
  const left = [...taken.left, ...(taken.hidden ? [`${count(taken.hidden, "picture")} without sliders here`] : [])];
  said(`Taken: ${parts.join(", ")}${left.length ? `. Left: ${left.join("; ")}` : ""}`);
}

function sure(text) {
  at("ask-text").textContent = text;
  at("ask").returnValue = "no";
  at("ask").showModal();
  return new Promise((answered) => {
    at("ask").addEventListener("close", () => answered(at("ask").returnValue === "yes"), { once: true });
  });
}

const trying = (work) => (...given) => Promise.resolve(work(...given)).catch((error) => said(error.message, true));

async function keep() {
  if (shared) return;
  await gallery.keep(state);
  said("Kept, with its recipe");
}

async function openRecipe(file) {
  const { state: held } = await json("api/open", await file.text());
  await open({ ...first(network()), ...held }, true);
  said("The recipe is open");
}

// --- controls ------------------------------------------------------------------------------------

function seed(to) {
  const number = Math.min(Math.max(0, Math.round(to) || 0), 2 ** 32 - 1);
  state = { ...state, seed: number, photo: "" };
  change();
}

function tab(name) {
  for (const one of document.querySelectorAll("[role=tab]")) {
    const on = one.id === `tab-${name}`;
    one.setAttribute("aria-selected", on);
    one.tabIndex = on ? 0 : -1;
    at(one.getAttribute("aria-controls")).hidden = !on;
  }
  if (name === "gallery") trying(() => gallery.show(state.network))();
  if (name === "along") trying(showLines)();
  if (name === "photos") trying(() => photos.show())();
  if (name === "stage") stage.show();
  if (name === "explore") later();
}

function listen() {
  const on = (id, event, work) => at(id).addEventListener(event, trying(work));
  on("undo", "click", () => back(-1));
  on("redo", "click", () => back(1));
  on("keep", "click", keep);
  on("beside", "click", toggleBeside);
  for (const start of ["pointerdown"]) on("before", start, () => showBefore(true));
  for (const end of ["pointerup", "pointerleave", "pointercancel", "blur"]) on("before", end, () => showBefore(false));
  on("before", "keydown", (event) => event.key === " " && showBefore(true));
  on("before", "keyup", () => showBefore(false));
  on("seed", "input", () => at("seed").value !== "" && seed(Number(at("seed").value)));
  on("previous", "click", () => seed(state.seed - 1));
  on("next", "click", () => seed(state.seed + 1));
  on("dice", "click", () => seed(Math.floor(Math.random() * 100000)));
  on("trunc", "input", () => {
    const trunc = Number(at("trunc").value);
    if (at("trunc").value === "" || !Number.isFinite(trunc)) return;
    state = { ...state, trunc };
    change();
  });
  on("class", "input", () => { state = { ...state, class: Number(at("class").value) }; change(); });
  on("noise", "change", () => { state = { ...state, noise: at("noise").value }; settle(); });
  on("network", "change", () => open(first(networks.find((one) => one.id === at("network").value)), true));
  on("more", "click", async () => {
    await sliders.more();
    at("more").hidden = sliders.rows.size >= Math.min(sliders.total, 64);
    controls();
  });
  on("look", "click", () => look(1));
  on("clean", "change", () => pick(sliders.layers, at("clean").firstChild.checked));
  on("reset", "click", () => { state = unedited(state); sliders.refresh(); settle(); });
  on("preset-form", "submit", savePreset);
  on("export-presets", "click", async () => {
    save(await blob(`api/presets/file?network=${state.network}`), `${network().name}.presets.json`);
  });
  on("import-presets", "change", async () => {
    const [file] = at("import-presets").files;
    at("import-presets").value = "";
    if (file) await importPresets(file);
  });
  on("export", "click", () => gallery.export());
  on("empty", "click", () => gallery.removeAll());
  on("save-png", "click", async () => save(await blob("api/frame", state), `seed${String(state.seed).padStart(4, "0")}.png`));
  on("save-recipe", "click", async () => save(await blob("api/recipe", state), "recipe.json"));
  on("copy-link", "click", async () => said((await copy(asLink(state))) ? "The link is copied" : asLink(state)));
  on("open-recipe", "change", async () => {
    const [file] = at("open-recipe").files;
    at("open-recipe").value = "";
    if (file) await openRecipe(file);
  });
  for (const name of ["command", "python"]) {
    on(`copy-${name}`, "click", async () => said((await copy(at(name).textContent)) ? "Copied" : "The browser refused to copy"));
  }
  const tabs = [...document.querySelectorAll("[role=tab]")];
  tabs.forEach((one, place) => {
    one.addEventListener("click", () => tab(one.id.slice(4)));
    one.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const other = tabs[(place + step + tabs.length) % tabs.length];
      tab(other.id.slice(4));
      other.focus();
    });
  });
  document.addEventListener("keydown", trying(key));
  document.addEventListener("keyup", trying((event) => event.key.toLowerCase() === "b" && showBefore(false)));
  window.addEventListener("hashchange", trying(follow));
  window.addEventListener("pagehide", () => history.push(state));  // a change that is shown and not yet kept
}

// The next direction to look at, or the one before.
async function look(step) {
  if (at("explore").hidden) tab("explore");
  await sliders.next(step);
  at("more").hidden = sliders.rows.size >= Math.min(sliders.total, 64);
  later();
}

async function back(step) {
  if (moving) settle();
  const other = history.move(step);
  if (other) await open(other, false);
}

function key(event) {
  const typing = event.target.matches("input:not([type=range]):not([type=radio]), textarea, select") || at("lost").open;
  const name = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && (name === "z" || name === "y") && !typing) {
    event.preventDefault();
    return back(name === "y" || event.shiftKey ? 1 : -1);
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return null;
  const work = {
    b: () => showBefore(true), s: toggleBeside, k: keep, r: () => at("dice").click(),
    "[": () => seed(state.seed - 1), "]": () => seed(state.seed + 1),
    l: () => { at("latency").hidden = !at("latency").hidden; },
    n: () => look(1), p: () => look(-1),
  }[name];
  return event.repeat && "bskrl".includes(name) ? null : work?.();
}

// --- the beginning -------------------------------------------------------------------------------

// A link in the address: its state is shown, and the address is plain again.
async function follow() {
  const given = parts(location.hash);
  if (location.hash) window.history.replaceState(null, "", location.pathname);
  if (given.get("token")) {
    setToken(given.get("token"));
    if (!networks.length) return start();
  }
  const held = given.get("state") && fromLink(given.get("state"));
  if (held && networks.length) await linked(held);
  return null;
}

async function linked(held) {
  const one = networks.find((some) => some.id === held.network);
  if (!one) said("this link is of another network than those of this studio", true);
  else await open({ ...first(one), ...held }, true);
}

function lost() {
  at("lost").showModal();
  at("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    setToken(at("token").value);
    at("lost").close();
    trying(start)();
  }, { once: true });
}

async function start() {
  const given = parts(location.hash);
  let osc = "";
  if (!(await findToken()) && !document.documentElement.matches(".public")) return lost();
  if (location.hash) window.history.replaceState(null, "", location.pathname);
  try {
    ({ networks, osc, shared } = await json("api/studio"));
  } catch (error) {
    if (error.status === 403) return lost();
    throw error;
  }
  document.body.classList.toggle("shared", shared);
  if (shared) {
    film.bounded();
    at("gallery-about").textContent = "Pictures that were kept here, each with its recipe.";
  }
  at("network").replaceChildren(...networks.map((one) => new Option(`${one.name}, ${one.resolution} px`, one.id)));
  at("network").classList.toggle("only", networks.length === 1);
  history = new History(`sefa-studio-${networks.map((one) => one.id).join("-")}`);
  const held = given.get("state") && fromLink(given.get("state"));
  const known = history.now && networks.some((one) => one.id === history.now.network);
  state = known ? history.now : first(networks[0]);
  history.push(state);
  picture.settle(state);
  controls();
  listenOnce();
  await enter();
  if (held && !same(held, state)) await linked(held);
  await film.restore();
  if (!shared) await stage.start(osc);
  return null;
}

let listening = false;

function listenOnce() {
  if (!listening) listen();
  listening = true;
}

trying(start)();
