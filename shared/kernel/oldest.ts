/**
 * Gives the key of a map that was put there first, each time the next one: for tables that let go of their oldest when they are full. Who
 * gets a key is to delete it. A new iterator goes past all that was deleted at the front since the table was last made anew, thousands of
 * places each time; this one goes on from where it stands.
 */
export function oldestOf<K>(map: ReadonlyMap<K, unknown>): () => K | undefined {
  let keys = map.keys();
  return () => {
    const next = keys.next();
    if (next.done !== true) return next.value;
    // It was empty once: what came since is another row.
    keys = map.keys();
    return keys.next().value;
  };
}
