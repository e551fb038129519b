// The stage: this page's state is shared with the picture window and with controllers, whose knobs can be learned.

import { address, ask, json, visitor } from "./api.js";
import { merged, same } from "./history.js";
import { recall, remember } from "./store.js";

const AGAIN = 1000; // milliseconds until a studio that does not answer is asked again
const KEY = "sefa-studio-stage"; // of this tab
const BUTTONS = ["seed/next", "seed/previous", "seed/random", "reset", "preset/"];

export const asAddress = (name) => name.replace(/[\s#*,/?[\]{}]+/g, "-");

export class Stage {
  // state(): of the page; changed(state): it is another one now; controls(): their names, `[[control, name], ...]`.
  constructor({ state, changed, controls, said }) {
    Object.assign(this, { tell: { state, changed, controls, said }, on: false, number: 0, base: null, sending: null });
    this.learned = {}; // control by source
    this.learning = null; // the control that takes the next source
    this.moves = new Map(); // newest values of knobs, by source
    this.moving = false;
    this.find = (id) => document.getElementById(id);
    const trying = (work) => (...given) => Promise.resolve(work(...given)).catch((error) => said(error.message, true));
    this.trying = trying;
    this.find("on-stage").addEventListener("click", trying(() => this.set(!this.on)));
    this.find("open-stage").addEventListener("click", trying(() => this.open()));
    this.find("midi").addEventListener("click", trying(() => this.useMidi()));
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.learn(null));
  }

  // At the beginning of the page.
  async start(osc) {
    this.osc = osc;
    this.find("osc-about").textContent = osc
      ? `Messages of Open Sound Control are taken at ${osc} (UDP). A slider goes from −1 to 1, which are the ends of its range; 0 is unedited.`
      : "For messages of Open Sound Control, start the studio with --osc 9000.";
    if (osc || recall(KEY)) await this.set(true);
  }

  async set(on) {
    if (on === this.on) return;
    this.on = on;
    remember(KEY, on ? "yes" : "");
    this.find("on-stage").setAttribute("aria-pressed", on);
    if (!on) return;
    const shared = await json("api/stage?after=0");
    this.number = shared.number;
    if (shared.number > 1 && shared.by !== visitor && this.osc) {
      this.base = shared.state; // others are on stage: go along with them
      this.tell.changed(shared.state);
    } else {
      this.base = null;
      this.push();
    }
    this.follow();
  }

  async open() {
    await this.set(true);
    window.open(address("stage"), "sefa-stage", "popup");
  }

  // --- the shared state --------------------------------------------------------------------------

  // The page's state has changed: share it, one request at a time.
  push() {
    if (!this.on || this.sending || (this.base && same(this.base, this.tell.state()))) return;
    this.sending = this.send().catch(() => {}).finally(() => {
      this.sending = null;
      if (this.on) this.push();
    });
  }

  async send() {
    const mine = this.tell.state();
    const sent = this.base ? { state: mine, over: this.base } : { state: mine };
    const shared = await json("api/stage", sent).catch(async (error) => {
      await new Promise((again) => setTimeout(again, AGAIN));
      throw error;
    });
    this.take(shared, mine);
  }

  // What was shared, with what this page has changed since `from`.
  take(shared, from) {
    if (shared.number < this.number || !this.on) return;
    const mine = this.tell.state();
    const next = from ? merged(from, mine, shared.state) : shared.state;
    Object.assign(this, { number: shared.number, base: shared.state });
    if (!same(next, mine)) this.tell.changed(next);
    if (shared.problem !== this.problem) {
      this.problem = shared.problem;
      this.tell.said(shared.problem, true);
    }
    if (this.learning && shared.unassigned && shared.number > this.learning.after) {
      this.trying(() => this.bind(this.learning.control, shared.unassigned))();
    }
  }

  async follow() {
    const following = (this.following = Symbol("stage"));
    while (this.on && this.following === following) {
      try {
        const answer = await ask(`api/stage?after=${this.number}`);
        if (this.sending) await this.sending; // its answer is newer
        else if (answer.status === 200) this.take(await answer.json(), this.base);
      } catch {
        await new Promise((again) => setTimeout(again, AGAIN));
        this.number = 0; // the studio may have been started anew
      }
    }
  }

  // --- knobs -------------------------------------------------------------------------------------

  async useMidi() {
    if (!navigator.requestMIDIAccess) throw new Error("this browser has no MIDI; Chromium, Edge and Firefox have");
    const access = await navigator.requestMIDIAccess().catch(() => { throw new Error("the browser refused MIDI"); });
    const attach = () => {
      const names = [];
      for (const input of access.inputs.values()) {
        input.onmidimessage = (event) => this.midi(event.data);
        names.push(input.name || "a controller");
      }
      this.find("midi-about").textContent = names.length ? `MIDI: ${names.join(", ")}` : "MIDI: no controller is connected";
    };
    access.onstatechange = attach;
    attach();
    this.find("midi").setAttribute("aria-pressed", true);
    await this.set(true);
    this.show();
  }

  midi([status, first, second = 0]) {
    const channel = (status & 15) + 1;
    const kind = { 0x90: "note", 0xb0: "cc", 0xe0: "bend" }[status & 0xf0];
    if (!kind || (kind === "note" && !second)) return; // a note is pressed, not released
    const value = kind === "bend" ? ((second << 7) | first) : second;
    const middle = kind === "bend" ? 8192 : 64;
    const part = value <= middle ? value / middle / 2 : 0.5 + (value - middle) / (middle - 1) / 2; // the middle is 0
    this.move(`midi ${channel} ${kind} ${kind === "bend" ? 0 : first}`, part);
  }

  move(source, value) {
    if (this.learning) {
      this.trying(() => this.bind(this.learning.control, source))();
      return;
    }
    const control = this.learned[source];
    if (!control || (!value && BUTTONS.some((one) => control.startsWith(one)))) return;
    this.moves.set(source, value);
    this.pump();
  }

  // The newest value of each knob, one request at a time.
  async pump() {
    if (this.moving || !this.moves.size) return;
    this.moving = true;
    const moves = Object.fromEntries(this.moves);
    this.moves.clear();
    try {
      const from = this.base;
      const shared = await json("api/stage/move", { network: this.tell.state().network, moves });
      if (!this.sending && from === this.base) this.take(shared, this.base);
    } catch (error) {
      this.tell.said(error.message, true);
    } finally {
      this.moving = false;
      this.pump();
    }
  }

  learn(control) {
    this.learning = control && { control, after: this.number };
    if (control) this.tell.said("Move a knob or a fader, or press a key of the controller; Escape ends that");
    this.show();
  }

  async bind(control, source) {
    this.learning = null;
    const { controls } = await json("api/controls", { network: this.tell.state().network, control, source });
    this.learned = controls;
    this.tell.said(source ? `${named(source)} is learned` : "");
    this.show();
  }

  // --- the list ----------------------------------------------------------------------------------

  show() {
    if (this.find("stage-panel").hidden) return;
    const by = Object.fromEntries(Object.entries(this.learned).map(([source, control]) => [control, source]));
    this.find("controls").replaceChildren(...this.tell.controls().map(([control, name]) => this.item(control, name, by[control])));
  }

  item(control, name, source) {
    const item = document.createElement("li");
    const what = document.createElement("div");
    const words = document.createElement("span");
    const code = document.createElement("code");
    const learn = document.createElement("button");
    words.textContent = name;
    code.textContent = `/sefa/${control}`;
    what.className = "what";
    what.append(words, ...(this.osc ? [code] : []));
    item.append(what);
    const waits = this.learning?.control === control;
    Object.assign(learn, { type: "button", textContent: waits ? "move it…" : source ? named(source) : "Learn" });
    learn.setAttribute("aria-label", `${source ? `${named(source)} moves ${name}; learn another` : `Learn what moves ${name}`}`);
    learn.setAttribute("aria-pressed", waits);
    learn.classList.toggle("learned", Boolean(source));
    learn.addEventListener("click", () => this.learn(waits ? null : control));
    item.append(learn);
    if (source) {
      const off = document.createElement("button");
      Object.assign(off, { type: "button", textContent: "×" });
      off.setAttribute("aria-label", `Forget what moves ${name}`);
      off.addEventListener("click", this.trying(() => this.bind(control, null)));
      item.append(off);
    }
    return item;
  }
}

// `midi 1 cc 7` in words.
function named(source) {
  const [, channel, kind, number] = source.match(/^midi (\d+) (\w+) (\d+)$/) || [];
  if (!channel) return source;
  const what = { cc: `knob ${number}`, note: `key ${number}`, bend: "bend" }[kind];
  return channel === "1" ? what : `${what}, channel ${channel}`;
}
