// What the page asks the studio for. The token is in the address that was printed, and stays in this tab.

import { recall, remember } from "./store.js";

const KEY = "sefa-studio-token";
const BASE = new URL("..", import.meta.url); // the studio may lie below a path of a server
export const visitor = crypto.getRandomValues(new Uint32Array(3)).join("-");
let token = "";

// The address of a part of the studio: `api/studio`.
export const address = (path) => new URL(path, BASE).href;

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function parts(hash) {
  return new URLSearchParams(hash.replace(/^#/, ""));
}

// The token of the address, of this tab before it was loaded again, or of another tab of the same studio.
export async function findToken() {
  token = parts(location.hash).get("token") || recall(KEY);
  if (!token) token = await fromAnotherTab();
  if (token) setToken(token);
  return Boolean(token);
}

export function setToken(text) {
  token = parts(text.slice(text.indexOf("#"))).get("token") || text.trim();
  remember(KEY, token);
}

const channel = new BroadcastChannel("sefa-studio");
channel.addEventListener("message", (event) => {
  if (event.data === "token?" && token) channel.postMessage({ token });
});

function fromAnotherTab() {
  return new Promise((found) => {
    channel.addEventListener("message", (event) => event.data.token && found(event.data.token));
    channel.postMessage("token?");
    setTimeout(() => found(""), 300);
  });
}

export async function ask(path, body) {
  const headers = { "X-Sefa-Token": token, "X-Sefa-Visitor": visitor };
  const options = { headers, cache: "no-store" };
  if (body !== undefined) {
    options.method = "POST";
    options.body = typeof body === "string" || body instanceof Blob ? body : JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(address(path), options);
  } catch {
    throw new Refused(0, "the studio does not answer: was it ended?");
  }
  if (!answer.ok) {
    const held = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, held.error || `the studio answered ${answer.status}`);
  }
  return answer;
}

export const json = async (path, body) => (await ask(path, body)).json();

export async function blob(path, body) {
  const answer = await ask(path, body);
  return answer.status === 204 ? null : answer.blob();
}
