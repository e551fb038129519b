// Without this script everything can be read; with it pictures are played with. Nothing is loaded but the page's files.
const all = (which, where = document) => [...where.querySelectorAll(which)];
const made = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);
const signed = (x) => (x > 0 ? "+" : "") + +x.toPrecision(3);
const nearest = (held, x) => held.reduce((best, one, at) => (Math.abs(one - x) < Math.abs(held[best] - x) ? at : best), 0);
const bar = document.querySelector(".bar");
const dialog = document.querySelector("dialog");
const say = document.querySelector(".say");
const players = new Map(); // of each card that has one
const recent = []; // players that hold frames
const MOST_RECENT = 4;
let names = 0;

// On a narrow screen a sheet is wider than its box: what is marked on it comes into view.
function centre(box) {
  const view = box.closest(".view");
  if (view.scrollWidth > view.clientWidth) view.scrollLeft = box.offsetLeft + box.offsetWidth / 2 - view.clientWidth / 2;
}

function tell(text) {
  say.textContent = text;
  say.hidden = !text;
}

// A slider over `at`; `moved` is called with a place in it.
class Slider {
  constructor(box, at, label, moved) {
    this.at = at;
    this.zero = at.indexOf(0);
    this.input = box.querySelector("input");
    this.input.max = at.length - 1;
    this.input.setAttribute("aria-label", label);
    this.output = box.querySelector("output");
    const [low, high] = all(".marks span", box);
    const back = box.querySelector(".marks button");
    low.textContent = at[0] ? signed(at[0]) : "";
    high.textContent = at.at(-1) ? signed(at.at(-1)) : "";
    back.setAttribute("aria-label", `${label}: back to 0`);
    back.hidden = this.zero < 0;
    back.onclick = () => this.reset();
    box.style.setProperty("--zero", Math.max(0, this.zero) / (at.length - 1));
    this.box = box;
    this.moved = moved;
    this.input.onpointerdown = () => { this.held = true; };
    this.input.onpointerup = this.input.onpointercancel = () => { this.held = false; };
    this.input.oninput = () => this.go(+this.input.value, this.held);
    this.input.ondblclick = () => this.reset();
    this.input.onkeydown = (event) => { if (event.key === "0") this.reset(); };
  }

  reset() {
    this.go(nearest(this.at, 0));
  }

  // Fingers stop at 0, which is otherwise hard to hit; keys do not.
  go(place, snaps = false) {
    place = Math.max(0, Math.min(this.at.length - 1, place));
    if (snaps && this.at.length > 14 && Math.abs(place - this.zero) === 1) place = this.zero;
    this.place = place;
    this.input.value = place;
    const text = signed(this.at[place]);
    this.input.setAttribute("aria-valuetext", text);
    this.output.textContent = text;
    this.box.style.setProperty("--at", place / (this.at.length - 1));
    this.moved();
  }
}

// One large picture of a card, with its sliders. Pictures are cells of the sheet until frames of the clip are there.
class Player {
  constructor(card, video) {
    Object.assign(this, JSON.parse(card.dataset.play), { card, video, row: 0, shots: [] });
    const box = (this.box = made("player"));
    this.title = card.querySelector("h3").firstChild.textContent.trim();
    this.sheet = this.cells && card.querySelector(".pictures img");
    this.canvas = box.querySelector("canvas");
    this.stage = box.querySelector(".stage");
    if (!this.clip || !video) this.clip = null;
    const plane = this.down.length > 0;
    this.slider = new Slider(box.querySelector(".along"), this.at, plane ? `${this.title}, across` : this.title, () => this.draw());
    if (plane) {
      const second = made("second");
      box.querySelector(".tabs").replaceWith(second);
      this.second = new Slider(second, this.down, `${this.title}, down`, () => this.draw());
    } else this.tabs(box.querySelector(".tabs"));
    const size = this.cells?.size;
    if (size) this.shape(size[0] / size[1]);
    this.listen();
    this.slider.place = nearest(this.at, 0);
    if (this.second) this.second.place = nearest(this.down, 0);
    this.slider.reset();
    this.second?.reset();
  }

  shape(aspect) {
    this.aspect = aspect;
    this.box.style.setProperty("--aspect", aspect);
  }

  tabs(field) {
    const name = `subject${names++}`;
    this.rows.forEach((text, row) => {
      const tab = made("tab"), input = tab.querySelector("input");
      tab.querySelector("span").textContent = text;
      input.name = name;
      input.checked = row === 0;
      input.onchange = () => this.choose(row);
      field.append(tab);
    });
    field.hidden = this.rows.length < 2;
  }

  choose(row) {
    const tabs = all(".tabs input", this.box);
    if (tabs[row]) tabs[row].checked = true;
    this.row = row;
    this.shots = [];
    this.draw();
    this.chosen?.(this.rows[row]);
  }

