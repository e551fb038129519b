// The sliders: a direction each, over its calibrated range, with pictures along it.

import { ask, json } from "./api.js";
import { distance } from "./history.js";

const FIRST = 6;
const MORE = 6;
const SNAP = 0.025; // of a slider's span, round 0
const POLL = 1500; // milliseconds until ranges are asked for again
const HEAVY = 4000; // milliseconds of a strip beyond which only that of the direction at hand is made

export class Sliders {
  // moved(layers, index, to, dragging): a slider is at another distance; settled(): it is released; loaded(): ranges are
  // there, whose strips can be made.
  constructor(list, { state, moved, settled, loaded, said }) {
    this.list = list;
    this.tell = { state, moved, settled, loaded, said };
    this.rows = new Map(); // by number
    this.layers = "all";
    this.count = FIRST;
    this.strips = new Map(); // by what they show
    this.heavy = false;
    this.busy = false;
    this.timer = 0;
    this.at = null; // the number of the direction at hand
    this.clean = false; // those that do one thing first, where that order is known (`ordered`)
    this.ordered = false;
  }

  async show(network, layers, count = FIRST, clean = false) {
    const other = network !== this.network || layers !== this.layers || clean !== this.clean;
    Object.assign(this, { network, layers, count, clean });
    if (other) {
      this.list.replaceChildren();
      this.rows.clear();
      this.at = null;
    }
    await this.load();
  }

  // Pictures of directions that may be other ones now.
  forget() {
    this.strips.clear();
    for (const row of this.rows.values()) row.key = "";
  }

  async more() {
    await this.show(this.network, this.layers, this.count + MORE, this.clean);
  }

  async load() {
    clearTimeout(this.timer);
    const { network, layers, count, clean } = this;
    const order = clean ? "clean" : "strength";
    const asked = new URLSearchParams({ network, layers, order, count: Math.min(count, 64) });
    const found = await json(`api/directions?${asked}`);
    if (network !== this.network || layers !== this.layers || clean !== this.clean) return;
    Object.assign(this, { total: found.total, ordered: found.ordered });
    for (const one of found.directions) this.update(one);
    this.refresh();
    this.tell.loaded();
    if (found.directions.some((one) => one.measuring)) {
      this.timer = setTimeout(() => this.load().catch(() => {}), POLL);
    }
  }

  update(about) {
    let row = this.rows.get(about.index);
    if (!row) {
      row = this.build(about.index);
      this.rows.set(about.index, row);
      this.list.append(row.item);
    }
    row.about = about;
    const title = about.name || `Direction ${about.index}`;
    row.label.textContent = title;
    row.item.classList.toggle("measuring", about.measuring);
    row.star.setAttribute("aria-pressed", about.starred);
    row.star.setAttribute("aria-label", `Star ${title}`);
    row.rename.setAttribute("aria-label", `Rename ${title}`);
    if (document.activeElement !== row.note) row.note.value = about.note;
    const changes = about.attributes.map(({ attribute, by }) => `${attribute.replaceAll("_", " ")} ${by > 0 ? "+" : "−"}${Math.abs(by).toFixed(1)}`);
    row.attributes.textContent = changes.length ? `Scored, towards +: ${changes.join(", ")}.` : "";
    this.fit(row, distance(this.tell.state(), this.layers, about.index));
  }

  // The ends of a slider: its range, and further if its value is.
  fit(row, value) {
    const { low, high } = row.about;
    const step = 10 ** Math.floor(Math.log10((high - low) / 100));
    const digits = Math.max(0, -Math.round(Math.log10(step)));
    const min = Math.min(Math.floor(low / step) * step, value);
    const max = Math.max(Math.ceil(high / step) * step, value);
    Object.assign(row.input, { min: min.toFixed(digits + 2), max: max.toFixed(digits + 2), step: "any" });
    Object.assign(row, { min, max, step, digits });
    row.item.style.setProperty("--zero", (0 - min) / (max - min));
    this.place(row, value);
  }

  place(row, value) {
    row.input.value = value;
    row.value.textContent = value ? `${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(row.digits)}` : "0";
    row.item.classList.toggle("used", Boolean(value));
    row.item.style.setProperty("--at", (value - row.min) / (row.max - row.min));
    row.input.setAttribute("aria-valuetext", value ? row.value.textContent : "0, unedited");
  }

