/** How far two words are from each other. Pure. */

/** Letters to add, take away or change (Levenshtein), as far as the first `letters` of each go. */
export function distance(a: string, b: string, letters = 24): number {
  const [from, to] = [a.slice(0, letters), b.slice(0, letters)];
  let row = Array.from({ length: to.length + 1 }, (_none, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const changed = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