  listen() {
    const { box, stage, slider, second } = this;
    let from = null;
    stage.onpointerdown = (event) => {
      if (event.button || event.target.closest("button")) return;
      from = [event.clientX, event.clientY, slider.place, second?.place];
      stage.setPointerCapture(event.pointerId);
      this.play(false);
    };
    stage.onpointermove = (event) => {
      if (!from) return;
      slider.go(from[2] + Math.round(((event.clientX - from[0]) / stage.clientWidth) * slider.at.length), true);
      second?.go(from[3] + Math.round(((event.clientY - from[1]) / stage.clientHeight) * second.at.length), true);
    };
    stage.onpointerup = stage.onpointercancel = () => { from = null; };
    stage.ondblclick = () => { slider.reset(); second?.reset(); };
    box.onpointerenter = box.onfocusin = () => this.gather();
    box.querySelector(".go").onclick = () => this.play(!this.timer);
    box.querySelector(".large").onclick = () => enlarge([this.card]);
    slider.input.addEventListener("input", () => this.play(false));
    const map = box.querySelector(".map"), over = this.card.querySelector(".heat img")?.cloneNode();
    map.hidden = !over;
    map.onclick = () => {
      over.className = "over";
      if (over.isConnected) over.remove();
      else this.canvas.after(over);
      map.setAttribute("aria-pressed", over.isConnected);
    };
    if (this.sheet) this.sheet.addEventListener("load", () => this.draw());
    if (this.clip) {
      this.video.addEventListener("loadeddata", () => this.draw());
      this.video.addEventListener("error", () => { this.clip = null; this.draw(); });
    }
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  // Called when it comes into sight, and when it has left.
  near(yes) {
    if (this.isNear === yes) return;
    this.isNear = yes;
    if (yes) {
      if (this.sheet) this.sheet.loading = "eager";
      if (this.clip) this.video.preload = "auto";
      this.draw();
    } else {
      this.play(false);
      this.canvas.width = 0;
    }
  }

  draw() {
    const { slider, second, canvas } = this, x = this.at[slider.place], y = second ? this.down[second.place] : 0;
    const subject = second ? "" : `, ${this.rows[this.row]}`;
    canvas.setAttribute("aria-label", `${this.title}${subject} at ${signed(x)}${second ? ` and ${signed(y)}` : ""}`);
    if (!this.isNear) return;
    let shot = this.shots[slider.place];
    if (!shot) { // the nearest one that is there
      const places = Object.keys(this.shots);
      if (places.length) shot = this.shots[places[nearest(places.map(Number), slider.place)]];
    }
    if (shot) this.show(shot, 0, 0, shot.width, shot.height);
    else if (this.sheet?.naturalWidth) {
      const { left, top, size, step, at } = this.cells;
      const column = nearest(at, x), row = second ? second.place : this.row;
      this.show(this.sheet, left + step[0] * column, top + step[1] * row, ...size);
    }
    this.seek();
    this.point?.(x);
  }

  show(source, left, top, wide, high) {
    const { canvas } = this, width = Math.round(canvas.clientWidth * Math.min(2, devicePixelRatio));
    if (!width) return;
    const height = Math.round((width * high) / wide);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(source, left, top, wide, high, 0, 0, width, height);
  }

  // Step through the clip: to the frame that is wanted, then, once somebody plays, to those that are still missing.
  seek() {
    const { video, clip, slider, shots, row } = this;
    if (!clip || this.busy || video.readyState < 2) return;
    const count = this.rows.length, wide = Math.floor(video.videoWidth / count);
    if (!this.aspect) this.shape(wide / video.videoHeight);
    // Frames that were much reduced show less than the sheet.
    if (this.cells && wide < 0.45 * this.cells.size[0] && video.videoWidth + count >= clip.limit) return;
    let want = slider.place;
    if (shots[want] && this.eager) {
      const missing = this.at.map((_, at) => at).filter((at) => !shots[at]);
      if (missing.length) want = missing[nearest(missing, slider.place)];
    }
    if (shots[want]) return;
    this.busy = true;
    video.addEventListener("seeked", () => {
      const shot = document.createElement("canvas");
      shot.width = wide;
      shot.height = Math.min(video.videoHeight, Math.round(wide / this.aspect));
      shot.getContext("2d").drawImage(video, wide * row, 0, wide, shot.height, 0, 0, wide, shot.height);
      shots[want] = shot;
      this.busy = false;
      this.draw();
    }, { once: true });
    video.currentTime = (clip.frames[want] + 0.5) / clip.fps;
  }

  // Somebody plays with it: all its frames are wanted; those of players used long ago are dropped.
  gather() {
    if (recent.includes(this)) recent.splice(recent.indexOf(this), 1);
    recent.push(this);
    if (recent.length > MOST_RECENT) Object.assign(recent.shift(), { eager: false, shots: [] });
    this.eager = true;
    this.seek();
  }

  // There and back, until it is stopped.
  play(on) {
    const button = this.box.querySelector(".go");
    clearInterval(this.timer);
    this.timer = 0;
    button.textContent = on ? "❚❚" : "▶";
    button.setAttribute("aria-label", on ? "Stop" : "Play");
    if (!on) return;
    this.gather();
    let step = 1;
    const { slider } = this, last = slider.at.length - 1;
    this.timer = setInterval(() => {
      if (slider.place >= last) step = -1;
      if (slider.place <= 0) step = 1;
      slider.go(slider.place + step);
    }, this.clip ? 1000 / Math.min(30, this.clip.fps) : 250);
  }
}

const sight = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) players.get(target).near(isIntersecting);
}, { rootMargin: "300px" });

