// A rectangle over the picture: its directions are found in the background, and then have sliders like others.

import { json } from "./api.js";
import { Way, isBusy } from "./way.js";

const LEAST = 0.01; // of a side: less is a click, not a rectangle

// The rectangle of a group of directions, as it is typed; "" where it has none.
export const regionIn = (group) => (group.match(/-in-([\d.]+(?:_[\d.]+){3})$/)?.[1] || "").replaceAll("_", ",");

export class Region {
  // network(): its id; found(groups, layers): its sliders are there, among those of these groups.
  constructor({ network, found, said }) {
    this.tell = { network, found, said };
    this.at = (id) => document.getElementById(id);
    this.trying = (work) => (...given) => Promise.resolve(work(...given)).catch((error) => said(error.message, true));
    this.way = new Way(this.at("region-way"), this.at("region-form").querySelector("button"), {
      ask: () => this.ask("api/region"), cancel: () => this.ask("api/region/cancel", ""), over: (held) => this.over(held), said,
    });
    this.draw();
    this.at("region-part").addEventListener("toggle", () => this.show());
    this.at("region").addEventListener("input", () => this.show());
    this.at("region-form").addEventListener("submit", this.trying(async (event) => {
      event.preventDefault();
      await this.way.watch(await json("api/region", { network: this.tell.network(), region: this.at("region").value }));
    }));
    window.addEventListener("resize", () => this.show());
    this.at("picture").addEventListener("load", () => this.show());
  }

  // Sliders of another group are shown.
  pick(group) {
    if (regionIn(group)) this.at("region").value = regionIn(group);
    this.show();
  }

  get numbers() {
    const numbers = this.at("region").value.split(",").map(Number);
    return numbers.length === 4 && numbers.every(Number.isFinite) ? numbers : null;
  }

  // The rectangle that is typed, over the picture.
  show() {
    const open = this.at("region-part").open;
    this.at("frames").classList.toggle("drawing", open);
    const [box, numbers] = [this.at("region-box"), this.numbers];
    box.hidden = !open || !numbers;
    if (box.hidden) return;
    const [picture, frame] = ["picture", "picture-frame"].map((id) => this.at(id).getBoundingClientRect());
    const [x, y, wide, high] = numbers;
    Object.assign(box.style, {
      left: `${picture.left - frame.left + x * picture.width}px`, top: `${picture.top - frame.top + y * picture.height}px`,
      width: `${wide * picture.width}px`, height: `${high * picture.height}px`,
    });
  }

  draw() {
    const picture = this.at("picture");
    let from = null;
    const place = (event) => {
      const box = picture.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
        .map((at) => Math.min(Math.max(at, 0), 1));
    };
    picture.addEventListener("pointerdown", (event) => {
      if (!this.at("region-part").open) return;
      event.preventDefault();
      picture.setPointerCapture(event.pointerId);
      from = place(event);
    });
    picture.addEventListener("pointermove", (event) => {
      if (!from) return;
      const to = place(event);
      const start = [0, 1].map((axis) => Math.min(from[axis], to[axis]));
      const size = [0, 1].map((axis) => Math.abs(from[axis] - to[axis]));
      if (Math.min(...size) < LEAST) return;
      this.at("region").value = [...start, ...size].map((number) => Number(number.toFixed(3))).join(",");
      this.show();
    });
    for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, () => { from = null; });
  }

  ask(path, body) {
    return json(`${path}?network=${this.tell.network()}`, body);
  }

  // After the page is loaded: a search that is on its way is shown.
  async restore() {
    const held = await this.ask("api/region");
    if (isBusy(held)) await this.way.watch(held);
  }

  async over(held) {
    if (held.state === "done") await this.tell.found(held.groups, held.layers);
  }
}
