// All states in turn, for undo and redo; they survive a reload of the tab.

import { address } from "./api.js";
import { recall, remember } from "./store.js";

const MOST = 200;

export class History {
  constructor(key) {
    this.key = key;
    this.states = [];
    this.place = -1;
    try {
      const held = JSON.parse(recall(key) || "{}");
      if (Array.isArray(held.states) && held.states[held.place]) Object.assign(this, held);
    } catch {
      // Of another version: begin anew.
    }
  }

  get now() {
    return this.states[this.place];
  }

  push(state) {
    if (same(state, this.now)) return;
    this.states = [...this.states.slice(0, this.place + 1), state].slice(-MOST);
    this.place = this.states.length - 1;
    this.save();
  }

  move(step) {
    const place = this.place + step;
    if (place < 0 || place >= this.states.length) return null;
    this.place = place;
    this.save();
    return this.now;
  }

  get canUndo() {
    return this.place > 0;
  }

  get canRedo() {
    return this.place < this.states.length - 1;
  }

  save() {
    remember(this.key, JSON.stringify({ states: this.states, place: this.place }));
  }
}

const FIELDS = ["network", "seed", "trunc", "class", "noise", "edits", "photo"];
const text = (state) => JSON.stringify(FIELDS.map((key) => state?.[key] ?? ""));

// Whether two states are the same, whatever the order of their parts; no photograph is the same as none.
export const same = (one, other) => text(one) === text(other);

export const unedited = (state) => ({ ...state, edits: [] });

export function distance(state, layers, index) {
  const held = state.edits.find((one) => one.layers === layers && one.index === index);
  return held ? held.distance : 0;
}

// The state with one direction at another distance; at 0 it is left out.
export function moved(state, layers, index, to) {
  const place = state.edits.findIndex((one) => one.layers === layers && one.index === index);
  const edits = [...state.edits];
  if (place < 0) {
    if (to) edits.push({ layers, index, distance: to });
  } else if (to) {
    edits[place] = { layers, index, distance: to };
  } else {
    edits.splice(place, 1);
  }
  return { ...state, edits };
}

// `theirs` with what differs between `base` and `mine`.
export function merged(base, mine, theirs) {
  if (mine.network !== base.network || theirs.network !== base.network) {
    return mine.network !== base.network ? mine : theirs;
  }
  let made = { ...theirs };
  for (const key of ["seed", "trunc", "class", "noise", "photo"]) {
    if ((mine[key] ?? "") !== (base[key] ?? "")) made[key] = mine[key];
  }
  for (const { layers, index } of [...base.edits, ...mine.edits]) {
    const to = distance(mine, layers, index);
    if (to !== distance(base, layers, index)) made = moved(made, layers, index, to);
  }
  return made;
}

// The group of layers whose sliders differ between two states; "" where these are several.
export function layersMoved(before, after) {
  const differ = [...before.edits, ...after.edits].filter(
    ({ layers, index }) => distance(before, layers, index) !== distance(after, layers, index),
  );
  const groups = new Set(differ.map((one) => one.layers));
  return groups.size === 1 ? [...groups][0] : "";
}

export function asLink(state) {
  const text = btoa(JSON.stringify(state)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return `${address("")}#state=${text}`;
}

export function fromLink(text) {
  try {
    return JSON.parse(atob(text.replace(/-/g, "+").replace(/_/g, "/")));
  } catch {
    return null;
  }
}
