// All states in turn, for undo and redo; they survive a reload of the tab.

const MOST = 200;

export class History {
  constructor(key) {
    this.key = key;
    this.states = [];
    this.place = -1;
    try {
      const held = JSON.parse(sessionStorage.getItem(key) || "{}");
      if (Array.isArray(held.states) && held.states[held.place]) Object.assign(this, held);
    } catch {
      sessionStorage.removeItem(key);
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
    sessionStorage.setItem(this.key, JSON.stringify({ states: this.states, place: this.place }));
  }
}

export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

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

export function asLink(state) {
  const text = btoa(JSON.stringify(state)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return `${location.origin}/#state=${text}`;
}

export function fromLink(text) {
  try {
    return JSON.parse(atob(text.replace(/-/g, "+").replace(/_/g, "/")));
  } catch {
    return null;
  }
}