  build(index) {
    const item = document.createElement("li");
    item.className = "direction";
    const id = `direction-${index}`;
    item.innerHTML = `
      <div class="head">
        <button class="star" type="button" aria-pressed="false"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="m12 4 2.5 5.2 5.5.8-4 4 1 5.7-5-2.7-5 2.7 1-5.7-4-4 5.5-.8z"/></svg></button>
        <label for="${id}"></label>
        <button class="rename" type="button" title="Rename"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="m4 20 1-4L16 5l3 3L8 19z"/></svg></button>
        <output for="${id}"></output>
      </div>
      <div class="way"><div class="place"><img class="strip" alt="" hidden></div><div class="track"><input id="${id}" type="range"></div></div>
      <div class="said" hidden>
        <figure class="end" hidden><img alt="At its lowest"><figcaption></figcaption></figure>
        <figure class="end high" hidden><img alt="At its highest"><figcaption></figcaption></figure>
        <figure class="map" hidden><img alt="Where it changes the picture"><figcaption>where</figcaption></figure>
        <div class="text"><p class="words"></p><p class="attributes" title="By scored samples, in their standard deviations, from end to end"></p><label>Note <input class="note" type="text" maxlength="1000"></label></div>
      </div>`;
    const find = (query) => item.querySelector(query);
    const row = {
      index, item, label: find("label"), input: find("input[type=range]"), value: find("output"), star: find(".star"),
      rename: find(".rename"), strip: find(".strip"), said: find(".said"), map: find(".map"), words: find(".words"), attributes: find(".attributes"),
      ends: [...item.querySelectorAll(".end")], note: find(".note"), about: { low: -1, high: 1 },
    };
    this.listen(row);
    return row;
  }

