// How far some work of the studio is: a bar, the time to go, and a button that cancels it.

const EVERY = 1000; // milliseconds between looks

export const isBusy = (held) => held.state === "waiting" || held.state === "running";

export class Way {
  // row: the element; begin: the button that begins it; ask(): how far it is; over(held): it is; cancel(); said(text, wrong).
  constructor(row, begin, { ask, over, cancel, said }) {
    Object.assign(this, { row, begin });
    this.tell = { ask, over, said };
    this.trying = (work) => (...given) => Promise.resolve(work(...given)).catch((error) => said(error.message, true));
    row.querySelector("button").addEventListener("click", this.trying(cancel));
  }

  // Shows work until it is over.
  async watch(held) {
    const busy = isBusy(held);
    const begins = busy && this.row.hidden;
    this.row.hidden = !busy;
    this.begin.disabled = busy;
    if (begins) this.row.scrollIntoView({ block: "nearest" });
    const progress = this.row.querySelector("progress");
    if (held.total) Object.assign(progress, { max: held.total, value: held.done });
    else progress.removeAttribute("value");
    const left = held.left ? `, ${held.left} left` : "";
    this.row.querySelector("span").textContent = held.total ? `${held.done} of ${held.total} pictures${left}` : "begins";
    if (busy) setTimeout(this.trying(async () => this.watch(await this.tell.ask())), EVERY);
    else if (held.state === "failed") this.tell.said(held.message, true);
    if (!busy) await this.tell.over(held);
  }
}
