// The picture: at most two requests at a time, the newest state wins, and the last one is always shown in full.

import { blob } from "./api.js";
import { same, unedited } from "./history.js";

const AT_ONCE = 2;
const AGAIN = 1500; // milliseconds after which a lost picture is asked for again

export class Picture {
  constructor(image, { shown, failed }) {
    this.image = image;
    this.tell = { shown, failed };
    this.number = 0; // of the newest state
    this.sent = 0;
    this.latest = 0; // of the picture that is shown
    this.open = 0;
    this.newest = null;
    this.plain = { key: "", url: "" }; // the unedited picture, for before and after
  }

  // While a control moves: in less time.
  preview(state, moving = "") {
    this.newest = { number: ++this.number, state, moving, full: false };
    this.pump();
  }

  // When it is released.
  settle(state) {
    this.newest = { number: ++this.number, state, moving: "", full: true };
    this.pump();
  }

  pump() {
    if (this.open >= AT_ONCE || !this.newest || this.newest.number === this.sent) return;
    const wanted = this.newest;
    this.sent = wanted.number;
    this.open += 1;
    this.fetch(wanted).finally(() => {
      this.open -= 1;
      this.pump();
    });
  }

  async fetch(wanted) {
    const began = performance.now();
    try {
      const path = wanted.full ? "api/frame" : "api/preview";
      const made = await blob(path, wanted.full ? wanted.state : { state: wanted.state, moving: wanted.moving });
      if (made) await this.show(made, wanted, performance.now() - began);
    } catch (error) {
      if (wanted.number !== this.number) return;
      this.tell.failed(error);
      if (error.status === 0 || error.status === 503) {
        setTimeout(() => wanted.number === this.number && this.settle(wanted.state), AGAIN);
      }
    }
  }

  async show(made, wanted, took) {
    if (wanted.number < this.latest) return;
    this.latest = wanted.number;
    const before = this.image.src;
    const url = URL.createObjectURL(made);
    this.image.src = url;
    const whole = await this.image.decode().then(() => true, () => false);
    if (before.startsWith("blob:")) URL.revokeObjectURL(before);
    if (wanted.number < this.latest) return;
    if (!whole) throw new Error("this picture cannot be shown");
    const kind = wanted.full ? "full" : "preview";
    this.image.dataset.state = `${wanted.number} ${kind} ${JSON.stringify(wanted.state)}`;
    if (wanted.full) this.made = made;
    this.tell.shown({ ...wanted, took });
  }

  // The address of the unedited picture.
  async before(state) {
    const plain = unedited(state);
    if (!same(plain, this.plain.state)) {
      const made = await blob("api/frame", plain);
      this.plain = { state: plain, url: URL.createObjectURL(made) };
    }
    return this.plain.url;
  }
}