for (const card of all("article[data-play]")) {
  const player = new Player(card, card.querySelector(".played video"));
  players.set(card, player);
  card.classList.add("live");
  card.querySelector(".head").after(player.box);
  sight.observe(card);
  const link = card.querySelector(".held a");
  if (!link || !player.cells) continue;
  // The sheet is a map of what the large picture shows: a click chooses, a frame marks.
  const { at, step } = player.cells, here = document.createElement("span");
  here.className = "here";
  link.append(here);
  player.point = (x) => {
    here.style.setProperty("--column", nearest(at, x));
    here.style.setProperty("--row", player.second ? player.second.place : player.row);
    centre(here);
  };
  player.draw();
  link.addEventListener("click", (event) => {
    if (!event.detail || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const box = link.getBoundingClientRect(), rows = player.second ? player.down.length : player.rows.length;
    const column = Math.floor(((event.clientX - box.left) / box.width) * at.length);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    player.slider.go(nearest(player.at, at[Math.max(0, Math.min(at.length - 1, column))]));
    if (player.second) player.second.go(row);
    else if (row !== player.row) player.choose(Math.max(0, Math.min(rows - 1, row)));
  });
}

for (const mark of all(".view .mark")) centre(mark);
addEventListener("beforeprint", () => { for (const one of all("details")) one.open = true; });

// --- enlarged: one card, two side by side, or a picture --------------------------------------------

let shown = [];

function enlarge(cards) {
  const boxes = cards.map((card) => {
    const player = new Player(card, card.querySelector(".played video")?.cloneNode());
    const from = players.get(card), figure = document.createElement("figure"), caption = document.createElement("figcaption");
    const group = card.closest("section").querySelector("h2").textContent;
    caption.textContent = `${card.querySelector("h3 bdi")?.textContent ?? ""} ${player.title}, ${group}`.trim();
    figure.append(caption, player.box);
    if (!player.second) player.choose(from.row);
    player.slider.go(from.slider.place);
    player.second?.go(from.second.place);
    player.box.querySelector(".large").hidden = true;
    shown.push(player);
    return figure;
  });
  dialog.setAttribute("aria-label", cards.length > 1 ? "Compare" : "Enlarged");
  light(boxes);
  for (const player of shown) player.near(true);
  if (shown.length > 1) {
    for (const [one, other] of [shown, [...shown].reverse()]) {
      one.chosen = (label) => {
        const row = other.rows.indexOf(label);
        if (row >= 0 && row !== other.row) other.choose(row);
      };
    }
  }
}

function light(boxes) {
  dialog.querySelector(".light").replaceChildren(...boxes);
  dialog.classList.toggle("two", boxes.length > 1);
  dialog.showModal();
}

dialog.onclose = () => {
  for (const player of shown) player.near(false);
  shown = [];
  dialog.querySelector(".light").replaceChildren();
};
dialog.querySelector(".close").onclick = () => dialog.close();
dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };

for (const link of all("a.zoom")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const from = link.querySelector("img") ?? link.closest("article").querySelector(".sheet img");
    const picture = document.createElement("img");
    picture.src = from.src;
    picture.alt = from.alt;
    dialog.setAttribute("aria-label", "Enlarged");
    light([picture]);
  });
}

// --- stars, comparing, filtering --------------------------------------------------------------------

const memory = (() => {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
})();
const KEY = `sefa-stars ${location.pathname}`;
const starred = JSON.parse(memory?.getItem(KEY) ?? "{}"); // those that differ from the directions files
const filter = document.querySelector(".filter");
const save = document.querySelector(".keep");
const cards = all("article");
const starOf = (card) => JSON.parse(card.dataset.star);
const keyOf = (star) => `${star.set}:${star.index}:${star.direction}`;
const hasStar = (card) => {
  if (!card.dataset.star) return false;
  const star = starOf(card);
  return starred[keyOf(star)] ?? star.starred;
};
let first = null;

