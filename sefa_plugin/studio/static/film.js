// Videos: rendered in the background, with progress, and downloaded.

import { blob, json } from "./api.js";
import { save } from "./files.js";
import { recall, remember } from "./store.js";
import { isBusy } from "./way.js";

const POLL = 700;
const KEY = "sefa-studio-videos"; // of this tab: they are found again after a reload

export class Film {
  constructor(form, list, { state, seeds, kept, said }) {
    Object.assign(this, { form, list, tell: { state, seeds, kept, said } });
    const kind = form.querySelector("#kind");
    const loop = form.querySelector("#loop");
    const easing = form.querySelector("#easing");
    kind.addEventListener("change", () => {
      loop.value = kind.value === "edit" ? "pingpong" : "closed";
      easing.value = ["walk", "kept"].includes(kind.value) ? "cubic" : "sine";
      form.querySelector("#frames-count").value = Math.min(kind.value === "edit" ? 60 : 180, this.most || 180);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
  }

  async start() {
    const of = (id) => this.form.querySelector(id).value;
    const record = {
      state: this.tell.state(), kind: of("#kind"), frames: Number(of("#frames-count")), fps: Number(of("#fps")),
      loop: of("#loop"), easing: of("#easing"), video: of("#video"),
    };
    if (of("#width")) record.size = Number(of("#width"));
    if (record.kind === "walk") record.seeds = await this.tell.seeds();
    if (record.kind === "kept") record.kept = await this.tell.kept();
    try {
      const { id } = await json("api/record", record);
      this.remember([...this.known(), { id, kind: record.video }]);
      this.follow({ id }, record.video);
    } catch (error) {
      this.tell.said(error.message, true);
    }
  }

  // Of a studio that is shared with strangers.
  bounded() {
    Object.assign(this, { most: 120 });
    const frames = this.form.querySelector("#frames-count");
    Object.assign(frames, { max: this.most, value: Math.min(frames.value, this.most) });
    this.form.querySelector("#width").max = 1024;
    this.form.querySelector("#video option[value=png]").remove();
  }

  known() {
    try {
      const held = JSON.parse(recall(KEY) || "[]");
      return Array.isArray(held) ? held : [];
    } catch {
      return [];
    }
  }

  remember(videos) {
    remember(KEY, JSON.stringify(videos.slice(-8)));
  }

  // The videos of this tab that the studio still has.
  async restore() {
    this.list.replaceChildren();
    const held = [];
    for (const one of this.known()) {
      if (await json(`api/record/${one.id}`).then(() => true, () => false)) held.push(one);
    }
    this.remember(held);
    for (const one of held) this.follow(one, one.kind);
  }

  follow(made, kind) {
    const item = document.createElement("li");
    item.innerHTML = `
      <div class="head"><span class="what"></span><button class="cancel" type="button">Cancel</button></div>
      <progress max="1" value="0"></progress>
      <div class="result" hidden></div>`;
    this.list.prepend(item);
    const what = item.querySelector(".what");
    const bar = item.querySelector("progress");
    const cancel = item.querySelector(".cancel");
    bar.setAttribute("aria-label", "Progress of the video");
    cancel.addEventListener("click", () => json(`api/record/${made.id}/cancel`, {}).catch(() => {}));
    const watch = async () => {
      let now;
      try {
        now = await json(`api/record/${made.id}`);
      } catch (error) {
        what.textContent = error.message;
        return;
      }
      bar.value = now.total ? now.done / now.total : 0;
      const left = now.left ? `, ${now.left} to go` : "";
      const words = { waiting: "waits", running: `${now.done} of ${now.total || "…"} pictures${left}`, done: "ready" };
      what.textContent = words[now.state] || (now.state === "failed" ? now.message : "cancelled");
      item.dataset.state = now.state;
      if (isBusy(now)) {
        setTimeout(watch, POLL);
        return;
      }
      cancel.remove();
      bar.remove();
      if (now.state === "done") await this.result(item, now, kind);
    };
    watch();
  }

  async result(item, now, kind) {
    const held = item.querySelector(".result");
    const made = await blob(`api/record/${now.id}/file`);
    const url = URL.createObjectURL(made);
    if (kind === "mp4") {
      const video = document.createElement("video");
      Object.assign(video, { src: url, controls: true, loop: true, muted: true, playsInline: true });
      video.autoplay = !matchMedia("(prefers-reduced-motion: reduce)").matches;
      held.append(video);
    } else if (kind === "gif") {
      const image = document.createElement("img");
      Object.assign(image, { src: url, alt: "The video" });
      held.append(image);
    }
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Save ${kind === "png" ? "PNGs (zip)" : kind.toUpperCase()}`;
    button.addEventListener("click", () => save(made, `video.${kind === "png" ? "zip" : kind}`));
    const words = document.createElement("pre");
    words.tabIndex = 0;
    words.textContent = now.command;
    held.append(button, words);
    held.hidden = false;
    this.tell.said("The video is ready");
  }
}
