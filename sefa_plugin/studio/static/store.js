// What this tab keeps over a reload; only until then where the browser gives no place, as in some frames.

const held = new Map();

export function recall(key) {
  try {
    return sessionStorage.getItem(key) ?? held.get(key) ?? "";
  } catch {
    return held.get(key) ?? "";
  }
}

export function remember(key, text) {
  held.set(key, text);
  try {
    sessionStorage.setItem(key, text);
  } catch {
    // Kept until the page is left.
  }
}
