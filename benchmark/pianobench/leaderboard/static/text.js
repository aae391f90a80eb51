// Elements and words. Text only ever enters the page as text: no markup is parsed anywhere.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) made.style.setProperty(name, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

function find(id) {
  return document.getElementById(id);
}

const MINUS = "\u2212";
const NOT_KNOWN = "\u2013";

function number(value, decimals = 3) {
  if (value === null || value === undefined) return NOT_KNOWN;
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

function signed(value) {
  return value > 0 ? `+${number(value)}` : number(value);
}

function span(bounds) {
  return bounds ? `[${number(bounds.low)}, ${number(bounds.high)}]` : "";
}

function range(first, last) {
  return first === last ? `${first}` : `${first}\u2013${last}`;
}

function grouped(value) {
  return value === null || value === undefined ? NOT_KNOWN : value.toLocaleString("en");
}

function plural(count, one, many = `${one}s`) {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

function percent(value) {
  return `${number(100 * value, 0)}%`;
}

// Of three figures: parameters, seconds, speeds.
function rough(value, unit) {
  if (value === null || value === undefined) return NOT_KNOWN;
  const text = Number(value.toPrecision(3)).toLocaleString("en");
  return unit ? `${text} ${unit}` : text;
}

function words(name) {
  return name.replaceAll("_", " ");
}

// A file of a row: names come from results, so that every part of the path is quoted.
function fileLink(row, file) {
  const path = ["results", row.name, file].map(encodeURIComponent).join("/");
  return element("a", { href: path }, file);
}

function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return element(
    "dl",
    { class: "facts" },
    known.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))
  );
}
