// Undoes columns.py: a packed list to its values.

function unpack(packed) {
  if (Array.isArray(packed)) return packed;
  if ("all" in packed) return new Array(packed.n).fill(packed.all);
  if ("milli" in packed) return packed.milli.map((value) => value / 1000);
  if ("pool" in packed) return packed.at.map((place) => packed.pool[place]);
  if ("some" in packed) {
    const present = unpack(packed.of);
    let next = 0;
    return Array.from(packed.some, (there) => (there === "1" ? present[next++] : null));
  }
  if ("sizes" in packed) {
    const inner = unpack(packed.of);
    let end = 0;
    return unpack(packed.sizes).map((size) => inner.slice(end, (end += size)));
  }
  return unpackObjects(packed.keys);
}

function unpackObjects(keys) {
  const columns = Object.entries(keys).map(([key, of]) => [key, unpack(of)]);
  const count = columns.length ? columns[0][1].length : 0;
  return Array.from({ length: count }, (_, place) => {
    const object = Object.create(null);
    for (const [key, values] of columns) if (values[place] !== null) object[key] = values[place];
    return object;
  });
}

// "3wnw" to "wwwnw".
function expandRuns(runs) {
  return runs.replace(/(\d+)(\D)/g, (_, count, letter) => letter.repeat(Number(count)));
}
