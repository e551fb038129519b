// Photographs: dropped, cropped by three clicks, projected while one watches, and then the subject of the sliders.

import { ask, blob, json } from "./api.js";
import { save } from "./files.js";
import { isBusy } from "./way.js";

const LONGEST = 2048; // pixels of what is sent
const EVERY = 1000; // milliseconds between looks at a projection
const POINTS = ["the eye on the left", "the eye on the right", "the middle of the mouth"];

// A file as a picture of bounded size, upright: the browser reads its EXIF data.
async function reduced(file) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) throw new Error(`${file.name}: the browser cannot read this picture; save it as JPEG or PNG`);
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((made) => canvas.toBlob(made, "image/jpeg", 0.95));
}

export class Photos {
  constructor(place, { network, opened, said }) {
    this.place = place;
    this.tell = { network, opened, said };
    this.shown = new Map(); // id -> its item, with the points that were clicked
    const trying = (work) => (...given) => Promise.resolve(work(...given)).catch((error) => said(error.message, true));
    this.trying = trying;
    const input = document.getElementById("photo-file");
    input.addEventListener("change", trying(async () => {
      const files = [...input.files];
      input.value = "";
      await this.add(files);
    }));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", trying((event) => {
      event.preventDefault();
      return this.add([...event.dataTransfer.files].filter((file) => file.type.startsWith("image/")));
    }));
  }

  async show() {
    const { photos } = await json(`api/photos?network=${this.tell.network()}`);
    for (const [id, item] of this.shown) {
      if (!photos.some((one) => one.id === id)) {
        item.remove();
        this.shown.delete(id);
      }
    }
    for (const one of photos) if (!this.shown.has(one.id)) await this.list(one);
  }

  async add(files) {
    for (const file of files) {
      const name = encodeURIComponent(file.name);
      const answer = await ask(`api/photos?network=${this.tell.network()}&name=${name}`, await reduced(file));
      await this.list(await answer.json());
    }
    if (files.length) this.tell.opened(null);
  }

  async list(one) {
    const item = document.createElement("li");
    const parts = Object.fromEntries(
      ["figure", "img", "p", "progress", "div"].map((kind) => [kind, document.createElement(kind)]),
    );
    parts.img.alt = one.name || "photograph";
    parts.img.src = URL.createObjectURL(await blob(`api/photos/${one.id}/picture`));
    parts.figure.append(parts.img);
    parts.div.className = "row";
    parts.progress.hidden = true;
    const buttons = ["Project", "Cancel", "Edit", "Save ws", "Remove"].map((words) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: words });
      parts.div.append(button);
      return button;
    });
    const [project, cancel, edit, ws, remove] = buttons;
    const points = [];
    const hint = () => {
      parts.p.textContent = points.length < 3
        ? `${one.name}: click ${POINTS[points.length]}, or project its middle`
        : `${one.name}: aligned`;
    };
    parts.figure.addEventListener("click", (event) => {
      if (event.target !== parts.img || isBusy(item.dataset)) return;
      if (item.dataset.beside) return;
      if (points.length === 3) {
        points.length = 0;
        for (const dot of parts.figure.querySelectorAll("span")) dot.remove();
      }
      const box = parts.img.getBoundingClientRect();
      const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
      points.push([x * one.width, y * one.height]);
      const dot = document.createElement("span");
      Object.assign(dot.style, { left: `${100 * x}%`, top: `${100 * y}%` });
      parts.figure.append(dot);
      hint();
    });
    const shows = (held) => {
      item.dataset.state = held.state;
      const busy = isBusy(held);
      project.hidden = busy;
      cancel.hidden = !busy;
      edit.hidden = ws.hidden = !held.projected;
      parts.progress.hidden = !busy;
      Object.assign(parts.progress, { max: held.total || 1, value: held.done });
      if (held.beside) {
        for (const dot of parts.figure.querySelectorAll("span")) dot.remove();
        parts.img.src = held.beside;
        item.dataset.beside = "yes";
      }
      if (held.message) parts.p.textContent = held.message;
    };
    const watch = async () => {
      const held = await json(`api/photos/${one.id}`);
      shows(held);
      if (isBusy(held)) setTimeout(this.trying(watch), EVERY);
      else if (held.state === "done") this.tell.opened(one.id);
    };
    project.addEventListener("click", this.trying(async () => {
      const crop = points.length === 3 ? `eyes=${points.flat().map((at) => at.toFixed(1)).join(",")}` : "center";
      shows({ ...(await json("api/project", { id: one.id, crop })), beside: "" });
      await watch();
    }));
    cancel.addEventListener("click", this.trying(async () => { await json(`api/photos/${one.id}/cancel`, ""); }));
    edit.addEventListener("click", () => this.tell.opened(one.id));
    ws.addEventListener("click", this.trying(async () => save(await blob(`api/photos/${one.id}/ws`), "projected_w.npz")));
    remove.addEventListener("click", this.trying(async () => {
      await json(`api/photos/${one.id}/remove`, "");
      this.shown.delete(one.id);
      item.remove();
    }));
    item.append(parts.figure, parts.p, parts.progress, parts.div);
    this.place.append(item);
    this.shown.set(one.id, item);
    hint();
    shows(one);
    if (isBusy(one)) await watch();
  }
}
