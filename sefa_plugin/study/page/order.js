"use strict";
// Which questions a person is asked, in which order, and how they are shown: the same for the same name, and another one
// for each name.

// The name by which people are distinguished.
const person = (name) => name.trim().replace(/\s+/g, " ").toLowerCase();

// Numbers from 0 to 1 that follow from a text: FNV-1a makes 32 bits of it, xorshift goes on from there (Marsaglia 2003).
function randomOf(text) {
  let state = 2166136261;
  for (const letter of text) state = Math.imul(state ^ letter.codePointAt(0), 16777619) >>> 0;
  state = state || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  for (let skipped = 0; skipped < 20; skipped += 1) next();
  return next;
}

function shuffled(list, random) {
  const made = [...list];
  for (let place = made.length - 1; place > 0; place -= 1) {
    const other = Math.floor(random() * (place + 1));
    [made[place], made[other]] = [made[other], made[place]];
  }
  return made;
}

// Questions of the first half come again in the second one.
function withRepeats(items, share, random) {
  const order = shuffled(items, random).map((item) => ({ item, again: false }));
  const half = Math.ceil(order.length / 2);
  const count = order.length > 3 ? Math.ceil(share * order.length) : 0; // of fewer each is still in mind
  const early = order.filter((one) => one.item.twice).slice(0, Math.max(count, half));
  const repeated = shuffled(early, random).slice(0, count);
  for (const one of repeated) {
    const place = half + Math.floor(random() * (order.length - half + 1));
    order.splice(Math.max(place, order.indexOf(one) + 2), 0, { item: one.item, again: true });
  }
  return order;
}

// Single clips first, then pairs. Of each clip one of its two files is shown, and of a pair one clip on the left.
function trialsOf(study, name) {
  const random = randomOf(`${study.id} ${study.seed} ${person(name)}`);
  const kinds = [1, 2].map((count) => study.items.filter((item) => item.clips.length === count));
  return kinds
    .flatMap((items) => withRepeats(items, study.repeats, random))
    .map(({ item, again }, place) => {
      const shown = item.clips.map((files) => files[Math.floor(random() * 2)]);
      if (random() < 0.5) shown.reverse();
      return { place, item: item.id, again, shown };
    });
}
