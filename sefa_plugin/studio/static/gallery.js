// Kept pictures: on disk, each with its recipe.

import { ask, blob, json } from "./api.js";
import { save } from "./files.js";

export class Gallery {
  constructor(list, { opened, said, sure }) {
    Object.assign(this, { list, tell: { opened, said, sure }, pictures: new Map(), kept: [] });
  }

  async show(network) {
    this.network = network;
    const { kept } = await json(`api/kept?network=${network}`);
    this.kept = kept;
    this.list.replaceChildren(...kept.map((one) => this.item(one)));
    return kept.length;
  }

  item(one) {
    const item = document.createElement("li");
    const open = document.createElement("button");
    Object.assign(open, { type: "button", className: "open", disabled: !one.state });
    const image = document.createElement("img");
    image.alt = ""; // the words below say it
    const words = document.createElement("span");
    words.textContent = one.label;
    open.title = one.state ? "Show it again" : "Has settings that the studio has no control for";
    open.append(image, words);
    open.addEventListener("click", () => this.tell.opened(one.state));
    item.append(open);
    if (one.ours) {
      const remove = document.createElement("button");
      Object.assign(remove, { type: "button", className: "remove", textContent: "×" });
      remove.setAttribute("aria-label", `Remove ${one.label}`);
      remove.addEventListener("click", () => this.remove(one.id));
      item.append(remove);
    }
    this.thumbnail(one.id).then((url) => { image.src = url; }, () => {});
    return item;
  }

  async thumbnail(id) {
    if (!this.pictures.has(id)) {
      const made = await blob(`api/kept/${id}?network=${this.network}`);
      this.pictures.set(id, URL.createObjectURL(made));
    }
    return this.pictures.get(id);
  }

  async keep(state) {
    await ask("api/keep", state);
    await this.show(this.network);
  }

  async remove(id) {
    await ask("api/remove", { network: this.network, id });
    await this.show(this.network);
  }

  async removeAll() {
    const count = this.kept.filter((one) => one.ours).length;
    if (!count || !(await this.tell.sure(`Remove ${count} kept picture${count > 1 ? "s" : ""} from this computer?`))) return;
    await this.remove("");
  }

  async export() {
    save(await blob(`api/export?network=${this.network}`), "kept.zip");
  }

  // Kept pictures, in the order in which they were kept.
  ids() {
    return this.kept.filter((one) => one.state).map((one) => one.id).reverse();
  }

  // Seeds of kept pictures, each once, in the order in which they were kept.
  seeds() {
    return [...new Set(this.kept.map((one) => one.seed).reverse())];
  }
}
