// Two directions apart: pictures to mark, and the slider that the marks give.

import { json } from "./api.js";
import { Way, isBusy } from "./way.js";

const MOST = 64; // directions to choose from

export class Apart {
  // network(): its id; sliders: those that are shown; found(groups, layers, line): a direction is made.
  constructor({ network, sliders, found, said }) {
    this.tell = { network, sliders, found, said };
    this.at = (id) => document.getElementById(`apart-${id}`);
    this.trying = (work) => (...given) => Promise.resolve(work(...given)).catch((error) => said(error.message, true));
    this.way = new Way(this.at("way"), this.at("form").querySelector("button"), {
      ask: () => this.ask("api/apart"), cancel: () => this.ask("api/apart/cancel", ""), over: (held) => this.over(held), said,
    });
    this.at("form").addEventListener("submit", this.trying(async (event) => {
      event.preventDefault();
      const [first, second] = ["first", "second"].map((id) => Number(this.at(id).value));
      await this.watch(await json("api/apart", { network: network(), layers: sliders.layers, first, second }));
    }));
    this.saved = Promise.resolve(); // the marks so far
    this.at("make").addEventListener("click", this.trying(async () => {
      await this.saved;
      const made = await this.ask("api/apart/make", "");
      await found(made.groups, made.layers, made.line);
    }));
    this.at("part").addEventListener("toggle", () => this.choices());
  }

  ask(path, body) {
    return json(`${path}?network=${this.tell.network()}`, body);
  }

  // The directions of the group whose sliders are shown.
  choices() {
    const { total, rows, layers, at } = this.tell.sliders;
    this.at("part").hidden = total < 2;
    if (!this.at("part").open) return;
    const names = Array.from({ length: Math.min(total, MOST) }, (_, index) => {
      const name = rows.get(index)?.about.name;
      return new Option(name ? `${index}: ${name}` : index, index);
    });
    for (const [id, usual] of [["first", at ?? 0], ["second", at === 1 ? 0 : 1]]) {
      const chosen = this.layers === layers ? this.at(id).value : usual;
      this.at(id).replaceChildren(...names.map((one) => one.cloneNode(true)));
      this.at(id).value = chosen;
    }
    this.layers = layers;
  }

  // Pictures of this network that are there, or on their way.
  async restore() {
    this.at("marks").hidden = true;
    await this.watch(await this.ask("api/apart"));
  }

  async watch(held) {
    if (isBusy(held)) this.at("marks").hidden = true;
    await this.way.watch(held);
  }

  over(held) {
    if (held.state === "done") this.show(held);
  }

  show(held) {
    const wanted = new Set(held.wanted);
    this.at("pictures").replaceChildren(...held.pictures.map((source, number) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      const picture = document.createElement("img");
      Object.assign(picture, { src: source, alt: `Picture ${number}, before and after` });
      Object.assign(button, { type: "button", title: "It changed what you want, and nothing else" });
      button.setAttribute("aria-pressed", wanted.has(number));
      button.append(picture);
      button.addEventListener("click", this.trying(async () => {
        if (!wanted.delete(number)) wanted.add(number);
        button.setAttribute("aria-pressed", wanted.has(number));
        this.count(wanted.size, held.pictures.length);
        await this.save([...wanted]);
      }));
      item.append(button);
      return item;
    }));
    this.at("about").textContent = `Direction ${held.first} with more or less of ${held.second}, each before and after: `
      + "click those that change what you want, and nothing else.";
    this.count(wanted.size, held.pictures.length);
    this.at("marks").hidden = false;
  }

  // One after the other, so that the last click counts.
  save(wanted) {
    const marks = { network: this.tell.network(), wanted };
    this.saved = this.saved.catch(() => {}).then(() => json("api/apart/marks", marks));
    return this.saved;
  }

  count(wanted, all) {
    this.at("count").textContent = `${wanted} of ${all}`;
    this.at("make").disabled = !wanted || wanted === all;
  }
}