function showStar(card) {
  const button = card.querySelector(".star"), on = hasStar(card);
  button.setAttribute("aria-pressed", on);
  button.textContent = on ? "★ Starred" : "☆ Star";
  document.querySelector(`nav a[href="#${CSS.escape(card.id)}"]`)?.classList.toggle("loved", on);
}

function compare(card, button) {
  if (first === null) {
    first = card;
    button.setAttribute("aria-pressed", true);
    tell(`${players.get(card).title}: now press Compare at another one.`);
    return;
  }
  const both = [first, card];
  first.querySelector(".beside").setAttribute("aria-pressed", false);
  first = null;
  tell("");
  if (both[0] !== both[1]) enlarge(both);
}

for (const card of cards) {
  if (!card.dataset.star) continue;
  const tools = made("tools"), star = tools.querySelector(".star"), beside = tools.querySelector(".beside");
  card.querySelector(".starred")?.remove();
  card.querySelector("h3").after(tools);
  beside.hidden = !players.has(card);
  beside.onclick = () => compare(card, beside);
  star.onclick = () => {
    const held = starOf(card), on = !hasStar(card);
    if (on === held.starred) delete starred[keyOf(held)];
    else starred[keyOf(held)] = on;
    try {
      memory?.setItem(KEY, JSON.stringify(starred));
    } catch { /* full, or forbidden: it is in the file that is saved */ }
    showStar(card);
    sift();
  };
  showStar(card);
}

function sift() {
  const words = filter.querySelector("input").value.toLowerCase().split(/\s+/).filter(Boolean);
  const group = filter.querySelector("select")?.value ?? "", only = filter.querySelector("[type=checkbox]").checked;
  let count = 0, stars = 0;
  for (const card of cards) {
    const section = card.closest("section"), title = section.querySelector("h2");
    const text = `${title.textContent} ${card.querySelector(".head").textContent} ${card.querySelector(".heat")?.textContent ?? ""}`.toLowerCase();
    const fits = words.every((word) => text.includes(word)) && (!group || title.id === group) && (!only || hasStar(card));
    card.hidden = !fits;
    const link = document.querySelector(`nav a[href="#${CSS.escape(card.id)}"]`);
    link.parentNode.hidden = !fits;
    count += fits;
    stars += hasStar(card);
  }
  for (const section of all("section")) {
    const held = all("article", section);
    if (held.length) section.hidden = held.every((card) => card.hidden);
  }
  filter.querySelector("output").textContent = count < cards.length ? `${count} of ${cards.length}` : "";
  save.hidden = !stars && !Object.keys(starred).length;
}

if (filter) {
  filter.hidden = false;
  filter.oninput = sift;
  save.onclick = () => {
    const stars = cards.filter((card) => card.dataset.star).map((card) => ({ ...starOf(card), starred: hasStar(card) }));
    const changed = stars.filter((star) => star.starred || keyOf(star) in starred);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify({ format: "sefa_stars", version: 1, stars: changed }, null, 1)]));
    link.download = "stars.json";
    link.click();
    tell(`stars.json is saved. To put the stars into the directions files: ${save.dataset.command}`);
  };
  sift();
}

// --- where you are, and commands that can be copied --------------------------------------------------

const links = new Map(all("nav li a").map((link) => [document.getElementById(link.hash.slice(1)), link]));

function mark() {
  const line = bar.getBoundingClientRect().bottom + innerHeight * 0.3, there = [...links.keys()].filter((card) => !card.hidden);
  const ends = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const above = there.filter((card) => card.getBoundingClientRect().top <= line);
  const now = links.get((ends ? there : above).at(-1) ?? there[0]);
  for (const link of links.values()) {
    if (link === now) link.setAttribute("aria-current", "location");
    else link.removeAttribute("aria-current");
  }
  for (const group of all("nav > div")) group.classList.toggle("now", group.contains(now ?? null));
  const nav = bar.querySelector("nav");
  if (now) nav.scrollLeft = now.offsetLeft - nav.clientWidth / 2;
}

if (bar && links.size) {
  let waits = false;
  bar.classList.add("live");
  new ResizeObserver(() => { // what is jumped to stands below the bar
    const stuck = getComputedStyle(bar).display === "contents" ? bar.querySelector("nav") : bar;
    document.documentElement.style.setProperty("--bar", `${stuck.offsetHeight + 12}px`);
  }).observe(bar.querySelector("nav"));
  addEventListener("scroll", () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => { waits = false; mark(); });
  }, { passive: true });
  mark();
}

for (const button of all(".command button")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.onclick = () => {
    navigator.clipboard.writeText(button.parentNode.querySelector("code").textContent).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  };
}
for (const video of all(".moving video")) { // the controls stand below the pictures
  video.addEventListener("loadedmetadata", () => video.style.setProperty("--tall", video.videoHeight / video.videoWidth));
}
