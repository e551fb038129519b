// The picture window: nothing but the picture of the stage, which it follows for as long as it is open.

import { ask, findToken } from "./api.js";
import { layersMoved, same } from "./history.js";
import { Picture } from "./picture.js";

const RELEASED = 180; // milliseconds without a change until the picture is made in full
const AGAIN = 1000; // milliseconds until a studio that does not answer is asked again

const at = (id) => document.getElementById(id);
const picture = new Picture(at("picture"), { shown, failed: (error) => said(error.message) });
let number = 0;
let state = null;
let released = 0;

function said(text) {
  at("status").textContent = text;
}

function shown({ state: of, full }) {
  if (full) at("picture").alt = of.photo ? "Photograph" : `Seed ${of.seed}`;
  said("");
}

function show(other) {
  if (state && same(other, state)) return;
  clearTimeout(released);
  if (state && state.network === other.network) {
    picture.preview(other, layersMoved(state, other));
    released = setTimeout(() => picture.settle(state), RELEASED);
  } else {
    picture.settle(other);
  }
  state = other;
}

// For ever: a studio that was ended is looked for until it is there again, with its number from the beginning.
async function follow() {
  for (;;) {
    try {
      const answer = await ask(`api/stage?after=${number}`);
      if (answer.status === 200) {
        const held = await answer.json();
        number = held.number;
        show(held.state);
      }
    } catch (error) {
      if (error.status === 403 || error.status === 404) said("Open this window from the studio's page once more");
      number = 0;
      await new Promise((again) => setTimeout(again, AGAIN));
    }
  }
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.().catch(() => {});
}

document.addEventListener("click", fullScreen);
document.addEventListener("keydown", (event) => {
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (plain && ["f", " ", "enter"].includes(event.key.toLowerCase())) fullScreen();
});

async function stayAwake() {
  if (document.visibilityState === "visible") await navigator.wakeLock?.request("screen").catch(() => {});
}
document.addEventListener("visibilitychange", stayAwake);

await findToken();
if (location.hash) history.replaceState(null, "", location.pathname);
stayAwake();
follow();