  listen(row) {
    let dragging = false;
    const to = (value, hold) => {
      const zero = SNAP * (row.max - row.min);
      let at = hold && Math.abs(value) < zero ? 0 : Math.round(value / row.step) * row.step;
      at = Number(Math.min(Math.max(at, row.min), row.max).toFixed(row.digits + 2));
      this.place(row, at);
      this.hand(row);
      this.tell.moved(this.layers, row.index, at, hold);
    };
    row.input.addEventListener("pointerdown", () => {
      dragging = true;
      const end = () => {
        dragging = false;
        for (const name of ["pointerup", "pointercancel"]) window.removeEventListener(name, end);
        this.tell.settled();
      };
      for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, end);
    });
    row.input.addEventListener("input", () => to(Number(row.input.value), dragging));
    row.input.addEventListener("dblclick", () => { to(0, false); this.tell.settled(); });
    row.input.addEventListener("focus", () => this.hand(row));
    row.input.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
      const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
      const now = distance(this.tell.state(), this.layers, row.index);
      if (steps && plain) to(now + steps * row.step * (event.shiftKey ? 10 : 1), false);
      else if (event.key === "0" && plain) to(0, false);
      else if (event.key === "Home" && plain) to(row.min, false);
      else if (event.key === "End" && plain) to(row.max, false);
      else return;
      event.preventDefault();
    });
    row.strip.addEventListener("click", (event) => {
      const box = row.strip.getBoundingClientRect();
      const tiles = 7;
      const tile = Math.min(tiles - 1, Math.floor(((event.clientX - box.left) / box.width) * tiles));
      to(row.about.low + ((row.about.high - row.about.low) * tile) / (tiles - 1), false);
      this.tell.settled();
    });
    row.star.addEventListener("click", () => this.set(row, { starred: !row.about.starred }));
    row.rename.addEventListener("click", () => this.askName(row));
    row.label.addEventListener("dblclick", () => this.askName(row));
    row.note.addEventListener("change", () => this.set(row, { note: row.note.value.trim() }));
  }

  async set(row, what) {
    try {
      await ask("api/name", { network: this.network, layers: this.layers, index: row.index, ...what });
    } catch (error) {
      this.tell.said(error.message, true);
    }
    await this.load();
  }

  askName(row) {
    if (row.item.querySelector(".naming")) return;
    const field = document.createElement("input");
    Object.assign(field, { className: "naming", type: "text", maxLength: 100, value: row.about.name });
    field.placeholder = `Direction ${row.index}`;
    field.setAttribute("aria-label", `Name of direction ${row.index}`);
    row.label.hidden = true;
    row.label.after(field);
    field.focus();
    field.select();
    let done = false;
    const end = (save) => {
      if (done) return;
      done = true;
      const name = field.value.trim();
      field.remove();
      row.label.hidden = false;
      if (save && name !== row.about.name) this.set(row, { name });
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === "Escape") {
        event.preventDefault(); // else the key presses the button that has the focus next
        end(event.key === "Enter");
        row.rename.focus();
      }
    });
    field.addEventListener("blur", () => end(true));
  }

  // The direction at hand says what it does.
  hand(row) {
    if (this.at === row.index) return;
    const before = this.rows.get(this.at);
    before?.said.setAttribute("hidden", "");
    before?.item.classList.remove("hand");
    this.at = row.index;
    row.said.hidden = false;
    row.item.classList.add("hand");
  }

  // The direction after (or before) the one at hand, in their order; more are shown where there are more.
  async next(step) {
    const to = this.at === null ? 0 : Math.max(0, [...this.rows.keys()].indexOf(this.at) + step);
    if (to >= this.rows.size && this.rows.size < Math.min(this.total, 64)) await this.more();
    const row = [...this.rows.values()][to];
    if (!row) return;
    row.input.focus({ preventScroll: true });
    row.item.scrollIntoView({ block: "center", behavior: "instant" });
  }

  // All sliders at the distances of the present state.
  refresh() {
    for (const row of this.rows.values()) this.fit(row, distance(this.tell.state(), this.layers, row.index));
  }

  // What the strip of a direction depends on.
  shows(row) {
    const state = this.tell.state();
    const edits = state.edits.filter((one) => one.layers !== this.layers || one.index !== row.index);
    const { low, high } = row.about;
    return { state: { ...state, edits }, layers: this.layers, index: row.index, low, high };
  }

  // Make the strips that are missing, one by one, until `calm` says that somebody is at work.
  async fillStrips(calm) {
    if (this.busy) return;
    this.busy = true;
    try {
      const hand = this.rows.get(this.at);
      const rows = [...(hand ? [hand] : []), ...[...this.rows.values()].filter((row) => row !== hand)];
      for (const row of rows) {
        const shows = this.shows(row);
        const key = JSON.stringify(shows);
        row.item.classList.toggle("stale", row.key !== key);
        if (row.key === key || row.about.measuring || (this.heavy && row !== hand)) continue;
        if (!calm()) return;
        const began = performance.now();
        const kept = this.strips.get(key);
        const made = kept || (await this.strip(shows));
        if (!made) continue;
        if (!kept) this.heavy = performance.now() - began > HEAVY;
        this.strips.set(key, made);
        if (this.strips.size > 60) this.strips.delete(this.strips.keys().next().value);
        if (key === JSON.stringify(this.shows(row))) this.showStrip(row, key, made);
      }
    } catch {
      // The next calm moment tries again.
    } finally {
      this.busy = false;
    }
  }

  async strip(shows) {
    const answer = await ask("api/strip", shows);
    return answer.status === 204 ? null : answer.json();
  }

  showStrip(row, key, made) {
    row.key = key;
    row.strip.src = made.strip;
    row.strip.hidden = false;
    row.ends.forEach((end, place) => {
      end.querySelector("img").src = made.strip;
      end.querySelector("figcaption").textContent = place ? `+${row.about.high}` : `−${Math.abs(row.about.low)}`;
      end.hidden = false;
    });
    row.map.querySelector("img").src = made.heat;
    row.map.hidden = made.where === "nowhere";
    const words = made.words.length ? `Towards +: ${made.words.join(", ")}.` : "";
    const inside = row.about.inside === null ? "" : ` ${Math.round(100 * row.about.inside)} % of the change is inside the region.`;
    const alike = row.about.alike === null ? "" : ` ${Math.round(100 * row.about.alike)} % of the change is the same in all pictures.`;
    row.words.textContent = `${words} Changes: ${made.where}.${inside}${alike}`.trim();
    row.item.classList.remove("stale");
  }
}
